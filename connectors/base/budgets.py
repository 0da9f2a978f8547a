"""How many calls a CRM allows, per window and per day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls that one limit of the CRM counts together: ``limit`` in ``window_s`` seconds, until an answer says another.

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
class RateLimitStatus:
    """What the headers of an answer say of the limits; None where they say nothing.

    ``remaining`` and ``day_used`` count all apps that share the limit. ``day_ends`` is when the CRM resets the day's
    count; None means that the count covers the last 24 hours.
    """

    limit: int | None = None
    window_s: float | None = None
    remaining: int | None = None
    day_limit: int | None = None
    day_used: int | None = None
    day_ends: datetime | None = None


class Budget(Protocol):
    """What all callers of one CRM share, so that together they keep to its limits. Safe to share between threads.

    The connector passes the bucket of each call and the limits in each answer. It does not know what a call is for.
    """

    def acquire(self, bucket: Bucket) -> Permit:
        """Wait until one call may start. Raises `QuotaExhausted` when the day's share is used up."""

    def observe(self, permit: Permit, status: RateLimitStatus) -> None:
        """Take the limits of an answer; called once for every answer to a call."""

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """The CRM rejected a call as too fast: no caller starts a call of this bucket for ``seconds``."""

    def close(self) -> None:
        """Store what is known; called once, with the connector's own `close`."""
