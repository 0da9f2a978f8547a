"""How rows become a measurement: partial aggregates in SQL, and the last step in Python.

Every partial is an aggregate over rows that can be combined again, so the same measurement can be counted per account
at once, or per member first and then per account. Nothing is divided in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from worker.language.values import Value
from worker.settings.signals import OF_NUMBERS, AnyMeasure
from worker.signals.constructs import Column
from worker.signals.decode import integer, number

UNKNOWN_CURRENCY = "?"
"""Stands beside an amount that cannot be known."""

Finish = Callable[[Sequence[Any]], Value]


@dataclass(frozen=True, slots=True)
class Partial:
    """One aggregate over rows, and how two of them become one."""

    aggregate: Column
    combine: Callable[[Column], Column]


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The columns of one measurement on its rows: which count, and what is read from them."""

    counts: Column
    """True for the rows that count."""
    that: Column | None
    at: Column | None
    value: Column | None
    user: Column | None
    currency: Column | None = None
    """What an amount is counted in, NULL for a zero; None for values that are no amount."""


def partials(measure: AnyMeasure, row: RowColumns) -> list[Partial]:
    """The aggregates ``measure`` is made of, for measures that need no look at single members, days or rows."""
    if measure == "users":
        assert row.user is not None  # noqa: S101 - a measurement about users has them
        return [Partial(sa.func.max(_one(sa.and_(row.counts, row.user.is_not(None)))), sa.func.sum)]
    if measure == "ever":
        return [Partial(sa.func.max(_one(row.counts)), sa.func.max)]
    counted = Partial(sa.func.sum(_one(row.counts)), sa.func.sum)
    if measure == "count":
        return [counted]
    if measure == "share":
        assert row.that is not None  # noqa: S101 - checked with the settings
        known = Partial(sa.func.sum(_one(sa.and_(row.counts, row.that.is_not(None)))), sa.func.sum)
        return [known, Partial(sa.func.sum(_one(sa.and_(row.counts, row.that))), sa.func.sum)]
    read = row.at if measure in {"first", "last"} else row.value
    assert read is not None  # noqa: S101 - checked with the settings
    found = sa.case((row.counts, read))
    currencies = [] if row.currency is None else _lowest_and_highest(sa.case((row.counts, row.currency)))
    if measure in {"first", "lowest"}:
        return [_lowest_and_highest(found)[0], *currencies]
    if measure in {"last", "highest"}:
        return [_lowest_and_highest(found)[1], *currencies]
    if measure == "average":
        counted = Partial(sa.func.count(found), sa.func.sum)
    return [counted, Partial(sa.func.sum(found), sa.func.sum), *currencies]


def _lowest_and_highest(column: Column) -> list[Partial]:
    return [Partial(sa.func.min(column), sa.func.min), Partial(sa.func.max(column), sa.func.max)]


def _one(condition: Column) -> Column:
    # CASE, not FILTER: half the time on DuckDB.
    return sa.case((condition, sa.literal_column("1")), else_=sa.literal_column("0"))


def finish(measure: AnyMeasure, width: int) -> Finish:
    """The step from the ``width`` combined partials of one account to the measured value. All NULL: no row of it."""
    if measure in OF_NUMBERS and width > 2:
        return _in_one_currency(_finish(measure))
    return _finish(measure)


def _in_one_currency(inner: Finish) -> Finish:
    """Amounts in several currencies are never compared or added; neither is an unknown amount left out."""

    def finished(values: Sequence[Any]) -> Value:
        *parts, low, high = values
        return inner(parts) if low == high != UNKNOWN_CURRENCY else None

    return finished


def _finish(measure: AnyMeasure) -> Finish:
    if measure == "decayed":
        return lambda values: number(values[0]) or 0
    if measure in {"sum", "average", "share", "top_user_share", "roles"}:
        return {"sum": _sum, "average": _ratio, "share": _share, "top_user_share": _share, "roles": _roles}[measure]
    if measure in {"count", "users", "days", "user_days", "kinds"}:
        return _count
    if measure == "ever":
        return lambda values: bool(values[0])
    return lambda values: values[0]


def _count(values: Sequence[Any]) -> Value:
    return integer(values[0]) or 0


def _sum(values: Sequence[Any]) -> Value:
    """No rows is a true zero; rows that all leave the value out are unknown."""
    return number(values[1]) if values[0] else 0


def _ratio(values: Sequence[Any]) -> Value:
    count, total = integer(values[0]), number(values[1])
    return number(total / count) if count and total is not None else None


def _share(values: Sequence[Any]) -> Value:
    return _ratio((values[0], values[1] or 0))


def _roles(values: Sequence[Any]) -> Value:
    """Active people of whom no role is known leave the number of roles unknown."""
    people, roles = integer(values[0]) or 0, integer(values[1]) or 0
    return None if people and not roles else roles
