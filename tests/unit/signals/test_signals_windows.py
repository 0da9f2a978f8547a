"""Windows are whole days of one zone that end at the moment asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.signals.windows import Window, last_days, last_full_day, offsets, previous_days

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


def test_during_a_day_that_day_counts_as_one() -> None:
    assert last_days(7, utc("2026-03-08T09:30"), ZoneInfo("UTC")) == Window(utc("2026-03-02"), utc("2026-03-08T09:30"))
    assert previous_days(7, utc("2026-03-08T09:30"), ZoneInfo("UTC")) == Window(utc("2026-02-23"), utc("2026-03-02"))


def test_days_begin_at_midnight_of_the_configured_zone_also_when_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    window = last_days(2, utc("2026-03-30T10:00"), berlin)
    assert window.start == utc("2026-03-28T23:00")  # the 29th has 23 hours
    assert previous_days(2, utc("2026-03-30T10:00"), berlin) == Window(utc("2026-03-26T23:00"), utc("2026-03-28T23:00"))
    assert last_full_day(utc("2026-03-29T22:30"), berlin).isoformat() == "2026-03-29"


@settings(deadline=None)
@given(MOMENTS, ZONES, st.integers(1, 400))
def test_the_window_before_ends_where_the_window_begins(as_of: datetime, zone: ZoneInfo, days: int) -> None:
    last, previous = last_days(days, as_of, zone), previous_days(days, as_of, zone)
    assert last.start is not None
    assert previous.start is not None
    assert previous.end == last.start
    assert timedelta(days=days - 1) <= as_of - last.start + timedelta(hours=2)
    assert as_of - last.start <= timedelta(days=days, hours=2)
    local = [moment.astimezone(zone) for moment in (previous.start, last.start)]
    assert (local[1].date() - local[0].date()).days == days


@settings(deadline=None)
@given(MOMENTS, ZONES, st.integers(0, 500 * 24 * 60))
def test_listed_offsets_give_the_local_time_of_any_moment(start: datetime, zone: ZoneInfo, minutes: int) -> None:
    start = start.replace(second=0)
    moment = start + timedelta(minutes=minutes)
    held = [shift for since, shift in offsets(zone, start, start + timedelta(days=500)) if since <= moment]
    assert moment.replace(tzinfo=None) + held[-1] == moment.astimezone(zone).replace(tzinfo=None)
