"""Steady use reads as steady at every hour of every day, whatever the zone and its clocks do.

The windows are looked at for every hour of the week in which the clocks change; the engines are asked around midnight
and the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.signals.signals_kit import Database, product_of, signals_of
from worker.language.need import Decay, Need
from worker.language.values import Value
from worker.settings.signals import SignalsSettings
from worker.signals.compute import compute
from worker.signals.measurements import measurements_of
from worker.signals.source import open_source
from worker.signals.table_columns import EARLIEST

Ask = Callable[[SignalsSettings, datetime], dict[str, Value]]
CLOCKS_CHANGE = {
    "UTC": ("2026-03-29", "2026-10-25"),
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "America/Santiago": ("2026-04-04", "2026-09-06"),  # at midnight
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),  # by half an hour
}
WEEKS = """
signals:
  n_7d: {label: x, from: events, measure: count, window: 7d}
  n_prev_7d: {label: x, from: events, measure: count, window: 7d, previous: true}
"""
MORE = """
  n_28d: {label: x, from: events, measure: count, window: 28d}
  n_prev_28d: {label: x, from: events, measure: count, window: 28d, previous: true}
  user_days_7d: {label: x, from: events, measure: user_days, window: 7d}
  user_days_prev_7d: {label: x, from: events, measure: user_days, window: 7d, previous: true}
"""
TYPES = {
    "accounts": {"account_id": "text"},
    "events": {"account_id": "text", "user_id": "text", "name": "text", "occurred_at": "time"},
}
MIDNIGHT, LAST_SECOND = time(0, 0), time(23, 59, 59)
WEEK = {5: [MIDNIGHT], 6: [MIDNIGHT, LAST_SECOND], 0: [MIDNIGHT], 2: [LAST_SECOND]}
"""The local times of use by day of the week, from Monday on: at the edges of the days, also of that of the change."""
OF_WEEKS = {"n_7d": 5, "n_prev_7d": 5}
OF_MORE = {"n_28d": 20, "n_prev_28d": 20, "user_days_7d": 5, "user_days_prev_7d": 5}


def identical_weeks(zone: ZoneInfo, change: date) -> Iterator[dict[str, Any]]:
    """The same local times, ten weeks before ``change`` and three after."""
    for day in (change + timedelta(days=offset) for offset in range(-70, 21)):
        for user, when in enumerate(WEEK.get(day.weekday(), ())):
            at = datetime.combine(day, when, zone).astimezone(UTC)
            yield {"account_id": "a", "user_id": f"u{user % 2}", "name": "Used", "occurred_at": at}


@contextmanager
def opened(database: Database, zone: str, change: str) -> Iterator[Ask]:
    """Identical weeks around a change of the clocks, and a way to ask what is measured of them."""
    events = list(identical_weeks(ZoneInfo(zone), date.fromisoformat(change)))
    database.fill({"accounts": [{"account_id": "a"}], "events": events}, TYPES)
    product = product_of(database.source, TYPES, time_zone=zone)
    with open_source(product, database.folder) as source:
        yield lambda signals, as_of: compute(source, product, signals, [], as_of)["a"]


def midnight(zone: str, day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize("zone", CLOCKS_CHANGE)
def test_the_windows_of_identical_weeks_do_not_change_at_any_hour(zone: str) -> None:
    """Each hour of the week around the day on which the clocks change, twice a year."""
    signals = signals_of(WEEKS + MORE)
    for change in CLOCKS_CHANGE[zone]:
        used = [row["occurred_at"] for row in identical_weeks(ZoneInfo(zone), date.fromisoformat(change))]
        begin = midnight(zone, date.fromisoformat(change))
        for hour in range(-3 * 24, 4 * 24):
            asked = measurements_of(signals, [], begin + timedelta(hours=hour), ZoneInfo(zone))
            windows = {one.name: (one.window.start or EARLIEST, one.window.end) for one in asked}
            found = {name: sum(start <= at < end for at in used) for name, (start, end) in windows.items()}
            assert found == OF_WEEKS | OF_MORE, hour


@pytest.mark.parametrize("kind", ["duckdb", "postgres", "sqlite"])
def test_identical_weeks_do_not_change_at_midnight_and_as_the_clocks_change(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else ""
    database, signals = Database(kind, tmp_path, url), signals_of(WEEKS + MORE)
    for zone, changes in CLOCKS_CHANGE.items():
        for change in changes:
            first, last = (midnight(zone, date.fromisoformat(change) + timedelta(days=day)) for day in (0, 1))
            with opened(database, zone, change) as ask:
                for as_of in (first - timedelta(seconds=1), first + timedelta(hours=2, minutes=15), last):
                    found = ask(signals, as_of)
                    assert found.items() >= (OF_WEEKS | OF_MORE).items(), (zone, as_of)


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
