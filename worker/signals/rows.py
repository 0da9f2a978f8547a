"""Which rows count: tests on columns, rows in force at a moment, events that had arrived by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.settings.product_schema import OLD_STATES, SCHEMA
from worker.settings.signals import Comparison, RowTest, Scalar
from worker.signals.constructs import Column, MomentLiteral
from worker.signals.invoice_status import is_settled
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.table_columns import folded

_HAPPENS_LATER = frozenset(
    {"accepted_at", "paid_at", "closed_at", "removed_at", "deleted_at", "cancelled_at", "ended_at"}
)


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
        return _is_one_of(table, column, test if isinstance(test, list) else [test])
    bounds = {"at_least": "__ge__", "at_most": "__le__", "above": "__gt__", "below": "__lt__"}
    parts = [
        getattr(table.number(column), operator)(sa.literal(float(bound), sa.Double()))
        for name, operator in bounds.items()
        if (bound := getattr(test, name)) is not None
    ]
    if test.in_ is not None:
        parts.append(_is_one_of(table, column, test.in_))
    not_these = (test.not_in, test.is_not if isinstance(test.is_not, list | None) else [test.is_not])
    parts += [sa.not_(_is_one_of(table, column, values)) for values in not_these if values is not None]
    if test.known is not None:
        value = _known_by(table, column, as_of)
        parts.append(value.is_not(None) if test.known else value.is_(None))
    return sa.and_(sa.true(), *parts)


def _is_one_of(table: MappedTable, column: str, values: Sequence[Scalar]) -> Column:
    flags = [value for value in values if isinstance(value, bool)]
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    texts = [value.strip().lower() for value in values if isinstance(value, str)]
    if (table.name, column) == ("subscriptions", "state"):
        texts = [word for text in texts for word in (text, *OLD_STATES.get(text, ()))]
    parts: list[Column] = []
    if flags:
        parts.append(sa.or_(*(table.flag(column) == (sa.true() if flag else sa.false()) for flag in flags)))
    if numbers:
        parts.append(table.number(column).in_([sa.literal(number, sa.Double()) for number in numbers]))
    if texts:
        parts.append(folded(table.text(column)).in_(texts))
    return sa.or_(sa.false(), *parts)


def _known_by(table: MappedTable, column: str, as_of: datetime) -> Column:
    """The value, without what only happened after ``as_of``: an invite accepted tomorrow is not accepted today."""
    value = table.value(column)
    return sa.case((by(value, as_of), value)) if column in _HAPPENS_LATER else value


def since_of(table: MappedTable) -> Column | None:
    """The start of a row: the first known of the mapped columns. That of a subscription is worked out."""
    columns = ("since",) if table.name == "subscriptions" else SCHEMA[table.name].since
    return _first_known([table.time(column) for column in columns if table.has(column)])


def _first_known(columns: list[Column]) -> Column | None:
    if len(columns) > 1:
        return sa.func.coalesce(*columns)
    return columns[0] if columns else None


def started(table: MappedTable, as_of: datetime) -> Column:
    """Rows that had started by ``as_of``; one without a beginning always had."""
    since = since_of(table)
    return sa.true() if since is None else sa.or_(since.is_(None), by(since, as_of))


def in_force(table: MappedTable, as_of: datetime) -> Column:
    """Rows that had started and were not over at ``as_of``: never NULL. A subscription of unknown state counts."""
    if table.name == "subscriptions":
        return sa.func.coalesce(table.text("state") != "ended", sa.true())
    return sa.and_(started(table, as_of), not_over(table, as_of), owes_something(table))


def not_over(table: MappedTable, as_of: datetime) -> Column:
    """Rows that no known end, and no status of an invoice, says to be over at ``as_of``."""
    until = _first_known([table.time(column) for column in SCHEMA[table.name].until if table.has(column)])
    parts: list[Column] = [] if until is None else [sa.or_(until.is_(None), after(until, as_of))]
    if table.name == "invoices" and table.has("status"):
        over = is_settled(table)
        parts.append(sa.not_(over if until is None else sa.and_(until.is_(None), over)))
    return sa.and_(sa.true(), *parts)


def owes_something(table: MappedTable) -> Column:
    """All rows but invoices of nothing and credit notes: nobody has to pay these."""
    if table.name != "invoices" or not table.has("amount"):
        return sa.true()
    return sa.func.coalesce(table.number("amount") > 0, sa.true())


def delivered(events: MappedTable, as_of: datetime) -> list[Column]:
    """Events of all people that had happened and arrived by ``as_of``."""
    return [before(events.time("occurred_at"), as_of), *received(events, as_of)]


def arrived(events: MappedTable, catalogue: Catalogue, as_of: datetime) -> list[Column]:
    """Events that had happened and arrived by ``as_of``, without those of the product's own people (rule R4)."""
    return [*delivered(events, as_of), *of_others(events, catalogue)]


def known_by(events: MappedTable, catalogue: Catalogue, as_of: datetime) -> list[Column]:
    """Events that had arrived by ``as_of``, whenever they happened, without those of the product's own people."""
    return [*received(events, as_of), *of_others(events, catalogue)]


def received(events: MappedTable, as_of: datetime) -> list[Column]:
    """Events that had arrived by ``as_of``, or of which nobody says when."""
    if not events.has("received_at"):
        return []
    at = events.time("received_at")
    return [sa.or_(at.is_(None), by(at, as_of))]


def of_others(table: MappedTable, catalogue: Catalogue) -> list[Column]:
    """Rows that are of no person of the product's own; all rows where nothing says who is one."""
    users = catalogue.table("users")
    if users is None or not (users.has("is_internal") and table.has("user_id") and catalogue.product.exclude.internal):
        return []
    own: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(users.rows)
    return [sa.not_(sa.exists(own.where(same_person(users, table), users.flag("is_internal"))))]


def same_person(users: MappedTable, rows: MappedTable) -> Column:
    """``rows`` are of the person ``users`` describes; by account too where users say theirs."""
    same = users.id("user_id") == rows.id("user_id")
    return sa.and_(same, users.id("account_id") == rows.id("account_id")) if users.has("account_id") else same
