"""What time it is by the ``Date`` of a server's answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from connectors.clock import stopwatch


class ServerClock:
    """Remembers the newest ``Date``, and how long ago it came. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = stopwatch) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._newest: tuple[datetime, float] | None = None

    def observe(self, header: str | None) -> None:
        """Take the ``Date`` header of an answer; one that cannot be read tells nothing."""
        try:
            date = parsedate_to_datetime(header or "")
        except ValueError:
            return
        seen = date.replace(tzinfo=date.tzinfo or UTC), self._clock()
        with self._lock:
            if self._newest is None or seen[0] >= self._newest[0]:
                self._newest = seen

    def now(self) -> datetime | None:
        """The present by the server's clock; None before the first ``Date``."""
        if self._newest is None:
            return None
        date, seen_at = self._newest
        return date + timedelta(seconds=self._clock() - seen_at)
