"""Stretches of time, computed here so that no database does date arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open ``[start, end)`` in UTC; ``start`` None means since the beginning."""

    start: datetime | None
    end: datetime


def ever(as_of: datetime) -> Window:
    """Everything before ``as_of``."""
    return Window(None, as_of)


def last_days(days: int, as_of: datetime, zone: ZoneInfo) -> Window:
    """The last ``days`` whole days of ``zone`` ending at ``as_of``; the day ``as_of`` falls into counts as one."""
    return Window(midnight(_day_after(as_of, zone) - timedelta(days=days), zone), as_of)


def previous_days(days: int, as_of: datetime, zone: ZoneInfo) -> Window:
    """The window of the same length before `last_days`."""
    end = _day_after(as_of, zone)
    return Window(midnight(end - timedelta(days=2 * days), zone), midnight(end - timedelta(days=days), zone))


def last_full_day(as_of: datetime, zone: ZoneInfo) -> date:
    """The last day of ``zone`` that is over at ``as_of``."""
    return as_of.astimezone(zone).date() - timedelta(days=1)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of ``day`` in ``zone``, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _day_after(as_of: datetime, zone: ZoneInfo) -> date:
    local = as_of.astimezone(zone)
    return local.date() if local.time() == time() else local.date() + timedelta(days=1)


def offsets(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[datetime, timedelta]]:
    """The UTC offsets of ``zone`` between two moments: each with the moment (UTC, to the minute) it took effect.

    For engines that know no time zones.
    """
    found = [(start, _offset(zone, start))]
    moment = start
    while moment < end:
        following = min(moment + timedelta(days=1), end)
        if _offset(zone, following) != found[-1][1]:
            found.append((_change_between(zone, moment, following), _offset(zone, following)))
        moment = following
    return found


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) / 2
        if _offset(zone, middle) == _offset(zone, before):
            before = middle
        else:
            after = middle
    return after.replace(second=0, microsecond=0)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
