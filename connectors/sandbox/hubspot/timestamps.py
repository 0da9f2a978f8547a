"""Times as HubSpot writes and reads them: milliseconds since 1970 inside, ISO 8601 with ``Z`` outside."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

DAY_MS = 86_400_000
_DIGITS = re.compile(r"-?\d+\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


@lru_cache(maxsize=4096)
def iso(ms: int) -> str:
    """``2026-01-02T03:04:05.678Z``; without the fraction when it is zero (recorded)."""
    seconds, rest = divmod(ms, 1000)
    fraction = f".{rest:03d}" if rest else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def milliseconds(text: str) -> int | None:
    """Milliseconds since 1970 of an ISO date, a datetime or epoch milliseconds; None for other text."""
    if _DIGITS.match(text):
        return int(text)
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    if timestamp.tzinfo is None:
        timestamp = timestamp.replace(tzinfo=UTC)
    return round(timestamp.timestamp() * 1000)


@lru_cache(maxsize=4096)
def stored_datetime(text: str) -> str | None:
    """The stored form of a datetime property; None for other text or outside the years 1 to 9999."""
    timestamp = milliseconds(text)
    if timestamp is None:
        return None
    try:
        return iso(timestamp)
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=4096)
def stored_date(text: str) -> str | None:
    """The stored form of a date property; None when ``text`` is no date or has a time part."""
    try:
        if _DATE.match(text):
            return date.fromisoformat(text).isoformat()
        timestamp = milliseconds(text)
        return None if timestamp is None or timestamp % DAY_MS else iso(timestamp)[:10]
    except (ValueError, OverflowError, OSError):
        return None
