"""Subscriptions without an id that are there again for each day: their amounts do not add up."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from worker.settings.product_schema import mappable
from worker.signals.constructs import Column
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable

AGAIN = "s_there_again"
_TOLD_BY = ("account_id", "product", "plan", "currency", "mrr", "term_end", "trial_end", "ended_at", "cancelled_at")
_MANY = 4
"""So many rows that differ only in when they start, seats and status are days of one subscription."""


def with_again(table: MappedTable) -> MappedTable:
    """The subscriptions with `AGAIN`, 1 for a row that may be another one's snapshot; as they are where an id tells.

    Such a row is the same in every column, or one of many of the same price and end.
    """
    if table.name != "subscriptions" or table.unique or table.has("sub_id"):
        return table
    mapped = sorted(table.columns.keys() & mappable("subscriptions") - {"updated_at"})
    same, alike = (_rows_with_the_same(table, names) for names in (mapped, [*filter(table.has, _TOLD_BY)]))
    again = sa.case((sa.or_(same > 1, alike >= _MANY), 1), else_=0).label(AGAIN)
    return replace(table, rows=sa.select(*table.rows.c, again).select_from(table.rows).subquery("s_snapshots"))


def _rows_with_the_same(table: MappedTable, names: list[str]) -> Column:
    return sa.func.count().over(partition_by=[table.value(name) for name in names])


def count_snapshots(engine: Engine, table: MappedTable) -> int:
    """How many subscriptions may be snapshots of one another. Raises SourceError."""
    found = with_again(replace(table, unique=False)).rows
    if AGAIN not in found.c:
        return 0
    return int(engine.run(sa.select(sa.func.sum(found.c[AGAIN])).select_from(found))[0][0] or 0)
