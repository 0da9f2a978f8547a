"""Facts → one SELECT that answers one row per account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from worker.signals.accounts import account_columns, account_rows
from worker.signals.aggregates import Finish, Partial, finish, partials
from worker.signals.constructs import Column, IdText
from worker.signals.facts import Fact
from worker.signals.mapping import Catalogue
from worker.signals.people import role_rows, share_rows, top_user_rows
from worker.signals.ranked import latest_rows, top_rows
from worker.signals.scan import QueryScope, Scan

_KEYED = frozenset({"days", "user_days", "kinds"})
_OF_ONE_PERSON: dict[str, Callable[[QueryScope, Fact], sa.Select[Any]]] = {
    "roles": role_rows,
    "top_user_share": share_rows,
    "top_user": top_user_rows,
    "latest": latest_rows,
}


@dataclass(frozen=True, slots=True)
class ColumnFact:
    """Where a fact stands in a row of the query, and the step from there to its value."""

    fact: Fact
    positions: tuple[int, ...]
    finish: Finish


@dataclass(frozen=True, slots=True)
class Query:
    """The whole question. The first columns are the account's own, by ``account_columns``."""

    statement: sa.Select[Any]
    account_columns: tuple[tuple[str, str], ...]
    """Name and kind of each."""
    answers: tuple[ColumnFact, ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    """One pass over a table: per account, some columns for each of its facts. The first column is the account."""

    select: sa.Select[Any]
    facts: Sequence[tuple[Fact, int]]


def compile_query(
    catalogue: Catalogue, facts: Sequence[Fact], as_of: datetime, accounts: frozenset[str] | None = None
) -> Query:
    """One SELECT for all ``facts``; ``accounts`` limits it to some account ids."""
    scope = QueryScope(catalogue, as_of, accounts)
    own = account_columns(catalogue)
    base = account_rows(scope, own).cte("s_accounts")
    joined: sa.FromClause = base
    columns: list[Column] = list(base.c)
    answers: list[ColumnFact] = []
    for index, stage in enumerate(_stages(scope, facts)):
        labels = [f"s_{index}_{position}" for position in range(len(stage.select.selected_columns))]
        named = [column.label(label) for column, label in zip(stage.select.selected_columns, labels, strict=True)]
        cte = stage.select.with_only_columns(*named, maintain_column_froms=True).cte(f"s_stage_{index}")
        joined = joined.outerjoin(cte, cte.c[labels[0]] == base.c.s_id)
        taken = 1
        for fact, width in stage.facts:
            positions = tuple(range(len(columns), len(columns) + width))
            columns += [cte.c[label] for label in labels[taken : taken + width]]
            answers.append(ColumnFact(fact, positions, finish(fact.measure)))
            taken += width
    return Query(sa.select(*columns).select_from(joined), own, tuple(answers))


def _stages(scope: QueryScope, facts: Sequence[Fact]) -> Iterator[_Stage]:
    for fact in facts:
        if fact.measure in _OF_ONE_PERSON:
            width = 2 if fact.measure in {"roles", "top_user_share"} else 1
            yield _Stage(_OF_ONE_PERSON[fact.measure](scope, fact), [(fact, width)])
    for group in _grouped((fact for fact in facts if fact.measure == "top"), _same_rows):
        yield _Stage(top_rows(scope, group), [(fact, 1) for fact in group])
    plain = [fact for fact in facts if fact.measure not in _OF_ONE_PERSON and fact.measure != "top"]
    member_first = scope.catalogue.engine.member_first
    # Bounded windows and "ever" in one pass cost 2.6 times as much as one pass each.
    counted = [fact for fact in plain if not (member_first and fact.measure in _KEYED)]
    for group in _grouped(counted, lambda fact: (fact.table, fact.bounded)):
        yield _counted(scope, group)
    keyed = [fact for fact in plain if member_first and fact.measure in _KEYED]
    for group in _grouped(keyed, lambda fact: (fact.table, fact.measure, fact.at or "", fact.bounded)):
        yield _keyed(scope, group)


def _grouped(facts: Iterable[Fact], key: Callable[[Fact], tuple[Any, ...]]) -> list[list[Fact]]:
    return [list(group) for _, group in groupby(sorted(facts, key=key), key=key)]


def _same_rows(fact: Fact) -> tuple[str, ...]:
    return (repr(fact.current), repr(fact.where), repr(fact.window), repr(fact.at))


def _counted(scope: QueryScope, facts: Sequence[Fact]) -> _Stage:
    """Everything that one pass over the rows of an account gives."""
    table = scope.table(facts[0].table)
    scan = Scan(scope, table, facts)
    rows, columns = scan.rows()
    parts: list[tuple[Fact, list[Partial]]] = []
    for fact in facts:
        row = columns[fact.name]
        if fact.measure in _KEYED:
            parts.append((fact, [Partial(_distinct(row.counts, scan.keyed(fact.measure, rows)), sa.func.sum)]))
        elif fact.measure == "users" and not scope.catalogue.engine.member_first:
            parts.append((fact, [Partial(_distinct(row.counts, [rows.c.s_user]), sa.func.sum)]))
        else:
            parts.append((fact, partials(fact.measure, row)))
    aggregates = [partial for _, some in parts for partial in some]
    account_kind = table.kind("account_id")
    widths = [(fact, len(some)) for fact, some in parts]
    if not (scope.catalogue.engine.member_first and any(fact.measure == "users" for fact in facts)):
        found = sa.select(IdText(rows.c.s_account, account_kind), *(partial.aggregate for partial in aggregates))
        return _Stage(found.group_by(rows.c.s_account), widths)
    members = (
        sa.select(rows.c.s_account, *(part.aggregate.label(f"s_p{i}") for i, part in enumerate(aggregates)))
        .group_by(rows.c.s_account, rows.c.s_user)
        .subquery("s_members")
    )
    combined = [part.combine(members.c[f"s_p{i}"]) for i, part in enumerate(aggregates)]
    found = sa.select(IdText(members.c.s_account, account_kind), *combined)
    return _Stage(found.group_by(members.c.s_account), widths)


def _distinct(counts: Column, keys: Sequence[Column]) -> Column:
    """Row stores: COUNT(DISTINCT …) of the rows that count. The day goes first: two keys never run together."""
    if len(keys) == 1:
        return sa.func.count(sa.case((counts, keys[0])).distinct())
    together = sa.cast(keys[1], sa.Text()).concat(sa.literal("|", sa.Text())).concat(sa.cast(keys[0], sa.Text()))
    return sa.func.count(sa.case((counts, together)).distinct())


def _keyed(scope: QueryScope, facts: Sequence[Fact]) -> _Stage:
    """Column stores: one row per account and day (or person and day, or event name) first, then count those."""
    table = scope.table(facts[0].table)
    scan = Scan(scope, table, facts)
    rows, columns = scan.rows()
    keys = scan.keyed(facts[0].measure, rows)
    known = [key.is_not(None) for key in keys]
    flags = [
        sa.func.max(sa.case((columns[fact.name].counts, sa.literal_column("1")), else_=sa.literal_column("0")))
        for fact in facts
    ]
    once = (
        sa.select(rows.c.s_account, *(flag.label(f"s_k{index}") for index, flag in enumerate(flags)))
        .where(*known)
        .group_by(rows.c.s_account, *keys)
        .subquery("s_once")
    )
    sums = [sa.func.sum(once.c[f"s_k{index}"]) for index in range(len(facts))]
    found = sa.select(IdText(once.c.s_account, table.kind("account_id")), *sums).group_by(once.c.s_account)
    return _Stage(found, [(fact, 1) for fact in facts])
