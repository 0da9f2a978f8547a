"""Days that count: Monday to Friday without the calendar's holidays, in the account's zone or else the calendar's."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from worker.language.units import Duration
from worker.language.values import Fields
from worker.language.zones import is_no_zone, zone_named
from worker.settings.schedule import Calendar

_SATURDAY = 5


def calendar_of(calendar: Calendar, account: Fields) -> Calendar:
    """The calendar in the time zone of an account, ``account.tz``; unchanged where that names none."""
    zone = zone_named(account.get("account.tz"))
    return calendar if zone is None else calendar.model_copy(update={"zone": zone.key})


def zone_remark(calendar: Calendar, account: Fields) -> str:
    """What to say of an account whose ``account.tz`` names no time zone; empty where it does, or is unknown."""
    name = account.get("account.tz")
    if not is_no_zone(name):
        return ""
    return f'account.tz "{name}" is no time zone: its business days and waits are in {calendar.zone}'


def local_day(calendar: Calendar, moment: datetime) -> date:
    """The calendar's day of a moment."""
    return moment.astimezone(ZoneInfo(calendar.zone)).date()


def add_days(calendar: Calendar, day: date, duration: Duration) -> date:
    """``duration`` in days or business days after ``day``; 0 business days from a day off is the next business day."""
    if duration.kind == "days":
        return day + timedelta(days=duration.n)
    if duration.kind != "business_days":
        raise ValueError(f"{duration} does not count days")
    day = _first_business_day(calendar, day) if duration.n == 0 else day
    for _ in range(duration.n):
        day = _first_business_day(calendar, day + timedelta(days=1))
    return day


def moment_after(calendar: Calendar, start: datetime, duration: Duration) -> datetime:
    """When a wait from ``start`` ends.

    A wait in days ends when the local day begins, so that a run at any time of that day continues.
    """
    if duration.kind == "hours":
        return start + timedelta(hours=duration.n)
    day = add_days(calendar, local_day(calendar, start), duration)
    return datetime.combine(day, time(), ZoneInfo(calendar.zone)).astimezone(UTC)


def _first_business_day(calendar: Calendar, day: date) -> date:
    while day.weekday() >= _SATURDAY or day in calendar.holidays:
        day += timedelta(days=1)
    return day
