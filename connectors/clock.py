"""The only place that reads the clock. Scores, rules and plans take ``as_of`` instead."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def unix_time() -> float:
    """Seconds since 1970, by the system clock."""
    return time.time()


def stopwatch() -> float:
    """Seconds that only grow, whatever happens to the system clock."""
    return time.monotonic()
