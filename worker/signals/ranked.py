"""Measurements that need the order of an account's rows: the latest, the highest subscription, what has faded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from worker.signals.constructs import Column, SecondsUntil
from worker.signals.mapped_table import MappedTable
from worker.signals.measurements import Measurement
from worker.signals.reading.texts import IdText
from worker.signals.scan import QueryScope, Scan
from worker.signals.subscriptions import order_of


def latest_rows(scope: QueryScope, measurement: Measurement) -> sa.Select[Any]:
    """Per account: the value in the latest row that has one."""
    table = scope.table(measurement.table)
    rows, columns = Scan(scope, table, [measurement]).rows()
    row = columns[measurement.name]
    assert row.at is not None  # noqa: S101 - measurements without it are left out as unknown
    assert row.value is not None  # noqa: S101 - checked with the settings
    order = (row.at.desc(), row.value.desc())
    place = sa.func.row_number().over(partition_by=rows.c.s_account, order_by=order).label("s_place")
    counted = sa.select(rows.c.s_account, row.value.label("s_value"), place).where(row.counts, row.value.is_not(None))
    return _first(counted.subquery("s_ranked"), ["s_value"], table)


def faded_rows(scope: QueryScope, measurement: Measurement) -> sa.Select[Any]:
    """Per account: its rows, each counted half after every half-life, and of a day only the first so many."""
    table, decay = scope.table(measurement.table), measurement.decay
    assert decay is not None  # noqa: S101 - measured by this function only with one
    scan = Scan(scope, table, [measurement])
    rows, columns = scan.rows()
    row = columns[measurement.name]
    assert row.at is not None  # noqa: S101 - measurements without it are left out as unknown
    day = scan.keyed("decayed", rows)
    place = sa.func.row_number().over(partition_by=[rows.c.s_account, *day], order_by=row.at)
    left: Column = sa.literal(decay.per_day + 1, sa.Double()) - place
    whole = sa.case((left >= 1, sa.literal(1.0, sa.Double())), (left > 0, left), else_=sa.literal(0.0, sa.Double()))
    lives = SecondsUntil(row.at, scope.as_of) / sa.literal(decay.half_life.total_seconds(), sa.Double())
    each = whole * sa.func.power(sa.literal(0.5, sa.Double()), lives)
    counted = sa.select(rows.c.s_account, each.label("s_each")).where(row.counts).subquery("s_faded")
    found = sa.select(IdText(counted.c.s_account, table.kind("account_id")), sa.func.sum(counted.c.s_each))
    return found.group_by(counted.c.s_account)


def top_rows(scope: QueryScope, measurements: Sequence[Measurement]) -> sa.Select[Any]:
    """Per account: columns of the subscription that speaks for it, for measurements that count the same rows.

    Each value is followed by 1: an account without such a subscription has neither.
    """
    table = scope.table("subscriptions")
    by = order_of(table)
    rows, columns = Scan(scope, table, measurements).rows(by)
    order = [rows.c[f"s_by_{index}"].desc().nulls_last() for index in range(len(by))]
    place = sa.func.row_number().over(partition_by=rows.c.s_account, order_by=order).label("s_place")
    values: list[Column] = []
    for index, measurement in enumerate(measurements):
        value = columns[measurement.name].value
        assert value is not None  # noqa: S101 - checked with the settings
        values.append(value.label(f"s_value_{index}"))
    counted = sa.select(rows.c.s_account, *values, place).where(columns[measurements[0].name].counts)
    names = [name for index in range(len(measurements)) for name in (f"s_value_{index}", "s_place")]
    return _first(counted.subquery("s_ranked"), names, table)


def _first(ranked: sa.Subquery, names: Sequence[str], table: MappedTable) -> sa.Select[Any]:
    account = IdText(ranked.c.s_account, table.kind("account_id"))
    return sa.select(account, *(ranked.c[name] for name in names)).where(ranked.c.s_place == sa.literal_column("1"))
