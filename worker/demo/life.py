"""The life of one demo account: members, plans and level of activity by day. Day 0 is the day of as_of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

LAST_DAY = 4
"""Data goes on for this many days after as_of, so that a later run finds new data."""

Curve = tuple[tuple[int, float], ...]
"""Points of (day, level of activity), joined by straight lines; flat outside."""


@dataclass(slots=True, kw_only=True)
class Member:
    """One user of an account.

    ``rate`` is the share of workdays with use at level 1, ``busy`` the mean number of events on such a day.
    """

    user_id: str
    given: str
    family: str
    email: str
    role: str | None
    joined: int
    rate: float
    left: int | None = None
    busy: float = 1.6
    staff: bool = False
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A term of one plan. ``end`` is None for an open-ended term and may lie in the future; ``cancelled`` is a day."""

    plan: str
    start: int
    end: int | None
    seats: int
    cancelled: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a member on one day, apart from everyday use."""

    day: int
    event: str
    member: int = 0


@dataclass(slots=True, kw_only=True)
class Life:
    """Everything that the rows of one account are made of."""

    account_id: str
    name: str
    domain: str
    persona: str
    created: int
    industry: str | None
    employees: int | None
    country: str | None
    tz: str | None
    owner: str | None
    csm: str | None
    internal: bool = False
    start_known: bool = True
    """False: migrated from an older system without its first day."""
    seats_agreed: bool = True
    """False: an old contract without a number of seats."""
    deleted: int | None = None
    members: list[Member] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    curve: Curve = ((0, 1.0),)
    milestones: dict[str, int] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    answers: list[tuple[int, int, int]] = field(default_factory=list)
    """NPS: (day, member, score)."""
    tickets: list[tuple[int, int | None, str]] = field(default_factory=list)
    """(opened, closed, severity)."""
    late_invoice: int | None = None
    """The due day of an invoice that stays unpaid."""

    @property
    def plan(self) -> Term | None:
        """The term in force on day 0."""
        current = [term for term in self.terms if term.start <= 0 and (term.end is None or term.end > 0)]
        return current[-1] if current else None


def level(curve: Sequence[tuple[int, float]], day: int) -> float:
    """The level of activity on ``day``."""
    if day <= curve[0][0]:
        return curve[0][1]
    for (start, low), (end, high) in pairwise(curve):
        if start <= day < end:
            return low + (high - low) * (day - start) / (end - start)
    return curve[-1][1]
