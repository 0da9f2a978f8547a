"""Steady use reads as steady at every hour of every day, whatever the zone and its clocks do.

Every hour is asked of the windows themselves, and hours of all kinds (31 apart) of the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.signals.signals_kit import Database, product_of, signals_of
from worker.language.need import Decay, Need
from worker.signals.compute import compute
from worker.signals.source import open_source
from worker.signals.windows import last_days, previous_days

CLOCKS_CHANGE = {
    "UTC": ("2026-03-29", "2026-10-25"),
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "America/Santiago": ("2026-04-04", "2026-09-06"),  # at midnight
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),  # by half an hour
}
SIGNALS = """
signals:
  n_7d: {label: x, from: events, measure: count, window: 7d}
  n_prev_7d: {label: x, from: events, measure: count, window: 7d, previous: true}
  n_28d: {label: x, from: events, measure: count, window: 28d}
  n_prev_28d: {label: x, from: events, measure: count, window: 28d, previous: true}
  user_days_7d: {label: x, from: events, measure: user_days, window: 7d}
  user_days_prev_7d: {label: x, from: events, measure: user_days, window: 7d, previous: true}
"""
OF_A_DAY = [time(0, 0), time(0, 30), time(2, 30), time(9, 15), time(17, 0), time(23, 59, 59)]


def identical_weeks(zone: ZoneInfo, change: date) -> Iterator[dict[str, Any]]:
    """Monday to Friday at the same local times, ten weeks before ``change`` and three after."""
    for day in (change + timedelta(days=offset) for offset in range(-70, 21)):
        for user, when in enumerate(OF_A_DAY if day.weekday() < 5 else ()):
            at = datetime.combine(day, when, zone).astimezone(UTC)
            yield {"account_id": "a", "user_id": f"u{user % 2}", "name": "Used", "occurred_at": at}


@pytest.mark.parametrize("zone", CLOCKS_CHANGE)
def test_identical_weeks_fill_the_windows_alike_at_every_hour(zone: str) -> None:
    local = ZoneInfo(zone)
    for change in map(date.fromisoformat, CLOCKS_CHANGE[zone]):
        moments = [row["occurred_at"] for row in identical_weeks(local, change)]
        begin = datetime.combine(change - timedelta(days=1), time(), local).astimezone(UTC)
        for as_of in (begin + timedelta(hours=hour, minutes=1) for hour in range(9 * 24)):
            windows = [make(days, as_of, local) for days in (7, 28) for make in (last_days, previous_days)]
            held = [sum(window.start <= moment < window.end for moment in moments) for window in windows]
            week = 5 * len(OF_A_DAY)
            assert held == [week, week, 4 * week, 4 * week], as_of


@pytest.mark.parametrize("zone", CLOCKS_CHANGE)
def test_identical_weeks_do_not_change_in_the_query(zone: str, tmp_path: Path) -> None:
    changes = [date.fromisoformat(day) for day in CLOCKS_CHANGE[zone]]
    database = Database("duckdb", tmp_path)
    for change in changes:
        database.fill({"accounts": [{"account_id": "a"}], "events": list(identical_weeks(ZoneInfo(zone), change))})
        product = product_of(database.source, ["accounts", "events"], time_zone=zone)
        begin = datetime.combine(change - timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
        with open_source(product, database.folder) as source:
            for hour in range(0, 9 * 24, 31):
                as_of = begin + timedelta(hours=hour)
                found = compute(source, product, signals_of(SIGNALS), [Need("count", "Used", 7)], as_of)["a"]
                week = 5 * len(OF_A_DAY)
                assert (found["n_7d"], found["n_prev_7d"], found["count(Used, 7d)"]) == (week, week, week), as_of
                assert (found["n_28d"], found["n_prev_28d"]) == (4 * week, 4 * week), as_of
                assert (found["user_days_7d"], found["user_days_prev_7d"]) == (10, 10), as_of


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_the_longest_windows_and_half_lives_count_everything(kind: str, tmp_path: Path) -> None:
    database = Database(kind, tmp_path)
    used = {"account_id": "a", "user_id": "u", "name": "Used"}
    times = [datetime(year, 6, 30, 22, 30, tzinfo=UTC) for year in (1991, 1999, 2026)]
    database.fill({"accounts": [{"account_id": "a"}], "events": [{**used, "occurred_at": when} for when in times]})
    product = product_of(database.source, ["accounts", "events"], time_zone="Europe/Berlin")
    signals = signals_of("signals: {n: {label: x, from: events, measure: days, window: 36500d}}")
    slow = Need("decayed", "Used", decay=Decay(timedelta(weeks=36_500), 1))
    with open_source(product, database.folder) as source:
        found = compute(source, product, signals, [slow], datetime(2026, 7, 2, 12, tzinfo=UTC))["a"]
    assert found["n"] == 3
    assert found[slow.key] == pytest.approx(3, abs=0.1)
