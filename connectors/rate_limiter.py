"""Keeps to a CRM's rate limits, so that it does not have to reject calls.

A sliding log holds the calls of the last window, which is a little longer than the CRM's own. A token bucket could
exceed the CRM's window; a sliding log cannot. A call enters the log when it may start. Where its answer takes longer
than the margin, the call moves to the moment of the answer, because the CRM may have counted it any time in between.
Calls of other apps show in the number of calls that the CRM says is left. The log reserves as many calls for them as
they used in the last window.
"""

from __future__ import annotations

import random
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from connectors.base import Bucket, Permit, RateLimitStatus
from connectors.clock import stopwatch

MARGIN_S = 0.05
"""A call reaches the CRM at most this long after its time in the log; otherwise the log restamps it."""
SIMILAR_SHARE = 0.8
"""Foreign calls of at least this share of the reserve extend it."""
REJECTED_S = 60.0
"""How long a rejected call reserves `noise_floor` calls for others."""

Rate = tuple[int, float]
"""(calls, seconds): at most so many calls in so many seconds."""


_STORED_NAMES = {"paused_until": "hold_until", "foreign_calls": "others", "foreign_until": "others_until"}


@dataclass(slots=True)
class SlidingWindowLog:
    """The calls of one bucket on one clock: sorted times in seconds, and the calls reserved for other apps."""

    calls: list[float] = field(default_factory=list)
    paused_until: float = 0.0
    foreign_calls: int = 0
    foreign_until: float = 0.0

    def try_acquire(self, now: float, rate: Rate) -> tuple[float, int]:
        """Log a call if one may start now.

        Returns (0, our calls in the window with this one), or (seconds to wait at least, our calls in the window).
        """
        limit, window_s = rate[0], rate[1] + MARGIN_S
        del self.calls[: bisect_left(self.calls, now - window_s)]
        used = len(self.calls)
        if self.paused_until > now:
            return self.paused_until - now, used
        room = max(1, limit - (self.foreign_calls if self.foreign_until > now else 0))
        if used >= room:
            return max(self.calls[used - room] + window_s - now, 0.001), used
        insort(self.calls, now)
        return 0.0, used + 1

    def restamp(self, at: float, now: float) -> None:
        """A call logged ``at`` may have arrived as late as ``now``; one that has left the log enters it again."""
        position = bisect_left(self.calls, at)
        if position < len(self.calls) and self.calls[position] == at:
            del self.calls[position]
        insort(self.calls, now)

    def reserve_for_others(self, now: float, foreign_calls: int, seconds: float) -> None:
        """Reserve the calls that other apps used of the window for ``seconds``; a similar number extends that."""
        if foreign_calls >= self.foreign_calls or self.foreign_until <= now:
            self.foreign_calls = foreign_calls
        if foreign_calls >= SIMILAR_SHARE * self.foreign_calls:
            self.foreign_until = max(self.foreign_until, now + seconds)

    def pause(self, now: float, seconds: float) -> None:
        """Let no call start for ``seconds``."""
        self.paused_until = max(self.paused_until, now + seconds)

    def to_json(self) -> dict[str, Any]:
        """The log as it is stored, under the names that workers of 0.1.0 beside this one read."""
        return {_STORED_NAMES.get(name, name): value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SlidingWindowLog:
        """The log as another process stored it; fields that this release does not know are left out."""
        names = {_STORED_NAMES.get(name, name): name for name in cls.__dataclass_fields__}
        return cls(**{names[name]: value for name, value in stored.items() if name in names})


@dataclass(frozen=True, slots=True)
class Acquisition:
    """A call that may start at once (``wait_s`` 0), or how long to wait before asking again."""

    wait_s: float
    used: int
    id: str = ""


class Windows(Protocol):
    """Where the logs are, one per bucket. ``rate`` is the newest that the caller knows."""

    def try_acquire(self, bucket: Bucket, rate: Rate) -> Acquisition: ...

    def restamp(self, bucket: Bucket, call_id: str) -> None: ...

    def reserve_for_others(self, bucket: Bucket, foreign_calls: int, seconds: float) -> None: ...

    def pause(self, bucket: Bucket, seconds: float) -> None: ...


class InProcess:
    """Logs in the memory of this process, for all its threads."""

    def __init__(self, clock: Callable[[], float] = stopwatch) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logs: dict[str, SlidingWindowLog] = {}

    def try_acquire(self, bucket: Bucket, rate: Rate) -> Acquisition:
        """Log a call if one may start now."""
        with self._lock:
            now = self._clock()
            wait_s, used = self._log(bucket).try_acquire(now, rate)
            return Acquisition(wait_s, used, repr(now))

    def record(self, bucket: Bucket) -> None:
        """Log a call that starts now, whatever the log allows."""
        with self._lock:
            insort(self._log(bucket).calls, self._clock())

    def restamp(self, bucket: Bucket, call_id: str) -> None:
        """The answer to a call took longer than the margin."""
        with self._lock:
            self._log(bucket).restamp(float(call_id), self._clock())

    def reserve_for_others(self, bucket: Bucket, foreign_calls: int, seconds: float) -> None:
        """Other apps used at least so many calls of the window."""
        with self._lock:
            self._log(bucket).reserve_for_others(self._clock(), foreign_calls, seconds)

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Let no call of this bucket start for ``seconds``."""
        with self._lock:
            self._log(bucket).pause(self._clock(), seconds)

    def _log(self, bucket: Bucket) -> SlidingWindowLog:
        return self._logs.setdefault(bucket.name, SlidingWindowLog())


class RateLimiter:
    """A `connectors.base.Budget` that keeps to the windows and knows no daily quota."""

    def __init__(
        self,
        windows: Windows | None = None,
        clock: Callable[[], float] = stopwatch,
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
            acquisition = self._windows.try_acquire(bucket, self._rate(bucket))
            if acquisition.wait_s <= 0:
                return Permit(bucket, acquisition.id, asked_at, acquisition.used)
            # Callers that wait for the same room ask again at different times.
            self._sleep(acquisition.wait_s + random.uniform(0.0, 0.01))  # noqa: S311 - spreads load, guards nothing

    def observe(self, permit: Permit, status: RateLimitStatus) -> None:
        """Take the limit, restamp a call whose answer was late, and reserve what other apps use of this limit."""
        bucket = permit.bucket
        if bucket.limit is None:
            return
        if status.limit:
            self._rates[bucket.name] = (status.limit, status.window_s or bucket.window_s)
        if self._clock() - permit.at > MARGIN_S:
            self._windows.restamp(bucket, permit.id)
        limit, window_s = self._rate(bucket)
        foreign_calls = 0 if status.remaining is None else limit - status.remaining - permit.used
        if foreign_calls > noise_floor(limit):
            # The number is exact at the end of a burst and too low within it, so it holds for two windows.
            self._windows.reserve_for_others(bucket, foreign_calls, 2 * window_s)

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Let no call of this bucket start for ``seconds``, and assume more foreign calls than were seen."""
        self._windows.pause(bucket, seconds)
        limit, _ = self._rate(bucket)
        self._windows.reserve_for_others(bucket, noise_floor(limit), REJECTED_S)

    def close(self) -> None:
        """Nothing is stored."""

    def _rate(self, bucket: Bucket) -> Rate:
        return self._rates.get(bucket.name) or (bucket.limit or 1, bucket.window_s)


def noise_floor(limit: int) -> int:
    """How many calls that look foreign may be our own: started after a call, and counted before it."""
    return min(max(4, limit // 32), limit // 4)
