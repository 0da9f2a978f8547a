"""Measurements → one SELECT that answers one row per account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from worker.signals.accounts import account_columns, account_rows
from worker.signals.aggregates import Finish, Partial, finish, partials
from worker.signals.constructs import Column
from worker.signals.deleted_people import remaining
from worker.signals.doubt import doubt_members, doubt_rows
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.measurements import Measurement
from worker.signals.people import role_rows, share_rows, top_user_rows
from worker.signals.ranked import faded_rows, latest_rows, top_rows
from worker.signals.reading.texts import IdText
from worker.signals.scan import QueryScope, Scan

_KEYED = frozenset({"days", "user_days", "kinds"})
_ALONE: dict[str, Callable[[QueryScope, Measurement], sa.Select[Any]]] = {
    "roles": role_rows,
    "top_user_share": share_rows,
    "top_user": top_user_rows,
    "latest": latest_rows,
    "decayed": faded_rows,
}


@dataclass(frozen=True, slots=True)
class ColumnMeasurement:
    """The columns of a measurement in a row of the query, and the step from there to its value."""

    measurement: Measurement
    positions: tuple[int, ...]
    finish: Finish


@dataclass(frozen=True, slots=True)
class Query:
    """The whole question. The first columns are the account's own, by ``account_columns``."""

    statement: sa.Select[Any]
    account_columns: tuple[tuple[str, str], ...]
    """Name and kind of each."""
    answers: tuple[ColumnMeasurement, ...]
    doubts: Mapping[str, Sequence[int]]
    """By measurement, the columns that are 1 for accounts of which it cannot be known."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """One pass over a table: per account, columns for each of its measurements. The first column is the account."""

    select: sa.Select[Any]
    measurements: Sequence[tuple[Measurement, int]]
    of_doubt: bool = False
    """Whether the columns say that a measurement is in doubt, not what it is."""


def compile_query(
    catalogue: Catalogue, measurements: Sequence[Measurement], as_of: datetime, accounts: frozenset[str] | None = None
) -> Query:
    """One SELECT for all ``measurements``; ``accounts`` limits it to some account ids."""
    scope = QueryScope(catalogue, as_of, accounts)
    own = account_columns(catalogue)
    base = account_rows(scope, own).cte("s_accounts")
    joined: sa.FromClause = base
    columns: list[Column] = list(base.c)
    answers: list[ColumnMeasurement] = []
    doubts: dict[str, list[int]] = {}
    for index, stage in enumerate(_stages(scope, measurements)):
        labels = [f"s_{index}_{position}" for position in range(len(stage.select.selected_columns))]
        named = [column.label(label) for column, label in zip(stage.select.selected_columns, labels, strict=True)]
        cte = stage.select.with_only_columns(*named, maintain_column_froms=True).cte(f"s_stage_{index}")
        joined = joined.outerjoin(cte, cte.c[labels[0]] == base.c.s_id)
        taken = 1
        for measurement, width in stage.measurements:
            positions = tuple(range(len(columns), len(columns) + width))
            columns += [cte.c[label] for label in labels[taken : taken + width]]
            if stage.of_doubt:
                doubts.setdefault(measurement.name, []).append(positions[0])
            else:
                answers.append(ColumnMeasurement(measurement, positions, finish(measurement.measure, width)))
            taken += width
    return Query(sa.select(*columns).select_from(joined), own, tuple(answers), doubts)


def _stages(scope: QueryScope, measurements: Sequence[Measurement]) -> Iterator[_Stage]:
    for group in _grouped(measurements, lambda measurement: (measurement.table,)):
        for doubted in (doubt_rows(scope, group), doubt_members(scope, group)):
            if doubted is not None:
                yield _Stage(doubted[0], [(measurement, 1) for measurement in doubted[1]], of_doubt=True)
    for measurement in measurements:
        if measurement.measure in _ALONE:
            width = 2 if measurement.measure in {"roles", "top_user_share"} else 1
            yield _Stage(_ALONE[measurement.measure](scope, measurement), [(measurement, width)])
    for group in _grouped((measurement for measurement in measurements if measurement.measure == "top"), _same_rows):
        yield _Stage(top_rows(scope, group), [(measurement, 2) for measurement in group])
    plain = [
        measurement
        for measurement in measurements
        if measurement.measure not in _ALONE and measurement.measure != "top"
    ]
    member_first = scope.catalogue.engine.member_first
    # Bounded windows and "ever" in one pass cost 2.6 times as much as one pass each.
    counted = [measurement for measurement in plain if not (member_first and measurement.measure in _KEYED)]
    for group in _grouped(counted, lambda measurement: (measurement.table, measurement.bounded)):
        yield _counted(scope, group)
    keyed = [measurement for measurement in plain if member_first and measurement.measure in _KEYED]
    for group in _grouped(
        keyed, lambda measurement: (measurement.table, measurement.measure, measurement.at or "", measurement.bounded)
    ):
        yield _keyed(scope, group)


def _grouped(
    measurements: Iterable[Measurement], key: Callable[[Measurement], tuple[Any, ...]]
) -> list[list[Measurement]]:
    return [list(group) for _, group in groupby(sorted(measurements, key=key), key=key)]


def _same_rows(measurement: Measurement) -> tuple[str, ...]:
    return (repr(measurement.current), repr(measurement.where), repr(measurement.window), repr(measurement.at))


def _counted(scope: QueryScope, measurements: Sequence[Measurement]) -> _Stage:
    """Everything that one pass over the rows of an account gives."""
    table = scope.table(measurements[0].table)
    scan = Scan(scope, table, measurements)
    rows, columns = scan.rows()
    parts: list[tuple[Measurement, list[Partial]]] = []
    for measurement in measurements:
        row = columns[measurement.name]
        if measurement.measure in _KEYED:
            counts = row.counts
            if measurement.measure == "user_days":
                counts = sa.and_(counts, remaining(scope, table, rows))
            parts.append(
                (measurement, [Partial(_distinct(counts, scan.keyed(measurement.measure, rows)), sa.func.sum)])
            )
        elif measurement.measure == "users" and not scope.catalogue.engine.member_first:
            counts = sa.and_(row.counts, remaining(scope, table, rows))
            parts.append((measurement, [Partial(_distinct(counts, [rows.c.s_user]), sa.func.sum)]))
        else:
            parts.append((measurement, partials(measurement.measure, row)))
    widths = [(measurement, len(some)) for measurement, some in parts]
    if scope.catalogue.engine.member_first and any(measurement.measure == "users" for measurement in measurements):
        return _Stage(_by_member(scope, table, rows, parts), widths)
    aggregates = (partial.aggregate for _, some in parts for partial in some)
    found = sa.select(IdText(rows.c.s_account, table.kind("account_id")), *aggregates)
    return _Stage(found.group_by(rows.c.s_account), widths)


def _by_member(
    scope: QueryScope, table: MappedTable, rows: sa.Subquery, parts: Sequence[tuple[Measurement, list[Partial]]]
) -> sa.Select[Any]:
    """Column stores: the rows of each person first, then the people of each account."""
    partial = [(measurement.measure == "users", one) for measurement, some in parts for one in some]
    labelled = [one.aggregate.label(f"s_p{index}") for index, (_, one) in enumerate(partial)]
    person = (rows.c.s_account, rows.c.s_user)
    members = sa.select(*person, *labelled).group_by(*person).subquery("s_members")
    counts = sa.case((remaining(scope, table, members), 1), else_=0)
    combined = [
        one.combine(members.c[f"s_p{index}"] * counts if of_people else members.c[f"s_p{index}"])
        for index, (of_people, one) in enumerate(partial)
    ]
    found = sa.select(IdText(members.c.s_account, table.kind("account_id")), *combined)
    return found.group_by(members.c.s_account)


def _distinct(counts: Column, keys: Sequence[Column]) -> Column:
    """Row stores: COUNT(DISTINCT …) of the rows that count. The day goes first: two keys never run together."""
    if len(keys) == 1:
        return sa.func.count(sa.case((counts, keys[0])).distinct())
    together = sa.cast(keys[1], sa.Text()).concat(sa.literal("|", sa.Text())).concat(sa.cast(keys[0], sa.Text()))
    return sa.func.count(sa.case((counts, together)).distinct())


def _keyed(scope: QueryScope, measurements: Sequence[Measurement]) -> _Stage:
    """Column stores: one row per account and day (or person and day, or event name) first, then count those."""
    table = scope.table(measurements[0].table)
    scan = Scan(scope, table, measurements)
    rows, columns = scan.rows()
    keys = scan.keyed(measurements[0].measure, rows)
    known = [key.is_not(None) for key in keys]
    flags = [
        sa.func.max(sa.case((columns[measurement.name].counts, sa.literal_column("1")), else_=sa.literal_column("0")))
        for measurement in measurements
    ]
    once = (
        sa.select(rows.c.s_account, *keys, *(flag.label(f"s_k{index}") for index, flag in enumerate(flags)))
        .where(*known)
        .group_by(rows.c.s_account, *keys)
        .subquery("s_once")
    )
    sums = [sa.func.sum(once.c[f"s_k{index}"]) for index in range(len(measurements))]
    found = sa.select(IdText(once.c.s_account, table.kind("account_id")), *sums).group_by(once.c.s_account)
    if measurements[0].measure == "user_days":
        found = found.where(remaining(scope, table, once))
    return _Stage(found, [(measurement, 1) for measurement in measurements])
