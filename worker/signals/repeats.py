"""Rows that were delivered more than once count once: the same key, the latest arrival. How many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA, kind_of
from worker.signals.companies import WORKSPACE
from worker.signals.constructs import Column
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.reading.texts import IdText, TrimmedText, clean_text
from worker.signals.rows import received


def keyed(table: MappedTable) -> list[Column]:
    """The columns that tell one row of ``table`` from another; empty where its key is not mapped."""
    names = SCHEMA[table.name].key
    if not names or not table.has(names[0]):
        return []
    # The workspaces of a company have rows of their own.
    own = {"account_id": WORKSPACE} if table.has(WORKSPACE) else {}
    return [table.value(own.get(name, name)) for name in names if table.has(name)]


def once(table: MappedTable, as_of: datetime) -> MappedTable:
    """``table`` with every row once. Of repeated rows the latest that had arrived by ``as_of`` counts.

    Where several are the latest, what they differ in is in doubt; of events one of each account and name counts. A row
    without a key is a row of its own.
    """
    if table.unique or not keyed(table):
        return table
    if table.name == "events":
        return replace(table, rows=_events_once(table, as_of).subquery("s_events"))
    columns = frozenset(table.columns) - {*_ordered(table), *SCHEMA[table.name].key}
    found = _compared(table, sorted(columns))
    return replace(table, rows=found.subquery(f"s_{table.name}_once"), compared=columns)


def differing_repeats(table: MappedTable) -> dict[str, Column]:
    """Per kind, the rows of `once` whose repeats differ although none of them is the latest."""
    latest = SCHEMA[table.name].latest
    known = "none is the latest" if table.has(latest) else f"map {latest}, then the latest counts"
    found = {f"repeats with another {name} ({known})": table.differs(name) for name in sorted(table.compared)}
    return {kind: test for kind, test in found.items() if test is not None}


def _ordered(table: MappedTable) -> list[str]:
    schema = SCHEMA[table.name]
    return [name for name in (schema.latest, schema.at) if name and table.has(name)]


def _events_once(table: MappedTable, as_of: datetime) -> sa.CompoundSelect[Any]:
    """The events whose key no other has as they are, and one of those of each other key: few have to be sorted.

    Where several arrived last, one of each account and name: two of these are no deliveries of one event.
    """
    key = written_key(table, "event_id") if table.keys_as_written else table.value("event_id")
    repeated = repeated_ids(table, "event_id", key)
    joined = table.rows.outerjoin(repeated, repeated.c.s_key == key)
    alone = sa.select(*table.carried()).select_from(joined).where(repeated.c.s_key.is_(None))
    arrival = [table.read_time("received_at").desc().nulls_last()] if table.has("received_at") else [key]
    place = sa.func.rank().over(partition_by=key, order_by=arrival).label("s_place")
    rows = sa.select(*table.carried(), key.label("s_key_0"), place).join(repeated, repeated.c.s_key == key)
    placed = replace(table, rows=rows.where(*received(table, as_of)).subquery("s_events_placed"))
    one = [placed.rows.c.s_key_0, placed.id("account_id"), placed.text("name")]
    order = placed.read_time("occurred_at").desc().nulls_last()
    each = sa.func.row_number().over(partition_by=one, order_by=order).label("s_each")
    last = sa.select(*placed.carried(), each).where(_is_first(placed.rows)).cte("s_events_last")
    # Once for all places of the statement: no test of theirs reaches the events below the two orders.
    last = last.prefix_with("MATERIALIZED")
    return sa.union_all(alone, sa.select(*replace(table, rows=last).carried()).where(last.c.s_each == 1))


def repeated_ids(table: MappedTable, name: str, key: Column) -> sa.CTE:
    """The values of ``key``, which is made of the column ``name``, that more than one row has, as ``s_key``."""
    if table.repeated is not None:
        return sa.select(table.repeated.c.s_key).cte("s_repeated")
    keys = sa.select(key.label("s_key")).select_from(table.rows).where(key.is_not(None)).subquery("s_key_cells")
    grouped = sa.select(keys.c.s_key).group_by(keys.c.s_key).having(sa.func.count() > 1).subquery("s_key_groups")
    says_something = clean_text(IdText(grouped.c.s_key, table.kind(name)), table.nothing).is_not(None)
    return sa.select(grouped.c.s_key).where(says_something).cte("s_repeated").prefix_with("MATERIALIZED")


def _placed(table: MappedTable, keys: Sequence[Column], more: Sequence[Column]) -> sa.Select[Any]:
    """The rows with ``more``, the key and the place among those of this key; the latest are all in the first."""
    order = [table.read_time(name).desc().nulls_last() for name in _ordered(table)]
    placed = sa.func.rank().over(partition_by=keys, order_by=order or [keys[0]]).label("s_place")
    labelled = [key.label(f"s_key_{index}") for index, key in enumerate(keys)]
    return sa.select(*table.carried(), *more, *labelled, placed).select_from(table.rows)


def _is_first(rows: sa.FromClause) -> Column:
    return sa.or_(rows.c.s_key_0.is_(None), rows.c.s_place == sa.literal_column("1"))


def _compared(table: MappedTable, columns: Sequence[str]) -> sa.Select[Any]:
    """One of the latest rows of each key, the same whatever their order, and per column whether they differ in it.

    Where they differ in their account, one of each account: of none of them it is known whether the row is theirs.
    """
    values = [sa.cast(table.value(name), sa.Text()).label(f"s_text_{name}") for name in columns]
    ranked = _placed(table, keyed(table), values).subquery(f"s_{table.name}_ranked")
    latest = sa.select(*(column for column in ranked.c if column.name != "s_place")).where(_is_first(ranked))
    rows = latest.subquery(f"s_{table.name}_latest")
    key = [column for column in rows.c if column.name.startswith("s_key_")]
    texts = [rows.c[f"s_text_{name}"] for name in columns]
    flags = [_differ(text, key).label(f"s_differs_{name}") for name, text in zip(columns, texts, strict=True)]
    account = [rows.c.s_text_account_id] if "account_id" in columns else []
    place = sa.func.row_number().over(
        partition_by=[*key, *account], order_by=[*(text.nulls_last() for text in texts), *key]
    )
    kept = [rows.c[column.name] for column in table.carried()]
    placed = sa.select(*kept, *flags, key[0], place.label("s_place")).subquery(f"s_{table.name}_placed")
    return sa.select(*(placed.c[column.name] for column in (*kept, *flags))).where(_is_first(placed))


def _differ(text: Column, key: Sequence[Column]) -> Column:
    """Whether the rows of one key differ in ``text``; a row without a key differs from none."""
    least, most = (function(text).over(partition_by=key) for function in (sa.func.min, sa.func.max))
    given, rows = (sa.func.count(*one).over(partition_by=key) for one in ((text,), ()))
    differ = sa.or_(least != most, given.between(1, rows - 1))
    return sa.case((key[0].is_(None), 0), (differ, 1), else_=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """How many rows repeat the key of another."""

    rows: int = 0
    as_written: bool = False
    """Whether keys differ only where their cells do."""
    ids: sa.TableClause | None = None
    """The repeated ids as ``s_key``, where they are the whole key and the engine has a table of its own for them."""

    def known_of(self, table: MappedTable) -> MappedTable:
        """The table with what is known of its keys."""
        return replace(table, keys_as_written=self.as_written, repeated=self.ids)


def count_repeats(engine: Engine, table: MappedTable) -> Repeats:
    """The rows of ``table`` that repeat the key of another. Raises SourceError."""
    keys = keyed(table)
    if not keys or table.unique:
        return Repeats()
    names = [name for name in SCHEMA[table.name].key if table.has(name)]
    cells = [written_key(table, name) for name in names]
    as_written = _are_keys(engine, table, names, cells)
    if not as_written or engine.name != "duckdb":
        same = _repeated_keys(table, cells if as_written else keys, table.rows).subquery("s_repeats")
        return Repeats(rows=_surplus(engine, same), as_written=as_written)
    # By hashes of 64 bits first: a fifteenth of the time, in memory, of counting texts.
    hashed = sa.func.hash(*cells)
    counted = sa.select(hashed.label("s_hash")).select_from(table.rows).where(cells[0].is_not(None))
    hashes = engine.materialize(f"s_{table.name}_hashes", counted.group_by(hashed).having(sa.func.count() > 1))
    assert hashes is not None  # noqa: S101 - DuckDB has temporary tables
    if not engine.run(sa.select(hashes.c.s_hash).limit(1)):
        return Repeats(as_written=True)
    alike = table.rows.join(hashes, hashes.c.s_hash == hashed)
    ids = engine.materialize(f"s_{table.name}_repeated", _repeated_keys(table, cells, alike))
    assert ids is not None  # noqa: S101 - as above
    return Repeats(rows=_surplus(engine, ids), as_written=True, ids=ids if len(cells) == 1 else None)


def _repeated_keys(table: MappedTable, keys: Sequence[Column], rows: sa.FromClause) -> sa.Select[Any]:
    """The keys that more than one of ``rows`` has, the first part as ``s_key``, and how many rows these are."""
    labelled = [key.label(f"s_key_{place}" if place else "s_key") for place, key in enumerate(keys)]
    read = sa.select(*labelled).select_from(rows).subquery("s_keys")
    many = sa.func.count()
    same = sa.select(*read.c, many.label("n")).group_by(*read.c).having(many > 1).cte("s_same")
    key = IdText(same.c.s_key, table.kind(SCHEMA[table.name].key[0]))
    says_something = clean_text(key, table.nothing).is_not(None)
    return sa.select(*same.prefix_with("MATERIALIZED").c).where(says_something)


def _surplus(engine: Engine, keys: sa.FromClause) -> int:
    return int(engine.run(sa.select(sa.func.sum(keys.c.n - 1)).select_from(keys))[0][0] or 0)


def written_key(table: MappedTable, name: str) -> Column:
    """A cell of the key as it is; in a column without type 7 and '7' are the same id."""
    cell = table.cell(name)
    return IdText(cell, "any") if table.kind(name) == "any" else cell


def _are_keys(engine: Engine, table: MappedTable, names: Sequence[str], cells: Sequence[Column]) -> bool:
    """Whether two cells of the key are the same key only if they are the same text."""
    texts = [name for name in names if table.kind(name) in {"text", "any"}]
    if any(kind_of(table.name, name) != "id" for name in texts):
        return False
    keys = [sa.cast(cell, sa.Text()) for name, cell in zip(names, cells, strict=True) if name in texts]
    unclean = [sa.func.sum(sa.case((key != TrimmedText(key), 1), else_=0)) for key in keys]
    return not unclean or not any(engine.run(sa.select(*unclean).select_from(table.rows))[0])
