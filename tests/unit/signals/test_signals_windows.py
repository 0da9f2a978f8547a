"""Windows are whole days of one zone that end at the last midnight."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.signals.windows import Window, last_days, last_full_day, offsets, previous_days, until_now

MOMENTS = st.integers(0, 10 * 365 * 86_400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]).map(
    ZoneInfo
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_at_midnight_a_week_is_the_seven_days_before() -> None:
    assert last_days(7, utc("2026-03-08"), ZoneInfo("UTC")) == Window(utc("2026-03-01"), utc("2026-03-08"))


def test_the_day_that_has_begun_counts_only_up_to_now() -> None:
    as_of = utc("2026-03-08T09:30")
    assert last_days(7, as_of, ZoneInfo("UTC")) == Window(utc("2026-03-01"), utc("2026-03-08"))
    assert previous_days(7, as_of, ZoneInfo("UTC")) == Window(utc("2026-02-22"), utc("2026-03-01"))
    assert until_now(7, as_of, ZoneInfo("UTC")) == Window(utc("2026-03-01"), as_of)
    assert until_now(0, as_of, ZoneInfo("UTC")) == Window(utc("2026-03-08"), as_of)


def test_days_begin_at_midnight_of_the_configured_zone_also_when_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    window = last_days(2, utc("2026-03-30T10:00"), berlin)
    assert window == Window(utc("2026-03-27T23:00"), utc("2026-03-29T22:00"))  # the 29th has 23 hours
    assert previous_days(2, utc("2026-03-30T10:00"), berlin) == Window(utc("2026-03-25T23:00"), utc("2026-03-27T23:00"))
    assert last_full_day(utc("2026-03-29T22:30"), berlin).isoformat() == "2026-03-29"


@settings(deadline=None)
@given(MOMENTS, ZONES, st.integers(1, 400))
def test_windows_are_whole_days_and_follow_each_other(as_of: datetime, zone: ZoneInfo, days: int) -> None:
    last, previous = last_days(days, as_of, zone), previous_days(days, as_of, zone)
    assert last.start is not None
    assert previous.start is not None
    assert previous.end == last.start
    assert last.end <= as_of < last.end + timedelta(hours=25)
    local = [moment.astimezone(zone) for moment in (previous.start, last.start, last.end)]
    assert [moment.time() for moment in local] == [time()] * 3
    assert [(late.date() - early.date()).days for early, late in pairwise(local)] == [days, days]


@settings(deadline=None)
@given(MOMENTS, ZONES, st.integers(0, 500 * 24 * 60))
def test_listed_offsets_give_the_local_time_of_any_moment(start: datetime, zone: ZoneInfo, minutes: int) -> None:
    start = start.replace(second=0)
    moment = start + timedelta(minutes=minutes)
    held = [shift for since, shift in offsets(zone, start, start + timedelta(days=500)) if since <= moment]
    assert moment.replace(tzinfo=None) + held[-1] == moment.astimezone(zone).replace(tzinfo=None)
