"""What is stale in data of real shapes: working weeks, quiet nights, young companies, zones far from UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.signals.signals_kit import Database, at, product_of
from worker.settings.schedule import ScheduleSettings
from worker.signals.errors import StaleData
from worker.signals.freshness import check_fresh
from worker.signals.source import open_source

MONDAY = at("2026-03-09T05:00")
TUESDAY = at("2026-03-10T05:00")
A_WORKING_DAY = 40
DAILY = ScheduleSettings.model_validate({"version": 1, "schedules": {"d": {"job": "run", "cron": "0 5 * * *"}}})
HOURLY = ScheduleSettings.model_validate({"version": 1, "schedules": {"h": {"job": "run", "cron": "0 * * * *"}}})


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    """The engine that is filled the fastest."""
    return Database("sqlite", tmp_path)


def worked(days: int, until: datetime, zone: str = "UTC", *, weekends: int = 0) -> list[datetime]:
    """Events between nine and five of every working day, in the zone of the people, none at or after ``until``."""
    return sorted(moment for moment in _worked(days, until, ZoneInfo(zone), weekends) if moment < until)


def _worked(days: int, until: datetime, zone: ZoneInfo, weekends: int) -> Iterator[datetime]:
    today = until.astimezone(zone).date()
    for back in range(days + 1):
        day = today - timedelta(days=back)
        many = A_WORKING_DAY if day.weekday() < 5 else weekends
        for n in range(many):
            yield datetime.combine(day, time(9), zone).astimezone(UTC) + timedelta(hours=8) * n / many


def stale(
    database: Database,
    events: list[datetime],
    as_of: datetime,
    schedule: ScheduleSettings = DAILY,
    zone: str = "UTC",
) -> str:
    """Why a run would stop, or nothing."""
    rows = [{"account_id": "a", "user_id": "u", "name": "Used", "occurred_at": moment} for moment in events]
    data: dict[str, list[dict[str, Any]]] = {"accounts": [{"account_id": "a"}], "events": rows}
    database.fill(data)
    with open_source(product_of(database.source, data, time_zone=zone), database.folder) as source:
        volume = source.report(as_of).volume
        try:
            check_fresh(volume, as_of, schedule.max_age(as_of), None, lambda latest: source.usual_since(latest, as_of))
        except StaleData as error:
            return str(error)
    return ""


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
@pytest.mark.parametrize("days", [60, 14])
def test_a_weekend_without_a_single_event_is_no_broken_pipeline(sqlite: Database, days: int, zone: str) -> None:
    for as_of in (MONDAY - timedelta(days=1), MONDAY, MONDAY + timedelta(hours=2), TUESDAY):
        assert stale(sqlite, worked(days, as_of, zone), as_of, zone=zone) == "", as_of


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
@pytest.mark.parametrize("days", [60, 14])
def test_a_pipeline_that_broke_on_thursday_is_found_on_monday_at_the_latest(
    sqlite: Database, days: int, zone: str
) -> None:
    until_thursday = worked(days, at("2026-03-05T10:00"), zone)
    assert "hours old" in stale(sqlite, until_thursday, MONDAY, zone=zone)


def test_the_last_full_day_is_one_of_the_zone_of_the_product(sqlite: Database) -> None:
    """At 5:00 UTC on Tuesday, Monday is over in Auckland and in London, and has four hours to go in Los Angeles."""
    half_a_monday = worked(60, at("2026-03-09T11:00"))
    said = "the last full day has 10 events, usual for that weekday are 40"
    assert said in stale(sqlite, half_a_monday, TUESDAY)
    assert stale(sqlite, worked(60, TUESDAY, "America/Los_Angeles"), TUESDAY, zone="America/Los_Angeles") == ""


def test_a_company_of_less_than_a_week_has_no_rhythm_yet(sqlite: Database) -> None:
    assert stale(sqlite, worked(5, MONDAY), MONDAY) != "", "nothing says that its weekends are quiet"
    assert stale(sqlite, worked(5, MONDAY, weekends=10), MONDAY) == ""


def test_a_quiet_night_stops_no_hourly_run_and_a_silent_day_does(sqlite: Database) -> None:
    night = at("2026-03-11T03:00")
    assert stale(sqlite, worked(60, night), night, HOURLY) == ""
    evening = at("2026-03-11T18:00")
    assert "24 hours are allowed" in stale(sqlite, worked(60, at("2026-03-10T16:00")), evening, HOURLY)


def test_silence_never_becomes_usual(sqlite: Database) -> None:
    last = at("2026-03-05T10:00")
    for weeks in range(1, 9):
        as_of = last + timedelta(weeks=weeks)
        assert "hours old" in stale(sqlite, worked(60, last), as_of), weeks


def test_every_engine_knows_what_is_usual(database: Database) -> None:
    assert stale(database, worked(14, MONDAY), MONDAY) == ""
    assert "hours old" in stale(database, worked(14, at("2026-03-05T10:00")), MONDAY)
