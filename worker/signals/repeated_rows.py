"""Rows that stand there more than once without an id that tells so: it is not mapped, or each delivery has its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA
from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.reading.texts import JsonOf, written_text
from worker.signals.rows import before, not_before
from worker.signals.table_findings import RepeatedRows

RECENT = timedelta(days=28)
_MOST_ROWS = 50_000
"""With more, only recent rows of some accounts are compared: of ten million this takes a tenth of the look."""
_FEWEST_ACCOUNTS, _MOST_ACCOUNTS = 20, 1_000
"""Databases limit the parameters of a query: 32,766 in SQLite, 65,535 in PostgreSQL."""
_ENOUGH = 20
"""So many different rows, nearly all of them there two or four times, are no chance: a file was loaded twice."""
_ODD = 0.05


def repeated_rows(
    catalogue: Catalogue, table: MappedTable, as_of: datetime, rows: int, recent: int
) -> RepeatedRows | None:
    """How many rows repeat another in every column, or in every one but their id; None where no row has a time.

    ``rows`` are those of the table, ``recent`` those of `RECENT`. Raises SourceError.
    """
    schema = SCHEMA[table.name]
    if not schema.repeatable or schema.at is None or not table.has(schema.at):
        return None
    at, keyed = table.time(schema.at), table.has(schema.key[0])
    found = sa.select(*_cells(table), at.label("s_at")).select_from(table.rows).where(before(at, as_of))
    if keyed:
        found = found.add_columns(table.id(schema.key[0]).label("s_id"))
    some, of = None, None
    if rows > _MOST_ROWS:
        found = found.where(not_before(at, as_of - RECENT))
        if recent > _MOST_ROWS:
            some, of = _some_accounts(catalogue, _MOST_ROWS / recent)
            found = found.where(table.id("account_id").in_(some))
    each = _different(found)
    asked = [
        sa.func.sum(each.c.n),
        sa.func.sum(each.c.n - 1),
        sa.func.sum(sa.case((_has_fraction(each.c.s_at), each.c.n - 1), else_=0)),
        sa.func.sum(sa.case((each.c.n % 2 == 1, each.c.n), else_=0)),
        sa.func.count(),
    ]
    counts = [int(count or 0) for count in catalogue.engine.run(sa.select(*asked))[0]]
    looked_at, repeats, exact, odd, different = counts
    all_twice = different >= _ENOUGH and odd <= _ODD * looked_at
    return RepeatedRows(
        rows=looked_at,
        repeats=repeats,
        certain=repeats if all_twice else exact,
        under_other_ids=keyed,
        recent=rows > _MOST_ROWS,
        accounts=None if some is None else len(some),
        of_accounts=of,
    )


def _different(rows: sa.Select[Any]) -> sa.Subquery:
    """The rows that differ in more than their id: the time ``s_at``, and how many there are, ``n``.

    Rows with one id count once, and those without any each for itself.
    """
    cells = rows.subquery("s_rows_of_table")
    many, id_ = sa.func.count(), cells.c.get("s_id")
    once: Column = many if id_ is None else sa.case((id_.is_(None), many), else_=1)
    ids = sa.select(*cells.c, once.label("s_n")).group_by(*cells.c).subquery("s_ids_of_rows")
    number = sa.cast(sa.func.sum(ids.c.s_n), sa.BigInteger())
    same = [column for column in ids.c if column.name not in {"s_id", "s_n"}]
    return sa.select(ids.c.s_at, number.label("n")).group_by(*same).subquery("s_each_row")


def _cells(table: MappedTable) -> Iterator[Column]:
    """The cells in which two deliveries of a row are the same."""
    schema = SCHEMA[table.name]
    for name in sorted(table.columns.keys() - {schema.at, schema.latest, schema.key[0]}):
        cell, kind = table.cell(name), table.kind(name)
        # PostgreSQL cannot compare its json, which is a kind of text.
        if kind in {"text", "json", "struct", "list"}:
            cell = sa.cast(cell if kind == "text" else JsonOf(cell, kind), sa.Text())
        yield cell.label(f"s_cell_{name}")


def _has_fraction(moment: Column) -> Column:
    """Whether a moment is more exact than its second: people and machines do the same thing twice in a second."""
    return sa.cast(moment, sa.Text()).like(written_text("%.%"))


def _some_accounts(catalogue: Catalogue, share: float) -> tuple[list[str], int]:
    """The ids of a share of the accounts, always the same ones, and how many accounts there are."""
    accounts = catalogue.as_mapped("accounts")
    if accounts is None:
        return [], 0
    id_ = accounts.id("account_id")
    rows = catalogue.engine.run(sa.select(id_).select_from(accounts.rows).where(id_.is_not(None)).distinct())
    ids = sorted((str(row[0]) for row in rows), key=lambda one: (crc32(one.encode()), one))
    return ids[: min(max(ceil(share * len(ids)), _FEWEST_ACCOUNTS), _MOST_ACCOUNTS)], len(ids)
