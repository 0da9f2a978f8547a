"""The rows some measurements are counted from: one pass over a table, with one column per distinct test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from worker.settings.product_schema import AMOUNTS
from worker.settings.signals import OF_NUMBERS
from worker.signals.aggregates import RowColumns
from worker.signals.constructs import Column, DayOf, Kind
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.measurements import Measurement, Tests
from worker.signals.members import counted_members
from worker.signals.money import amount, currency_of
from worker.signals.repeats import once
from worker.signals.rows import arrived, before, in_force, not_before, of_others, passes, started
from worker.signals.source_columns import SourceColumn
from worker.signals.subscriptions import subscriptions_at
from worker.signals.table_columns import EARLIEST
from worker.signals.windows import offsets


@dataclass(frozen=True, slots=True)
class QueryScope:
    """What all measurements of one query have in common."""

    catalogue: Catalogue
    as_of: datetime
    accounts: frozenset[str] | None = None

    _worked_out: dict[str, MappedTable] = field(default_factory=dict, repr=False, compare=False)

    def table(self, name: str) -> MappedTable:
        """A mapped table, the ones taken from the events included.

        Subscriptions are as they were at ``as_of``; memberships are those of people who count.
        """
        if name not in self._worked_out:
            self._worked_out[name] = self._work_out(name)
        return self._worked_out[name]

    def _work_out(self, name: str) -> MappedTable:
        found = self.catalogue.table(name)
        found = from_events(self) if found is None else once(found, self.as_of)
        if name == "memberships":
            return counted_members(found, self.catalogue, self.as_of)
        if name == "subscriptions":
            return subscriptions_at(found, self.as_of, self.catalogue.product.grace)
        return found


def from_events(scope: QueryScope) -> MappedTable:
    """Whoever appears in the events, since they first did, as memberships."""
    events = scope.catalogue.events
    user = [] if not events.has("user_id") else [events.id("user_id").label("user_id")]
    grouped = [events.raw(name) for name in ("account_id", "user_id") if events.has(name)]
    first = sa.func.min(events.time("occurred_at")).label("added_at")
    seen = sa.select(events.id("account_id").label("account_id"), *user, first).select_from(events.rows)
    seen = seen.group_by(*grouped).where(
        *arrived(events, scope.catalogue, scope.as_of), *(column.is_not(None) for column in grouped)
    )
    kinds: dict[str, Kind] = {"account_id": "text", "added_at": "time", "user_id": "text"}
    columns = {name: SourceColumn(name, kinds[name], ready=True) for name in kinds if name != "user_id" or user}
    return MappedTable(
        name="memberships", rows=seen.subquery("s_memberships"), columns=columns, sound=frozenset(columns)
    )


@dataclass(slots=True)
class Scan:
    """Rows of ``table`` for ``measurements``, as a subquery with ``s_account``, ``s_user`` and the tested columns."""

    scope: QueryScope
    table: MappedTable
    measurements: Sequence[Measurement]
    _columns: dict[str, Column] = field(default_factory=dict)
    _labels: dict[str, str] = field(default_factory=dict)

    def rows(self, order: Sequence[Column] = ()) -> tuple[sa.Subquery, Mapping[str, RowColumns]]:
        """The subquery, and per measurement by name which columns to use. ``order`` comes out as ``s_by_N``."""
        plans = {measurement.name: self._plan(measurement) for measurement in self.measurements}
        needs_user = self.table.has("user_id")
        columns = [self.table.raw("account_id").label("s_account")]
        columns += [self.table.raw("user_id").label("s_user")] if needs_user else []
        columns += [column.label(label) for label, column in self._columns.items()]
        columns += [column.label(f"s_by_{index}") for index, column in enumerate(order)]
        rows = sa.select(*columns).select_from(self.table.rows).where(*self._where()).subquery("s_rows")
        named = {
            measurement.name: self._row_columns(measurement, plans[measurement.name], rows)
            for measurement in self.measurements
        }
        return rows, named

    def keyed(self, measure: str, rows: sa.Subquery) -> list[Column]:
        """What is counted once per account for ``days``, ``user_days`` and ``kinds``; the day of ``decayed``."""
        parts = {"days": ["day"], "decayed": ["day"], "user_days": ["user", "day"], "kinds": ["name"]}[measure]
        return [rows.c.s_user if part == "user" else rows.c[self._labels[part]] for part in parts]

    def _plan(self, measurement: Measurement) -> dict[str, str | None]:
        if measurement.measure in {"days", "user_days", "decayed"}:
            self._take("day", self._day(measurement))
        if measurement.measure == "kinds":
            self._take("name", self.table.text("name"))
        value, currency = self._value(measurement)
        at = None
        if measurement.at is not None and self.table.has(measurement.at):
            at = self._take(f"at {measurement.at}", self.table.time(measurement.at))
        test = self._take(
            f"test {measurement.current} {measurement.events} {measurement.where}", self._test(measurement)
        )
        that = self._take(f"that {measurement.that}", self._tests(measurement.that)) if measurement.that else None
        return {"test": test, "that": that, "at": at, "value": value, "currency": currency}

    def _value(self, measurement: Measurement) -> tuple[str | None, str | None]:
        """The column that is read and, of an amount, the one with its currency."""
        column, product = measurement.column, self.scope.catalogue.product
        if column is None or measurement.measure == "top_user":
            return None, None
        if AMOUNTS.get(self.table.name) == column:
            currency = self._take("currency", currency_of(self.table, product, self.scope.as_of))
            return self._take(f"number {column}", amount(self.table, product, self.scope.as_of)), currency
        if measurement.measure in OF_NUMBERS:
            return self._take(f"number {column}", self.table.number(column)), None
        return self._take(f"value {column}", self.table.value(column)), None

    def _take(self, key: str, column: Column) -> str:
        if key not in self._labels:
            self._labels[key] = f"s_{len(self._labels)}"
            self._columns[self._labels[key]] = column
        return self._labels[key]

    def _test(self, measurement: Measurement) -> Column:
        parts = [self._tests(measurement.where)]
        if measurement.events is not None:
            parts.append(self.table.text("name").in_(measurement.events))
        if measurement.current:
            parts.append(in_force(self.table, self.scope.as_of))
        elif not measurement.by_time:
            parts.append(started(self.table, self.scope.as_of))
        return sa.and_(sa.true(), *parts)

    def _tests(self, tests: Tests) -> Column:
        return sa.and_(sa.true(), *(passes(self.table, column, test, self.scope.as_of) for column, test in tests))

    def _day(self, measurement: Measurement) -> Column:
        product = self.scope.catalogue.product
        shifts = []
        if product.time_zone != "UTC" and self.scope.catalogue.engine.name == "sqlite":
            shifts = offsets(product.zone, max(measurement.window.start or EARLIEST, EARLIEST), self.scope.as_of)
        return DayOf(self.table.time(str(measurement.at)), product.time_zone, shifts)

    def _where(self) -> list[Column]:
        parts: list[Column] = []
        if self.table.name == "events":
            parts += arrived(self.table, self.scope.catalogue, self.scope.as_of)
        elif self.table.name != "memberships":
            parts += of_others(self.table, self.scope.catalogue)
        starts = [
            measurement.window.start
            for measurement in self.measurements
            if measurement.bounded and measurement.window.start is not None
        ]
        if starts and len(starts) == len(self.measurements):
            parts.append(not_before(self.table.time(str(self.measurements[0].at)), min(starts)))
        names = {name for measurement in self.measurements for name in measurement.events or ()}
        if names and all(measurement.events is not None for measurement in self.measurements):
            parts.append(self.table.text("name").in_(sorted(names)))
        if self.scope.accounts is not None:
            parts.append(self.table.id("account_id").in_(sorted(self.scope.accounts)))
        return parts

    def _row_columns(self, measurement: Measurement, plan: Mapping[str, str | None], rows: sa.Subquery) -> RowColumns:
        test, that, at, value, currency = (rows.c[label] if label else None for label in plan.values())
        assert test is not None  # noqa: S101 - every measurement has one
        parts: list[Column] = [test]
        if at is not None and measurement.by_time:
            parts.append(before(at, measurement.window.end))
            if measurement.window.start is not None:
                parts.append(not_before(at, measurement.window.start))
        user = rows.c.s_user if self.table.has("user_id") else None
        return RowColumns(sa.and_(*parts), that, at, value, user, currency)
