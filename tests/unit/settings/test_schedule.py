"""Schedules: cron text is checked when it is read, and a slot is the same moment for every worker."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.settings.known import Known
from worker.settings.schedule import Retention, Schedule, ScheduleSettings, check_schedule
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
        ('cron: "0 0 */31 * 1#5"', "never happens"),  # a first of the month that is its fifth Monday
        ('cron: "0 5 * * *"\n    zone: Europe/Berln', 'Did you mean "Europe/Berlin"?'),
        ('cron: "0 5 * * *"\n    every: day', 'unknown setting "every" in daily'),
    ],
)
def test_a_wrong_schedule_is_refused(line: str, says: str) -> None:
    (message,) = messages(f"version: 1\nschedules:\n  daily:\n    job: run\n    {line}\n")
    assert says in message


def test_an_unknown_job_is_refused_with_a_guess() -> None:
    text = 'version: 1\nschedules: {a: {job: readback, cron: "0 5 * * *"}}\n'
    assert messages(text) == ['"readback" is not one of: run, deliver, read_back, prune. Did you mean "read_back"?']


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
    finding, _ = check_schedule(settings, Known())
    assert finding.severity == "warning"
    assert "job: deliver" in finding.message


@pytest.mark.parametrize("enabled", [True, False])
def test_a_database_that_nothing_prunes_is_warned_of(enabled: bool) -> None:
    jobs = ("run", "deliver", "prune")
    named = {job: {"job": job, "cron": "0 5 * * *", "enabled": job != "prune" or enabled} for job in jobs}
    findings = list(check_schedule(ScheduleSettings.model_validate({"version": 1, "schedules": named}), Known()))
    assert [finding.severity for finding in findings] == ([] if enabled else ["warning"])
    for finding in findings:
        assert 'grows for ever; add prune: {job: prune, cron: "30 3 * * *"} to "schedules"' in finding.message


def settings_of(*crons: str, zone: str = "UTC", **more: object) -> ScheduleSettings:
    named = {f"s{n}": {"job": "run", "cron": cron, "zone": zone} for n, cron in enumerate(crons)}
    return ScheduleSettings.model_validate({"version": 1, "schedules": named, **more})


@pytest.mark.parametrize(
    ("settings", "hours"),
    [
        (settings_of("0 5 * * *"), 48),
        (settings_of("0 5 * * *", stale_after="12h"), 12),
        (settings_of("0 5 * * *", stale_after="7d"), 168),
        (settings_of("0 */12 * * *"), 24),
        (settings_of("*/5 * * * *"), 24),
        (settings_of("0 5 * * 1"), 336),
        (settings_of("0 5 * * 1", "0 5 * * *"), 48),
        (settings_of(), 48),
    ],
)
def test_data_may_be_twice_as_old_as_runs_are_apart_and_a_day_at_least(settings: ScheduleSettings, hours: int) -> None:
    assert settings.max_age(datetime(2026, 3, 11, 12, tzinfo=UTC)) == timedelta(hours=hours)


def test_on_working_days_only_monday_looks_back_over_the_weekend() -> None:
    settings = settings_of("0 5 * * 1-5")
    monday = datetime(2026, 3, 9, 5, tzinfo=UTC)
    assert settings.max_age(monday) == timedelta(hours=144)
    assert settings.max_age(monday + timedelta(days=1)) == timedelta(hours=48)


def test_a_schedule_that_is_off_or_does_something_else_says_nothing_of_the_age() -> None:
    settings = ScheduleSettings.model_validate(
        {
            "version": 1,
            "schedules": {
                "a": {"job": "run", "cron": "0 5 1 * *", "enabled": False},
                "b": {"job": "deliver", "cron": "0 5 1 * *"},
                "c": {"job": "run", "cron": "0 5 * * 1"},
            },
        }
    )
    assert settings.max_age(datetime(2026, 3, 11, 12, tzinfo=UTC)) == timedelta(days=14)


def slots(cron: str, zone: str, start: str, end: str) -> list[str]:
    """Every slot of a stretch of UTC, as a scheduler that looks every minute finds them."""
    clock, at, last = schedule(cron, zone), datetime.fromisoformat(start), datetime.fromisoformat(end)
    found = []
    seen = clock.latest_slot(at)
    while at <= last:
        latest = clock.latest_slot(at)
        if latest != seen:
            found.append(f"{latest:%d %H:%M}")
            seen = latest
        at += timedelta(minutes=1)
    return found


SPRING = ("2026-03-28T12:00Z", "2026-03-30T12:00Z")
AUTUMN = ("2026-10-24T12:00Z", "2026-10-26T12:00Z")


@pytest.mark.parametrize(
    ("cron", "zone", "stretch", "due"),
    [
        # a daily slot inside the hour that spring skips (2:00 to 3:00): once, at the first minute that exists
        ("30 2 * * *", "Europe/Berlin", SPRING, ["29 01:00", "30 00:30"]),
        ("30 2 * * *", "America/New_York", ("2026-03-07T12:00Z", "2026-03-09T12:00Z"), ["08 07:00", "09 06:30"]),
        ("15 2 * * *", "Australia/Lord_Howe", ("2026-10-03T00:00Z", "2026-10-04T23:00Z"), ["03 15:30", "04 15:15"]),
        # a daily slot inside the hour that autumn doubles: once
        ("30 2 * * *", "Europe/Berlin", AUTUMN, ["25 00:30", "26 01:30"]),
        ("30 1 * * *", "America/New_York", ("2026-10-31T12:00Z", "2026-11-02T12:00Z"), ["01 05:30", "02 06:30"]),
        ("45 1 * * *", "Australia/Lord_Howe", ("2026-04-04T00:00Z", "2026-04-05T23:00Z"), ["04 14:45", "05 15:15"]),
    ],
)
def test_a_daily_slot_in_an_hour_that_is_skipped_or_doubled_is_due_once(
    cron: str, zone: str, stretch: tuple[str, str], due: list[str]
) -> None:
    assert slots(cron, zone, *stretch) == due


@pytest.mark.parametrize("night", ["2026-03-28T22:00Z", "2026-10-24T22:00Z"])
def test_a_slot_every_half_hour_stays_every_half_hour_through_both_changes(night: str) -> None:
    end = datetime.fromisoformat(night) + timedelta(hours=6)
    found = slots("*/30 * * * *", "Europe/Berlin", night, end.isoformat())
    assert found == [f"{datetime.fromisoformat(night) + timedelta(minutes=30 * n):%d %H:%M}" for n in range(1, 13)]


def test_a_slot_more_than_thirty_years_ago_is_none() -> None:
    leap_monday = schedule("0 0 * 2 MON#5")  # 29 February on a Monday
    assert leap_monday.latest_slot(datetime(2050, 1, 1, tzinfo=UTC)) == datetime(2044, 2, 29, tzinfo=UTC)
    assert leap_monday.latest_slot(datetime(2111, 1, 1, tzinfo=UTC)) is None
    assert leap_monday.interval(datetime(2111, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("kept", ["6d", "167h", "100 runs", "30bd"])
def test_nothing_is_kept_for_less_than_a_week_or_by_another_measure_than_days(kept: str) -> None:
    with pytest.raises(ValidationError, match="at least 7d"):
        Retention.model_validate({"ledger": kept})
