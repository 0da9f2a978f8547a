"""Rows that were delivered more than once count once: the same key, the latest arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA
from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable
from worker.signals.rows import by


def keyed(table: MappedTable) -> list[Column]:
    """The columns that tell one row of ``table`` from another; empty where its key is not mapped."""
    names = SCHEMA[table.name].key
    return [table.value(name) for name in names if table.has(name)] if names and table.has(names[0]) else []


def once(table: MappedTable, as_of: datetime) -> MappedTable:
    """``table`` with every row once. Of repeated rows the latest that had arrived by ``as_of`` counts.

    Where several are the latest, what they differ in is in doubt; of events any of them counts. A row without a key is
    a row of its own.
    """
    if table.unique or not keyed(table):
        return table
    if table.name == "events":
        rows = _placed(table, as_of, sa.func.row_number()).subquery("s_events_placed")
        found = sa.select(*(rows.c[column.name] for column in table.cells())).where(_is_first(rows))
        return replace(table, rows=found.subquery("s_events"), read=frozenset())
    table = table.read_once()
    columns = frozenset(table.columns) - {*_ordered(table), *SCHEMA[table.name].key}
    found = _compared(table, sorted(columns), as_of)
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


def _placed(table: MappedTable, as_of: datetime, place: sa.Function[int], *more: Column) -> sa.Select[Any]:
    """The rows that had arrived, with the key and the place among those of this key."""
    keys = keyed(table)
    order = [table.read_time(name).desc().nulls_last() for name in _ordered(table)]
    placed = place.over(partition_by=keys, order_by=order or [keys[0]]).label("s_place")
    labelled = [key.label(f"s_key_{index}") for index, key in enumerate(keys)]
    found = sa.select(*table.cells(), *more, *labelled, placed).select_from(table.rows)
    if table.name == "events" and table.has("received_at"):
        received = table.time("received_at")
        found = found.where(sa.or_(received.is_(None), by(received, as_of)))
    return found


def _is_first(rows: sa.Subquery) -> Column:
    return sa.or_(rows.c.s_key_0.is_(None), rows.c.s_place == sa.literal_column("1"))


def _compared(table: MappedTable, columns: Sequence[str], as_of: datetime) -> sa.Select[Any]:
    """One of the latest rows of each key, the same whatever their order, and per column whether they differ in it."""
    read = [table.rows.c[f"s_read_{name}"] for name in sorted(table.read)]
    values = [sa.cast(table.value(name), sa.Text()).label(f"s_text_{name}") for name in columns]
    ranked = _placed(table, as_of, sa.func.rank(), *read, *values).subquery(f"s_{table.name}_ranked")
    latest = sa.select(*(column for column in ranked.c if column.name != "s_place")).where(_is_first(ranked))
    rows = latest.subquery(f"s_{table.name}_latest")
    key = [column for column in rows.c if column.name.startswith("s_key_")]
    texts = [rows.c[f"s_text_{name}"] for name in columns]
    flags = [_differ(text, key).label(f"s_differs_{name}") for name, text in zip(columns, texts, strict=True)]
    place = sa.func.row_number().over(partition_by=key, order_by=[*(text.nulls_last() for text in texts), *key])
    kept = [rows.c[column.name] for column in (*table.cells(), *read)]
    placed = sa.select(*kept, *flags, key[0], place.label("s_place")).subquery(f"s_{table.name}_placed")
    return sa.select(*(placed.c[column.name] for column in (*kept, *flags))).where(_is_first(placed))


def _differ(text: Column, key: Sequence[Column]) -> Column:
    """Whether the rows of one key differ in ``text``; a row without a key differs from none."""
    least, most = (function(text).over(partition_by=key) for function in (sa.func.min, sa.func.max))
    given, rows = (sa.func.count(*one).over(partition_by=key) for one in ((text,), ()))
    differ = sa.or_(least != most, given.between(1, rows - 1))
    return sa.case((key[0].is_(None), 0), (differ, 1), else_=0)
