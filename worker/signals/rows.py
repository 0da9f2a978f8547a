"""Which rows count: tests on columns, rows in force at a moment, events that had arrived by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA
from worker.settings.signals import Comparison, RowTest, Scalar
from worker.signals.constructs import Column, MomentLiteral
from worker.signals.mapping import Catalogue, MappedTable, folded

# Statuses of a billing system for something that ended; they count where no date of the end is known.
ENDED = ("cancelled", "canceled", "expired", "ended", "churned", "deleted", "inactive", "incomplete_expired")
SETTLED = ("paid", "void", "voided", "uncollectible", "refunded", "draft", "cancelled", "canceled")
_HAPPENS_LATER = frozenset({"accepted_at", "paid_at", "closed_at", "removed_at", "deleted_at", "cancelled_at"})
_TRIAL = ("trial", "trialing", "trialling", "in_trial")


def before(time: Column, moment: datetime) -> Column:
    """Strictly before ``moment``."""
    return time < MomentLiteral(moment)


def not_before(time: Column, moment: datetime) -> Column:
    """At ``moment`` or later."""
    return time >= MomentLiteral(moment)


def by(time: Column, moment: datetime) -> Column:
    """At ``moment`` or earlier. Written with a strict bound: as text, one moment has several spellings."""
    return before(time, moment + timedelta(microseconds=1))


def after(time: Column, moment: datetime) -> Column:
    """Strictly after ``moment``."""
    return not_before(time, moment + timedelta(microseconds=1))


def passes(table: MappedTable, column: str, test: RowTest, as_of: datetime) -> Column:
    """``test`` on ``column`` of a row: true, false, or NULL where the row does not say."""
    if not isinstance(test, Comparison):
        return _is_one_of(table, column, test if isinstance(test, list) else [test], as_of)
    bounds = {"at_least": "__ge__", "at_most": "__le__", "above": "__gt__", "below": "__lt__"}
    parts = [
        getattr(table.number(column), operator)(sa.literal(float(bound), sa.Double()))
        for name, operator in bounds.items()
        if (bound := getattr(test, name)) is not None
    ]
    if test.is_not is not None:
        values = test.is_not if isinstance(test.is_not, list) else [test.is_not]
        parts.append(sa.not_(_is_one_of(table, column, values, as_of)))
    if test.known is not None:
        value = _known_by(table, column, as_of)
        parts.append(value.is_not(None) if test.known else value.is_(None))
    return sa.and_(sa.true(), *parts)


def _is_one_of(table: MappedTable, column: str, values: Sequence[Scalar], as_of: datetime) -> Column:
    flags = [value for value in values if isinstance(value, bool)]
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    texts = [value.strip().lower() for value in values if isinstance(value, str)]
    parts: list[Column] = []
    if flags:
        parts.append(sa.or_(*(table.flag(column) == (sa.true() if flag else sa.false()) for flag in flags)))
    if numbers:
        parts.append(table.number(column).in_([sa.literal(number, sa.Double()) for number in numbers]))
    if texts:
        parts.append(folded(_text(table, column, as_of)).in_(texts))
    return sa.or_(sa.false(), *parts)


def _known_by(table: MappedTable, column: str, as_of: datetime) -> Column:
    """The value, without what only happened after ``as_of``: an invite accepted tomorrow is not accepted today."""
    value = column_value(table, column, as_of)
    return sa.case((by(value, as_of), value)) if column in _HAPPENS_LATER else value


def _text(table: MappedTable, column: str, as_of: datetime) -> Column:
    return state_of(table, as_of) if (table.name, column) == ("subscriptions", "state") else table.text(column)


def column_value(table: MappedTable, column: str, as_of: datetime) -> Column:
    """A column of ours as our schema means it, the worked-out ones included."""
    if (table.name, column) == ("subscriptions", "state"):
        return state_of(table, as_of)
    return table.value(column)


def since_of(table: MappedTable) -> Column | None:
    """The start of a row: the first known of the mapped columns."""
    return _first_known([table.time(column) for column in SCHEMA[table.name].since if table.has(column)])


def _first_known(columns: list[Column]) -> Column | None:
    if len(columns) > 1:
        return sa.func.coalesce(*columns)
    return columns[0] if columns else None


def _until_of(table: MappedTable) -> Column | None:
    columns = [table.time(column) for column in SCHEMA[table.name].until if table.has(column)]
    if table.name == "subscriptions" and table.has("trial_end") and table.has("term_start"):
        # A trial that never became a term is over when the trial is.
        columns.append(sa.case((table.time("term_start").is_(None), table.time("trial_end"))))
    return _first_known(columns)


def started(table: MappedTable, as_of: datetime) -> Column:
    """Rows that had started by ``as_of``; one without a beginning always had."""
    since = since_of(table)
    return sa.true() if since is None else sa.or_(since.is_(None), by(since, as_of))


def in_force(table: MappedTable, as_of: datetime) -> Column:
    """Rows that had started and were not over at ``as_of``: never NULL."""
    until = _until_of(table)
    parts: list[Column] = [started(table, as_of)]
    over_words = {"subscriptions": ENDED, "invoices": SETTLED}.get(table.name)
    if until is not None:
        parts.append(sa.or_(until.is_(None), after(until, as_of)))
    if over_words and table.has("status"):
        over = sa.func.coalesce(folded(table.text("status")), "").in_(over_words)
        parts.append(sa.not_(over if until is None else sa.and_(until.is_(None), over)))
    return sa.and_(*parts)


def state_of(table: MappedTable, as_of: datetime) -> Column:
    """What a subscription was at ``as_of``: cancelled, trial, or its own status, ``active`` where it has none.

    The dates speak first, because a status column only knows today.
    """
    cases: list[tuple[Column, Column]] = [(sa.not_(in_force(table, as_of)), sa.literal("cancelled", sa.Text()))]
    if table.has("cancelled_at"):
        cases.append((by(table.time("cancelled_at"), as_of), sa.literal("cancelled", sa.Text())))
    if table.has("trial_end"):
        on_trial = after(table.time("trial_end"), as_of)
        if table.has("term_start"):
            term = table.time("term_start")
            on_trial = sa.and_(on_trial, sa.or_(term.is_(None), after(term, as_of)))
        cases.append((on_trial, sa.literal("trial", sa.Text())))
    if not table.has("status"):
        return sa.case(*cases, else_=sa.literal("active", sa.Text()))
    status = folded(table.text("status"))
    cases.append((status.in_(_TRIAL), sa.literal("trial", sa.Text())))
    if not table.has("cancelled_at"):
        cases.append((status.in_(("cancelled", "canceled")), sa.literal("cancelled", sa.Text())))
    cases.append((status.in_(ENDED), sa.literal("active", sa.Text())))
    return sa.case(*cases, else_=sa.func.coalesce(status, sa.literal("active", sa.Text())))


def arrived(events: MappedTable, catalogue: Catalogue, as_of: datetime) -> list[Column]:
    """Events that had happened and arrived by ``as_of``, without those of the product's own people (rule R4)."""
    parts: list[Column] = [before(events.time("occurred_at"), as_of)]
    if events.has("received_at"):
        received = events.time("received_at")
        parts.append(sa.or_(received.is_(None), by(received, as_of)))
    users = catalogue.table("users")
    if users is not None and users.has("is_internal") and events.has("user_id") and catalogue.product.exclude.internal:
        own: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(users.rows)
        parts.append(sa.not_(sa.exists(own.where(same_person(users, events), users.flag("is_internal")))))
    return parts


def same_person(users: MappedTable, rows: MappedTable) -> Column:
    """``rows`` are of the person ``users`` describes; by account too where users say theirs."""
    same = users.id("user_id") == rows.id("user_id")
    return sa.and_(same, users.id("account_id") == rows.id("account_id")) if users.has("account_id") else same
