"""One look at all mapped tables before anything is measured: what can be read, believed and joined.

Columns that turn out to be sound are taken as they are from then on, so that good data costs nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA, kind_of
from worker.signals.constructs import Column, MomentLiteral
from worker.signals.contradictions import count_contradictions, incomparable_amounts, reversed_dates
from worker.signals.data_report import DataReport
from worker.signals.decode import moment as as_moment
from worker.signals.ids import count_accounts
from worker.signals.inexact_ids import check_exact
from worker.signals.joins import count_joined
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.marked_rows import amount_in_hundredths, marked_rows
from worker.signals.occurrences import occurrences
from worker.signals.property_kinds import unreadable_properties
from worker.signals.repeated_rows import repeated_rows
from worker.signals.repeats import count_repeats
from worker.signals.shared_keys import count_shared
from worker.signals.silent_days import silent_days
from worker.signals.snapshots import count_snapshots
from worker.signals.stopped import stopped_events
from worker.signals.stopped_properties import stopped_properties
from worker.signals.table_columns import EARLIEST
from worker.signals.table_findings import (
    ColumnFindings,
    JoinFindings,
    RepeatedRows,
    TableFindings,
    example_of,
)
from worker.signals.user_rows import LATEST, count_undecided
from worker.signals.volume import volume_of
from worker.signals.windows import last_full_day
from worker.signals.word_lists import with_lists
from worker.telemetry.steps import report_step

_A_DAY = timedelta(days=1)


def survey(catalogue: Catalogue, as_of: datetime) -> DataReport:
    """Look at every mapped table and remember which columns are sound. Raises SourceError."""
    found = []
    mapped = [name for name, one in catalogue.product.mapped().items() if not one.from_]
    for number, name in enumerate(mapped, 1):
        table = catalogue.as_mapped(name)
        if table is not None:
            report_step(f"checking table {name}", number, len(mapped))
            with catalogue.naming(name):
                found.append(_Look(catalogue, table, as_of).findings())
    accounts = catalogue.as_mapped("accounts")
    total, twice, one_twice = (0, 0, None) if accounts is None else count_accounts(catalogue.engine, accounts)
    events = occurrences(catalogue, as_of)
    zone = catalogue.product.zone
    last_day = last_full_day(as_of, zone)
    return DataReport(
        as_of=as_of,
        tables=tuple(found),
        volume=volume_of(catalogue, events, as_of),
        events=events.by_name,
        accounts=total,
        accounts_twice=twice,
        account_twice=one_twice,
        stopped=stopped_events(events.by_name, last_day),
        stopped_properties=stopped_properties(catalogue, events.by_name, as_of),
        silent=silent_days(events.days, last_day, zone, catalogue.product.trust.lost),
        last_day=last_day,
    )


class _Look:
    """The look at one table."""

    def __init__(self, catalogue: Catalogue, table: MappedTable, as_of: datetime) -> None:
        self.catalogue, self.table, self.as_of = catalogue, table, as_of
        self.sound: set[str] = set()
        self.no_text: set[str] = set()

    def findings(self) -> TableFindings:
        """What was found. Afterwards the catalogue knows which columns are sound."""
        check_exact(self.catalogue.engine, self.table)
        table = with_lists(self.catalogue.engine, self.catalogue.materialized(self._believable_times()))
        self.table = table.read_once()
        rows, newest, missing, columns = self._cells()
        joins, blank = self._joins()
        repeats = count_repeats(self.catalogue.engine, self.table)
        repeated = self._repeated(rows, joins)
        table = repeats.known_of(table)
        self.table = replace(repeats.known_of(self.table), unique=not repeats.rows)
        contradictions = count_contradictions(self.catalogue, self.table, self.as_of)
        out_of_order = reversed_dates(self.catalogue, self.table)
        snapshots = count_snapshots(self.catalogue.engine, self.table)
        undecided, deleted_twice = self._deleted_people()
        unique = not (repeats.rows or deleted_twice or snapshots)
        looked = replace(table, unique=unique, in_order=not out_of_order)
        self.catalogue.remember(replace(looked, sound=frozenset(self.sound), no_text=frozenset(self.no_text)))
        return TableFindings(
            name=self.table.name,
            rows=rows,
            newest=newest,
            missing={**missing, **blank},
            repeats=repeats.rows,
            repeated=repeated,
            snapshots=snapshots,
            shared_keys=count_shared(self.catalogue.engine, self.table, repeats.rows),
            columns=(*columns, *self._of_several_columns()),
            joins=tuple(joins),
            reversed=out_of_order,
            contradictions={**contradictions, **undecided},
            marked=tuple(marked_rows(self.catalogue.engine, self.table, self.as_of)),
            in_hundredths=amount_in_hundredths(self.table),
        )

    def _repeated(self, rows: int, joins: list[JoinFindings]) -> RepeatedRows | None:
        recent = max((join.recent_given + join.recent_blank for join in joins if join.other == "accounts"), default=0)
        table = replace(self.table, sound=frozenset(self.sound))
        return repeated_rows(self.catalogue, table, self.as_of, rows, recent)

    def _deleted_people(self) -> tuple[dict[str, int], bool]:
        """The rows of users that leave undecided whether a person is deleted; whether any deleted one has several."""
        if self.table.name != "users":
            return {}, False
        rows, several = count_undecided(self.catalogue.engine, self.table, self.as_of)
        known = "none is the latest" if self.table.has(LATEST) else f"map {LATEST}, then the latest counts"
        return {f"deleted in one row of a person and not in another ({known})": rows}, several

    def _of_several_columns(self) -> Iterator[ColumnFindings]:
        yield from incomparable_amounts(self.catalogue, self.table, self.as_of)
        if self.table.name == "events":
            yield from unreadable_properties(self.catalogue.engine, self.table, self.catalogue.typed_properties)

    def _run(self, statement: sa.Select[Any]) -> Any:
        return self.catalogue.engine.run(statement)

    def _believable_times(self) -> MappedTable:
        """The table, with times of the engine's own kind as sound whose first and last cell are believed."""
        names = [name for name, column in self.table.columns.items() if column.kind in {"time", "naive", "date"}]
        names = [name for name in names if kind_of(self.table.name, name) == "time"]
        asked: list[Column] = []
        for name in names:
            cell = self.table.cell(name)
            asked.append(sa.func.min(cell) > MomentLiteral(EARLIEST + _A_DAY))
            asked.append(sa.func.max(cell) < MomentLiteral(self.table.latest - _A_DAY))
        row = self._run(sa.select(*asked).select_from(self.table.rows))[0] if asked else ()
        within = [bound is None or bool(bound) for bound in row]
        self.sound |= {name for place, name in enumerate(names) if all(within[2 * place : 2 * place + 2])}
        return replace(self.table, sound=frozenset(self.sound))

    def _cells(self) -> tuple[int, datetime | None, dict[str, int], tuple[ColumnFindings, ...]]:
        """Rows, the newest, rows without a required value, and the columns with cells that are not used."""
        table, at = self.table, SCHEMA[self.table.name].at
        names = [name for name in table.columns if name not in table.sound and self._is_read(name)]
        joined = {name for name, _, _ in self._joinable()}
        required = [name for name in SCHEMA[self.table.name].required if name not in joined]
        asked: list[Column] = [sa.func.count(), sa.func.max(table.time(at)) if at and table.has(at) else sa.null()]
        asked += [_many(table.value(name).is_(None)) for name in required]
        for name in names:
            tests = (table.unreadable(name), table.disbelieved(name), table.unlimited(name), table.never(name))
            asked += [_many(test) for test in tests]
        row = self._run(sa.select(*asked).select_from(table.rows))[0]
        counts = [int(value or 0) for value in row[2:]]
        missing = dict(zip(required, counts, strict=False))
        self.sound -= {name for name, rows in missing.items() if rows}
        found = []
        for place, name in enumerate(names):
            start = len(required) + 4 * place
            unreadable, disbelieved, unlimited, never = counts[start : start + 4]
            if kind_of(table.name, name) in {"id", "text"}:
                self.no_text |= {name} if unreadable else set()
            elif not (unreadable or disbelieved or unlimited or never or missing.get(name)):
                self.sound.add(name)
            if unreadable or disbelieved or unlimited:
                example = self._example(name) if unreadable else None
                found.append(ColumnFindings(name, unreadable, disbelieved, unlimited, example=example))
        return int(row[0]), as_moment(row[1]), missing, tuple(found)

    def _is_read(self, name: str) -> bool:
        """Whether cells of a column may be unreadable; text is text but in SQLite, and what is copied from there."""
        if name in SCHEMA[self.table.name].single:
            return True
        if kind_of(self.table.name, name) in {"id", "text"}:
            lite = self.catalogue.several is not None or self.catalogue.engine.name == "sqlite"
            return lite and self.table.kind(name) in {"any", "text"}
        return True

    def _example(self, name: str) -> str | None:
        """One unreadable cell; nothing of a column whose cells may be about a person."""
        if kind_of(self.table.name, name) in {"json", "id", "text"}:
            return None
        cell = sa.cast(self.table.cell(name), sa.Text())
        unreadable = self.table.unreadable(name)
        assert unreadable is not None  # noqa: S101 - cells of this column were found to be
        row = self._run(sa.select(sa.func.min(cell)).select_from(self.table.rows).where(unreadable))[0]
        return example_of(row[0])

    def _joins(self) -> tuple[list[JoinFindings], dict[str, int]]:
        """How the table joins to others, and per required column of ids or names the rows that have none."""
        found, without = [], {}
        for column, other, others in self._joinable():
            join, unclean = count_joined(self.catalogue, self.table, column, other, others, self.as_of)
            if column in SCHEMA[self.table.name].required:
                without[column] = join.blank
            if not unclean and not without.get(column):
                self.sound.add(column)
            if others is not None:
                found.append(join)
        return found, without

    def _joinable(self) -> Iterator[tuple[str, str, MappedTable | None]]:
        """Columns with ids or names, what their values belong to, and the table of these; None where there is none."""
        table, as_mapped = self.table, self.catalogue.as_mapped
        if table.has("account_id"):
            yield "account_id", "accounts", None if table.name == "accounts" else as_mapped("accounts")
        if table.has("user_id"):
            yield "user_id", "users", None if table.name == "users" else as_mapped("users")
        if table.has("parent_id") and self.catalogue.product.account.level == "parent":
            yield "parent_id", "parents", as_mapped("accounts")
        if table.name == "events":
            yield "name", "events", None


def _many(test: Column | None) -> Column:
    """The number of rows for which ``test`` holds; 0 for a test that cannot hold."""
    return sa.literal_column("0") if test is None else sa.func.sum(sa.case((test, 1), else_=0))
