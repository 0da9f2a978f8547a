"""Stay inside a CRM's rate windows instead of running into them.

A sliding log of the calls of the last window, a little longer than the CRM's own, never exceeds it; a token bucket
does. A call is logged when it may start. Where its answer takes longer than the margin it is logged anew then, because
the CRM may have counted it any time in between. Other apps that spend the same window show in what the CRM says is
left, and get as much room as they took in the last window.
"""

from __future__ import annotations

import random
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from connectors.base import Bucket, Permit, Told

MARGIN_S = 0.05
"""A call reaches the CRM at most so long after its moment in the log, or it is logged anew."""
ABOUT = 0.8
REFUSED_S = 60.0
"""So long a refusal leaves others the little room that cannot be told from our own calls."""

Rate = tuple[int, float]
"""So many calls in so many seconds."""


@dataclass(slots=True)
class Log:
    """The calls of one bucket on one clock: sorted moments, and the room left to other apps (``others``)."""

    calls: list[float] = field(default_factory=list)
    hold_until: float = 0.0
    others: int = 0
    others_until: float = 0.0

    def book(self, now: float, rate: Rate) -> tuple[float, int]:
        """Log a call if one may start now: (0, our calls in the window). Else how long to wait at least, and those."""
        limit, window_s = rate[0], rate[1] + MARGIN_S
        del self.calls[: bisect_left(self.calls, now - window_s)]
        used = len(self.calls)
        if self.hold_until > now:
            return self.hold_until - now, used
        room = max(1, limit - (self.others if self.others_until > now else 0))
        if used >= room:
            return max(self.calls[used - room] + window_s - now, 0.001), used
        insort(self.calls, now)
        return 0.0, used + 1

    def move(self, at: float, now: float) -> None:
        """A call logged ``at`` may have arrived as late as ``now``, even one that has left the log meanwhile."""
        place = bisect_left(self.calls, at)
        if place < len(self.calls) and self.calls[place] == at:
            del self.calls[place]
        insort(self.calls, now)

    def crowd(self, now: float, others: int, seconds: float) -> None:
        """Other apps took at least so much of the window: they get it for so long, and longer if it stays about so."""
        if others >= self.others or self.others_until <= now:
            self.others = others
        if others >= ABOUT * self.others:
            self.others_until = max(self.others_until, now + seconds)

    def pause(self, now: float, seconds: float) -> None:
        """Nothing starts for so long."""
        self.hold_until = max(self.hold_until, now + seconds)


@dataclass(frozen=True, slots=True)
class Booking:
    """A call that may start at once (``wait_s`` 0), or how long to wait before asking again."""

    wait_s: float
    used: int
    id: str = ""


class Windows(Protocol):
    """Where the logs are kept, one by bucket. ``rate`` is the newest the asker was told."""

    def book(self, bucket: Bucket, rate: Rate) -> Booking: ...

    def late(self, bucket: Bucket, booking_id: str) -> None: ...

    def crowd(self, bucket: Bucket, others: int, seconds: float) -> None: ...

    def pause(self, bucket: Bucket, seconds: float) -> None: ...


class InProcess:
    """Logs in this process's memory, for all its threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logs: dict[str, Log] = {}

    def book(self, bucket: Bucket, rate: Rate) -> Booking:
        """Log a call if one may start now."""
        with self._lock:
            now = self._clock()
            wait_s, used = self._log(bucket).book(now, rate)
            return Booking(wait_s, used, repr(now))

    def note(self, bucket: Bucket) -> None:
        """Log a call that starts now whatever this log says."""
        with self._lock:
            insort(self._log(bucket).calls, self._clock())

    def late(self, bucket: Bucket, booking_id: str) -> None:
        """The answer to a call took longer than the margin."""
        with self._lock:
            self._log(bucket).move(float(booking_id), self._clock())

    def crowd(self, bucket: Bucket, others: int, seconds: float) -> None:
        """Other apps took at least so much of the window."""
        with self._lock:
            self._log(bucket).crowd(self._clock(), others, seconds)

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Nobody starts a call for so long."""
        with self._lock:
            self._log(bucket).pause(self._clock(), seconds)

    def _log(self, bucket: Bucket) -> Log:
        return self._logs.setdefault(bucket.name, Log())


class Pace:
    """A `connectors.base.Budget` that keeps to the windows and knows nothing of days."""

    def __init__(
        self,
        windows: Windows | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._windows = windows or InProcess(clock)
        self._clock = clock
        self._sleep = sleep
        self._rates: dict[str, Rate] = {}

    def acquire(self, bucket: Bucket) -> Permit:
        """Wait until a call may start."""
        if bucket.limit is None:
            return Permit(bucket, "", self._clock(), 0)
        while True:
            asked_at = self._clock()
            booking = self._windows.book(bucket, self._rate(bucket))
            if booking.wait_s <= 0:
                return Permit(bucket, booking.id, asked_at, booking.used)
            # Whoever waits for the same room asks at moments of their own.
            self._sleep(booking.wait_s + random.uniform(0.0, 0.01))  # noqa: S311 - spreads load, guards nothing

    def learn(self, permit: Permit, told: Told) -> None:
        """Take the limit, a late answer, and what others of this limit have used."""
        bucket = permit.bucket
        if bucket.limit is None:
            return
        if told.limit:
            self._rates[bucket.name] = (told.limit, told.window_s or bucket.window_s)
        if self._clock() - permit.at > MARGIN_S:
            self._windows.late(bucket, permit.id)
        limit, window_s = self._rate(bucket)
        others = 0 if told.remaining is None else limit - told.remaining - permit.used
        if others > _blur(limit):
            # What is seen is exact at the end of a burst and too little in its midst: it holds into the next but one.
            self._windows.crowd(bucket, others, 2 * window_s)

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Nobody starts a call of this bucket for so long, and others are taken for more than they seemed."""
        self._windows.pause(bucket, seconds)
        limit, _ = self._rate(bucket)
        self._windows.crowd(bucket, _blur(limit), REFUSED_S)

    def close(self) -> None:
        """Nothing is kept."""

    def _rate(self, bucket: Bucket) -> Rate:
        return self._rates.get(bucket.name) or (bucket.limit or 1, bucket.window_s)


def _blur(limit: int) -> int:
    """So many calls that look like others' may be our own: started after a call, and counted before it."""
    return min(max(4, limit // 32), limit // 4)
