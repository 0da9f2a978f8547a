"""How fast a CRM may be called, and how much a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls that one limit of the CRM counts together; ``limit`` per ``window_s`` holds until the CRM says otherwise.

    Without a limit the calls count for the day only.
    """

    name: str
    limit: int | None = None
    window_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call now. ``used`` counts our calls in the bucket's window, this one included."""

    bucket: Bucket
    id: str
    at: float
    used: int


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer said of the limits; None where it said nothing.

    ``remaining`` and ``day_used`` count everybody who shares the limit. ``day_ends`` is when the day's count starts
    anew; None means that it counts the last 24 hours at every moment.
    """

    limit: int | None = None
    window_s: float | None = None
    remaining: int | None = None
    day_limit: int | None = None
    day_used: int | None = None
    day_ends: datetime | None = None


class Budget(Protocol):
    """What every caller of one CRM shares, so that together they stay inside its limits. Safe between threads.

    The connector says what it calls and what the CRM answered; what the call is for is not its business.
    """

    def acquire(self, bucket: Bucket) -> Permit:
        """Wait until one call may start. Raises `QuotaExhausted` when the day's share is used up."""

    def learn(self, permit: Permit, told: Told) -> None:
        """Take what the answer to that call said; called for every answer, whatever it said."""

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """The CRM said "too fast": nobody starts a call of this bucket for so long."""

    def close(self) -> None:
        """Write down what is known; called once, with the connector's own `close`."""
