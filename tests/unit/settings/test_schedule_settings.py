"""Schedules: cron text is checked when it is read, and a slot is the same moment whoever asks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.settings.known import Known
from worker.settings.schedule import Schedule, ScheduleSettings, check_schedule
from worker.settings.validation import validate
from worker.settings.yaml_document import read_document


def schedule(cron: str, zone: str = "UTC") -> Schedule:
    return Schedule(job="run", cron=cron, zone=zone)


def messages(text: str) -> list[str]:
    _, problems = validate(ScheduleSettings, read_document("schedule.yaml", text.encode()))
    return [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('cron: "0 5 * *"', "expected five parts"),
        ('cron: "0 0 5 * * *"', "expected five parts"),
        ('cron: "61 5 * * *"', "bad minute"),
        ('cron: "0 0 31 2 *"', "day-of-month"),
        ('cron: "0 0 L/2 * 1-L"', "is not a cron time"),
        ('cron: "0 5 * * *"\n    zone: Europe/Berln', 'Did you mean "Europe/Berlin"?'),
        ('cron: "0 5 * * *"\n    every: day', 'unknown setting "every" in daily'),
    ],
)
def test_a_wrong_schedule_is_refused(line: str, says: str) -> None:
    (message,) = messages(f"version: 1\nschedules:\n  daily:\n    job: run\n    {line}\n")
    assert says in message


def test_an_unknown_job_is_refused_with_a_guess() -> None:
    text = 'version: 1\nschedules: {a: {job: readback, cron: "0 5 * * *"}}\n'
    assert messages(text) == ['"readback" is not one of: run, deliver, read_back. Did you mean "read_back"?']


@pytest.mark.parametrize("text", ["0", "2 runs", "3bd"])
def test_data_grows_stale_in_hours_or_days(text: str) -> None:
    assert messages(f'version: 1\nstale_after: "{text}"\n')


def test_the_calendar_takes_dates_only() -> None:
    read = ScheduleSettings.model_validate({"version": 1, "calendar": {"holidays": [date(2026, 12, 25), "2027-01-01"]}})
    assert read.calendar.holidays == (date(2026, 12, 25), date(2027, 1, 1))
    assert messages("version: 1\ncalendar: {holidays: [20261225]}\n") == ["expected a date (YYYY-MM-DD)"]


def test_a_slot_that_is_now_is_due() -> None:
    at = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
    assert schedule("0 5 * * *").latest_slot(at) == at
    assert schedule("0 5 * * *").latest_slot(at - timedelta(seconds=1)) == at - timedelta(days=1)
    assert schedule("0 5 * * *").next_slot(at) == at + timedelta(days=1)


def test_a_zone_moves_the_slot() -> None:
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert schedule("0 5 * * *", "Europe/Berlin").latest_slot(at) == datetime(2026, 7, 1, 3, tzinfo=UTC)


def test_summer_time_skips_no_day_and_doubles_none() -> None:
    clock = schedule("30 2 * * *", "Europe/Berlin")
    slots, at = [], datetime(2026, 3, 27, tzinfo=UTC)
    while at < datetime(2026, 11, 1, tzinfo=UTC):
        at = clock.next_slot(at)
        slots.append(at)
    gaps = {after - before for before, after in pairwise(slots)}
    assert gaps <= {
        timedelta(hours=hours, minutes=minutes) for hours, minutes in [(23, 0), (23, 30), (24, 0), (24, 30), (25, 0)]
    }
    assert len(slots) == len({slot.astimezone(UTC).date() for slot in slots})


def test_the_next_slot_is_never_in_the_past_while_an_hour_repeats() -> None:
    second_pass = datetime(2026, 10, 25, 1, 45, tzinfo=UTC)  # 02:45 for the second time in Berlin
    assert schedule("50 2 * * *", "Europe/Berlin").next_slot(second_pass) == datetime(2026, 10, 26, 1, 50, tzinfo=UTC)


def test_a_rare_slot_is_found_and_an_impossible_past_is_none() -> None:
    assert schedule("0 0 29 2 *").latest_slot(datetime(2026, 11, 23, tzinfo=UTC)) == datetime(2024, 2, 29, tzinfo=UTC)


@given(
    st.integers(0, 730 * 24 * 60 * 60).map(
        lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    ),
    st.sampled_from(["*/5 * * * *", "0 5 * * *", "30 2 * * *", "15 1,2,3 * * 0", "0 */4 * * *", "0 0 1 * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_no_slot_lies_between_the_latest_and_now(as_of: datetime, cron: str, zone: str) -> None:
    clock = schedule(cron, zone)
    latest = clock.latest_slot(as_of)
    assert latest is not None
    assert latest <= as_of < clock.next_slot(latest)
    assert clock.next_slot(as_of) > as_of


def test_a_run_that_nobody_delivers_is_warned_of() -> None:
    settings = ScheduleSettings(version=1, schedules={"daily": schedule("0 5 * * *")})
    (finding,) = check_schedule(settings, Known())
    assert finding.severity == "warning"
