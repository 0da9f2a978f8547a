"""Time zones by name."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from worker.language.values import Value


@lru_cache(maxsize=1024)
def zone_named(name: Value) -> ZoneInfo | None:
    """The time zone of this name; None where there is none. Names come from customers' data and from CRMs."""
    if not isinstance(name, str) or not name.strip():
        return None
    try:
        return ZoneInfo(name.strip())
    except (KeyError, ValueError, OSError):
        return None


def is_no_zone(name: Value) -> bool:
    """Whether this is known and names no time zone."""
    return name is not None and str(name).strip() != "" and zone_named(name) is None
