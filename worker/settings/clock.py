"""The only place that reads the clock. Everything else is handed ``as_of``."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def stopwatch() -> float:
    """Seconds that only grow, whatever is done to the clock; for measuring how long something takes."""
    return time.monotonic()
