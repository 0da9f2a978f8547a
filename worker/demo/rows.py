"""Makes the rows of every table except events from the lives of all accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta

from worker.demo.habits import INVITED
from worker.demo.life import LAST_DAY, Life, Member

Row = tuple[object, ...]

PRICE_PER_SEAT = {"free": 0, "trial": 0, "pro": 29, "enterprise": 49}
RANK = {"free": 0, "trial": 1, "pro": 2, "enterprise": 3}

ARRIVAL_SECOND = 27_900
_INVITED_SECOND = 30_000
_JOINED_SECOND = 31_500


class Calendar:
    """Turns days of a life into timestamps. Day 0 is the UTC day of as_of."""

    def __init__(self, as_of: datetime) -> None:
        self._zero = datetime(as_of.year, as_of.month, as_of.day)  # noqa: DTZ001 - timestamps of the file are UTC without a zone

    def at(self, day: int | None, second: int = 0) -> datetime | None:
        """The timestamp in UTC without a zone, as DuckDB stores it; None for no day."""
        return None if day is None else self._zero + timedelta(days=day, seconds=second)

    def date(self, day: int) -> date:
        return self._zero.date() + timedelta(days=day)

    @property
    def weekday(self) -> int:
        """The weekday of day 0; Monday is 0."""
        return self._zero.weekday()


def accounts(lives: Sequence[Life], when: Calendar) -> Iterator[Row]:
    for a in lives:
        yield (
            a.account_id,
            a.name,
            a.domain,
            when.at(a.created, ARRIVAL_SECOND) if a.start_known else None,
            when.at(a.deleted, 60_000),
            a.tz,
            a.country,
            a.industry,
            a.employees,
            None,
            a.internal,
            a.owner,
            a.csm,
        )


def users(lives: Sequence[Life], when: Calendar) -> Iterator[Row]:
    for life, index, m in _members(lives):
        source = "organic" if index == 0 else "invite" if INVITED in life.milestones else "domain"
        yield m.user_id, m.email, when.at(m.joined, _joined_second(index)), None, source, None, m.staff, m.opted_out


def memberships(lives: Sequence[Life], when: Calendar) -> Iterator[Row]:
    for life, index, m in _members(lives):
        yield life.account_id, m.user_id, m.role, when.at(m.joined, _joined_second(index)), when.at(m.left, 60_000)


def invites(lives: Sequence[Life], when: Calendar) -> Iterator[Row]:
    """One accepted invite for every member who joined after the first invite, and one open invite per account."""
    for life in lives:
        first = life.milestones.get(INVITED)
        if first is None:
            continue
        inviter = life.members[0].user_id
        yield f"{life.account_id}-i0", life.account_id, inviter, when.at(first, _INVITED_SECOND), None, None
        for index, m in enumerate(life.members[1:], start=1):
            if m.joined >= first:
                sent, accepted = when.at(m.joined, _INVITED_SECOND), when.at(m.joined, _JOINED_SECOND)
                yield f"{life.account_id}-i{index}", life.account_id, inviter, sent, accepted, m.user_id


def subscriptions(lives: Sequence[Life], when: Calendar) -> Iterator[Row]:
    for life in lives:
        for index, term in enumerate(life.terms):
            trial = term.plan == "trial"
            over = term.end is not None and term.end <= LAST_DAY
            yield (
                f"{life.account_id}-s{index}",
                life.account_id,
                "core",
                "pro" if trial else term.plan,
                RANK[term.plan],
                term.seats if life.seats_agreed or not PRICE_PER_SEAT[term.plan] else None,
                float(PRICE_PER_SEAT[term.plan] * term.seats),
                "USD",
                "cancelled" if term.cancelled is not None else "ended" if over else "trialing" if trial else "active",
                when.at(term.start, ARRIVAL_SECOND) if trial else None,
                when.at(term.end, ARRIVAL_SECOND) if trial else None,
                None if trial else when.at(term.start, ARRIVAL_SECOND),
                None if trial else when.at(term.end, ARRIVAL_SECOND),
                when.at(term.cancelled, ARRIVAL_SECOND),
                when.at(term.cancelled, ARRIVAL_SECOND),
                term.reason,
            )


def invoices(lives: Sequence[Life], when: Calendar) -> Iterator[Row]:
    """Monthly invoices of paid terms, paid within days of their due day; from ``late_invoice`` on they stay unpaid."""
    for life in lives:
        number = 0
        for term in life.terms:
            amount = float(PRICE_PER_SEAT[term.plan] * term.seats)
            end = min(LAST_DAY, LAST_DAY if term.end is None else term.end)
            for due in range(max(term.start, -365), end, 30) if amount else ():
                unpaid = life.late_invoice is not None and due >= life.late_invoice
                paid = None if unpaid or due > -3 else when.at(due + number % 5, 40_000)
                number += 1
                name = f"{life.account_id}-b{number}"
                yield name, life.account_id, when.at(due, 0), paid, amount, "paid" if paid else "open"
        if life.late_invoice is not None:
            yield f"{life.account_id}-late", life.account_id, when.at(life.late_invoice, 0), None, 290.0, "open"


def surveys(lives: Sequence[Life], when: Calendar) -> Iterator[Row]:
    for life in lives:
        for index, (day, member, score) in enumerate(life.answers):
            user = life.members[member].user_id
            yield f"{life.account_id}-r{index}", life.account_id, user, "nps", score, when.at(day, 45_000)


def tickets(lives: Sequence[Life], when: Calendar) -> Iterator[Row]:
    for life in lives:
        for index, (opened, closed, severity) in enumerate(life.tickets):
            moments = when.at(opened, 38_000), when.at(closed, 57_000)
            yield f"{life.account_id}-t{index}", life.account_id, *moments, severity


def usage_limits(lives: Sequence[Life], _: Calendar) -> Iterator[Row]:
    """Used and contracted seats on day 0."""
    for life in lives:
        if life.plan is not None and life.seats_agreed:
            used = sum(m.joined <= 0 and (m.left is None or m.left > 0) for m in life.members)
            yield life.account_id, "seats", used, life.plan.seats


def _members(lives: Sequence[Life]) -> Iterator[tuple[Life, int, Member]]:
    for life in lives:
        for index, member in enumerate(life.members):
            yield life, index, member


def _joined_second(index: int) -> int:
    return ARRIVAL_SECOND if index == 0 else _JOINED_SECOND


TABLES: dict[str, tuple[str, Callable[[Sequence[Life], Calendar], Iterator[Row]]]] = {
    "accounts": (
        (
            "account_id TEXT, name TEXT, domain TEXT, created_at TIMESTAMP, deleted_at TIMESTAMP, tz TEXT, "
            "country TEXT, industry TEXT, employees INTEGER, parent_id TEXT, is_internal BOOLEAN, owner_email TEXT, "
            "csm_email TEXT"
        ),
        accounts,
    ),
    "users": (
        (
            "user_id TEXT, email TEXT, created_at TIMESTAMP, deleted_at TIMESTAMP, signup_source TEXT, "
            "referred_by_user_id TEXT, is_internal BOOLEAN, opted_out BOOLEAN"
        ),
        users,
    ),
    "memberships": (
        "account_id TEXT, user_id TEXT, role TEXT, added_at TIMESTAMP, removed_at TIMESTAMP",
        memberships,
    ),
    "subscriptions": (
        (
            "sub_id TEXT, account_id TEXT, product TEXT, plan TEXT, tier_rank INTEGER, seats INTEGER, mrr DOUBLE, "
            "currency TEXT, status TEXT, trial_start TIMESTAMP, trial_end TIMESTAMP, term_start TIMESTAMP, "
            "term_end TIMESTAMP, cancelled_at TIMESTAMP, ended_at TIMESTAMP, cancel_reason TEXT"
        ),
        subscriptions,
    ),
    "invites": (
        (
            "invite_id TEXT, account_id TEXT, inviter_id TEXT, sent_at TIMESTAMP, accepted_at TIMESTAMP, "
            "invitee_user_id TEXT"
        ),
        invites,
    ),
    "invoices": (
        "invoice_id TEXT, account_id TEXT, due_at TIMESTAMP, paid_at TIMESTAMP, amount DOUBLE, status TEXT",
        invoices,
    ),
    "surveys": (
        "response_id TEXT, account_id TEXT, user_id TEXT, kind TEXT, score INTEGER, responded_at TIMESTAMP",
        surveys,
    ),
    "tickets": (
        "ticket_id TEXT, account_id TEXT, opened_at TIMESTAMP, closed_at TIMESTAMP, severity TEXT",
        tickets,
    ),
    "usage_limits": ('account_id TEXT, metric TEXT, used INTEGER, "limit" INTEGER', usage_limits),
}
