"""Days, business days and waits in the zone of the account, across the changes of clocks."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import some_of
from tests.unit.rules.playbook_stage import START, TASK, Stage, flags
from worker.language.units import parse_duration
from worker.language.values import Value
from worker.rules.actions import MakeTask
from worker.rules.business_days import add_days, calendar_of, moment_after, zone_remark
from worker.settings.schedule import Calendar

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Los_Angeles",
    "Asia/Kathmandu",
    "Pacific/Auckland",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "America/Havana",  # its clocks change at midnight
)


@pytest.mark.parametrize(
    ("day", "duration", "due"),
    [
        ("2026-03-06", "1bd", "2026-03-09"),  # Friday
        ("2026-03-07", "1bd", "2026-03-09"),  # Saturday
        ("2026-03-07", "0bd", "2026-03-09"),
        ("2026-03-06", "0bd", "2026-03-06"),
        ("2026-03-09", "5bd", "2026-03-17"),  # over a holiday
        ("2026-03-06", "3d", "2026-03-09"),
    ],
)
def test_business_days_leave_out_weekends_and_holidays(day: str, duration: str, due: str) -> None:
    calendar = Calendar(holidays=(date(2026, 3, 11),))
    assert add_days(calendar, date.fromisoformat(day), parse_duration(duration)) == date.fromisoformat(due)


def test_hours_are_no_number_of_days() -> None:
    with pytest.raises(ValueError, match="36h does not count days"):
        add_days(Calendar(), date(2026, 3, 6), parse_duration("36h"))


def test_a_wait_of_days_is_over_when_the_local_day_begins_also_when_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    friday = datetime(2026, 3, 27, 6, tzinfo=berlin)
    over = moment_after(Calendar(zone="Europe/Berlin"), friday, parse_duration("1bd"))
    assert over == datetime(2026, 3, 30, 0, tzinfo=berlin)
    assert over.utcoffset() == timedelta(0)
    assert moment_after(Calendar(), START, parse_duration("36h")) == START + timedelta(hours=36)


@pytest.mark.parametrize("name", [None, "", "Berlin", "Europe/Berln", 7, "../UTC"])
def test_an_account_without_a_zone_has_the_calendar_s(name: Value) -> None:
    calendar = Calendar(zone="Asia/Tokyo", holidays=(date(2026, 3, 11),))
    account = {"account.tz": name}
    assert calendar_of(calendar, account) == calendar
    remark = f'account.tz "{name}" is no time zone: its business days and waits are in Asia/Tokyo'
    assert zone_remark(calendar, account) == ("" if name in (None, "") else remark)
    there = calendar_of(calendar, {"account.tz": "America/New_York"})
    assert (there.zone, there.holidays) == ("America/New_York", calendar.holidays)
    assert zone_remark(calendar, {"account.tz": "America/New_York"}) == ""


def local_workday(day: date, count: int) -> date:
    """The business day so many after a day, counted one by one."""
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


@settings(max_examples=some_of(200))
@given(st.sampled_from(ZONES), st.sampled_from(ZONES), st.integers(0, 24 * 365), st.integers(1, 9), st.booleans())
def test_tasks_are_due_and_waits_end_on_the_days_of_the_account(
    account: str, calendar: str, hours: int, count: int, known: bool
) -> None:
    zone = ZoneInfo(account if known else calendar)
    do = [{"create_task": {**TASK, "due": f"{count}bd"}}, {"wait": f"{count}bd"}, {"create_task": {**TASK, "key": "b"}}]
    on, facts = Stage(do=do), flags(**({"account.tz": account} if known else {}))
    entry = START + timedelta(hours=hours)
    expected = local_workday(entry.astimezone(zone).date(), count)
    run = on.run(hours / 24, {"acme": facts}, calendar=Calendar(zone=calendar))
    [made] = [action for one in run.decisions for action in one.actions if isinstance(action, MakeTask)]
    assert made.due == expected
    due = on.enrollments()["acme"].next_step_at
    assert due is not None
    assert (due.astimezone(zone).date(), (due - timedelta(seconds=1)).astimezone(zone).date()) == (
        expected,
        expected - timedelta(days=1),
    )
    assert due == datetime.combine(expected, time(), zone)
