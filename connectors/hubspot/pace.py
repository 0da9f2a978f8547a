"""Stay inside HubSpot's rate windows instead of running into them.

The burst window is a sliding log of ten seconds in one-second buckets; search has its own of five calls
a second (https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines). A plain
sliding log a little longer than the window never exceeds either, a token bucket does.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping

COLD_LIMIT = 100
BURST_WINDOW_S = 10.0
SEARCH_LIMIT = 5
SEARCH_WINDOW_S = 1.0
MARGIN_S = 0.15


class Pace:
    """At most ``limit`` calls start within any ``window_s`` seconds, over all threads of this process."""

    def __init__(self, limit: int, window_s: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._limit = limit
        self._window_s = window_s + MARGIN_S
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._booked: deque[float] = deque()
        self._hold_until = 0.0

    def wait(self) -> None:
        """Book the next free moment and sleep until then."""
        with self._lock:
            now = self._clock()
            while self._booked and self._booked[0] <= now - self._window_s:
                self._booked.popleft()
            start = max(now, self._hold_until)
            if len(self._booked) >= self._limit:
                start = max(start, self._booked[-self._limit] + self._window_s)
            self._booked.append(start)
        if start > now:
            self._sleep(start - now)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take the limit and what others of this app have used from an answer's headers."""
        limit = whole(headers, "X-HubSpot-RateLimit-Max")
        interval_ms = whole(headers, "X-HubSpot-RateLimit-Interval-Milliseconds")
        remaining = whole(headers, "X-HubSpot-RateLimit-Remaining")
        with self._lock:
            if limit:
                self._limit = limit
            if interval_ms:
                self._window_s = interval_ms / 1000 + MARGIN_S
            if remaining == 0:
                # Somebody else spends the same window; the oldest second of it falls out within a second.
                self._hold_until = self._clock() + 1.0


def whole(headers: Mapping[str, str], name: str) -> int | None:
    """A header as a whole number, or None when it is absent or something else."""
    text = headers.get(name, "")
    return int(text) if text.isdigit() else None
