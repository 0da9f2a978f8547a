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
    """``days`` whole days of ``zone`` that end at the last midnight: the day that has begun is not among them."""
    return _days_before(days, _today(as_of, zone), zone)


def previous_days(days: int, as_of: datetime, zone: ZoneInfo) -> Window:
    """The window of the same length before `last_days`."""
    return _days_before(days, _today(as_of, zone) - timedelta(days=days), zone)


def until_now(days: int, as_of: datetime, zone: ZoneInfo) -> Window:
    """`last_days` and the day that has begun, up to ``as_of``. No days: the day that has begun alone."""
    return Window(midnight(_today(as_of, zone) - timedelta(days=days), zone), as_of)


def last_full_day(as_of: datetime, zone: ZoneInfo) -> date:
    """The last day of ``zone`` that is over at ``as_of``."""
    return _today(as_of, zone) - timedelta(days=1)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of ``day`` in ``zone``, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _today(as_of: datetime, zone: ZoneInfo) -> date:
    return as_of.astimezone(zone).date()


def _days_before(days: int, end: date, zone: ZoneInfo) -> Window:
    return Window(midnight(end - timedelta(days=days), zone), midnight(end, zone))


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
