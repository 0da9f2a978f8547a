"""Days without events in the midst of busy ones: the pipeline lost them, and what counts them is too low."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from worker.signals.data_report import SilentDays
from worker.signals.windows import midnight

_WEEKS = 5
_ENOUGH = 20
"""So many events are usual on this weekday: no chance."""
_HARDLY_ANY = 0.02
"""A few events arrive late or are sent by hand."""


def silent_days(events: Mapping[date, int], last_day: date, zone: ZoneInfo, allowed: float) -> SilentDays:
    """The silent ones of the last five weeks' days up to ``last_day``; ``events`` is their number by day.

    ``allowed`` is the share of a window's events that may be missing.

    A silent day has busy ones before and after it, and its weekday is busy in at least two of the other weeks.
    """
    days = [last_day - timedelta(days=day) for day in range(7 * _WEEKS)]
    busy = [day for day in days if events.get(day)]
    known = [day for day in days if busy and min(busy) <= day <= max(busy)]
    usual = {day: _usual(events, day, known) for day in known}
    found = {
        day: expected
        for day, expected in usual.items()
        if expected >= _ENOUGH and events.get(day, 0) < _HARDLY_ANY * expected and min(busy) < day < max(busy)
    }
    as_usual = [found.get(day, events.get(day, 0)) for day in known]
    return SilentDays(
        usual={midnight(day, zone): found[day] for day in sorted(found)},
        days=tuple(sorted(found)),
        allowed=allowed,
        a_day=sum(as_usual) / len(as_usual) if as_usual else 0.0,
    )


def _usual(events: Mapping[date, int], day: date, known: list[date]) -> float:
    """The median number on the same weekday of the other weeks; 0 with fewer than two."""
    others = [events.get(one, 0) for one in known if one != day and one.weekday() == day.weekday()]
    return float(median(others)) if len(others) > 1 else 0.0
