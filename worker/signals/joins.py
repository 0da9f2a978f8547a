"""How the rows of one table belong to the accounts or people of another."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA
from worker.signals.constructs import Column
from worker.signals.ids import in_another_case
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.reading.texts import IdText, clean_text
from worker.signals.repeated_rows import RECENT
from worker.signals.rows import before, not_before
from worker.signals.table_findings import JoinFindings, impersonal

_KEY_OF = {"parent_id": "account_id"}
"""A column with ids → the column of the other table with the same ids, where it has another name."""


def count_joined(
    catalogue: Catalogue, table: MappedTable, column: str, other: str, others: MappedTable | None, as_of: datetime
) -> tuple[JoinFindings, int]:
    """How many rows name somebody in ``column`` and how many of these are in ``others``, the table of ``other``.

    Rows of accounts that do not count are in neither number. Without ``others`` every row that names somebody joins.
    The second answer is the number of rows whose cell is not written as it is read. Raises SourceError.
    """
    key = _KEY_OF.get(column, column)
    out = catalogue.is_out(others, as_of) if others is not None and other == "accounts" else None
    row = catalogue.engine.run(_counts(table, column, None if others is None else _ids(others, key, out), as_of))[0]
    counts = (int(value or 0) for value in row[:8])
    given, joined, recent_given, recent_joined, blank, recent_blank, excluded, unclean = counts
    lost = others if joined < given else None
    found = JoinFindings(
        column=column,
        other=other,
        given=given,
        joined=joined,
        recent_given=recent_given,
        recent_joined=recent_joined,
        blank=blank,
        recent_blank=recent_blank,
        excluded=excluded,
        example=impersonal(row[8]),
        other_example=None if lost is None else _one_of(catalogue, lost, key),
        in_another_case=0 if lost is None else in_another_case(catalogue.engine, (table, column), (lost, key)),
    )
    return found, unclean


def _ids(others: MappedTable, key: str, out: Column | None) -> sa.Subquery:
    """Every id once, and whether no row of it counts."""
    number = sa.literal_column("0") if out is None else sa.case((out, 1), else_=0)
    id_ = others.id(key)
    rows = sa.select(id_.label("i"), sa.func.min(number).label("o")).select_from(others.rows).group_by(id_)
    return rows.subquery("s_ids")


def _counts(table: MappedTable, column: str, ids: sa.Subquery | None, as_of: datetime) -> sa.Select[tuple[object, ...]]:
    """Rows by key first, so that only distinct keys are cleaned and joined."""
    key = IdText(table.cell(column), table.kind(column))
    recent = sa.func.sum(sa.case((_is_recent(table, as_of), 1), else_=0))
    keys = (
        sa.select(key.label("k"), sa.func.count().label("n"), recent.label("r"))
        .select_from(table.rows)
        .group_by(key)
        .cte("s_keys")
        .prefix_with("MATERIALIZED")
    )
    clean = clean_text(keys.c.k, table.nothing)
    cleaned = sa.select(clean.label("c"), keys.c.k, keys.c.n, keys.c.r).subquery("s_cleaned")
    says = cleaned.c.c.is_not(None)
    joined: Column = sa.true()
    out: Column = sa.false()
    rows: sa.FromClause = cleaned
    if ids is not None:
        rows = cleaned.outerjoin(ids, ids.c.i == cleaned.c.c)
        joined, out = ids.c.i.is_not(None), sa.func.coalesce(ids.c.o, 0) == 1
    given = sa.and_(says, sa.not_(out))
    there = sa.and_(given, joined)
    blank = sa.not_(says)
    unclean = sa.and_(cleaned.c.k.is_not(None), sa.func.coalesce(cleaned.c.k != cleaned.c.c, sa.true()))
    parts = [(given, cleaned.c.n), (there, cleaned.c.n), (given, cleaned.c.r), (there, cleaned.c.r)]
    parts += [(blank, cleaned.c.n), (blank, cleaned.c.r), (out, cleaned.c.n), (unclean, cleaned.c.n)]
    sums: list[Column] = [sa.func.sum(sa.case((test, number), else_=0)) for test, number in parts]
    lost = sa.func.min(sa.case((sa.and_(given, sa.not_(joined)), cleaned.c.c)))
    return sa.select(*sums, lost).select_from(rows)


def _is_recent(table: MappedTable, as_of: datetime) -> Column:
    at = SCHEMA[table.name].at
    if at is None or not table.has(at):
        return sa.false()
    time = table.time(at)
    return sa.and_(not_before(time, as_of - RECENT), before(time, as_of))


def _one_of(catalogue: Catalogue, others: MappedTable, key: str) -> str | None:
    row = catalogue.engine.run(sa.select(sa.func.min(others.id(key))).select_from(others.rows))[0]
    return impersonal(row[0])
