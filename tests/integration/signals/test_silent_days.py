"""Days that the pipeline lost are named, and windows that lost too much of them are unknown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
TODAY = at("2026-03-10")
SIGNALS = signals_of("""
event_lists: {used: [Used]}
signals:
  week: {label: x, from: events, measure: count, window: 7d}
  week_before: {label: x, from: events, measure: count, window: 7d, previous: true}
  people: {label: x, from: events, measure: users, window: 7d, events: used}
  month: {label: x, from: events, measure: count, window: 28d}
  ever: {label: x, from: events, measure: count}
  last: {label: x, from: events, measure: last, window: 7d}
""")
USUAL = 25


def _found(database: Database, silent: set[int]) -> tuple[dict[str, Any], list[str]]:
    """``silent`` days before today have no events; Saturdays and Sundays never have more than one."""
    events = []
    for day in range(1, 60):
        date = TODAY - day * timedelta(days=1)
        number = 0 if day in silent else 1 if date.weekday() > 4 else USUAL
        events += [
            {"account_id": "a", "user_id": "u", "name": "Used", "occurred_at": date + place * timedelta(minutes=9)}
            for place in range(number)
        ]
    tables: dict[str, Any] = {"accounts": [{"account_id": "a"}], "events": events}
    database.fill(tables)
    with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
        said = [sentence for _, sentence in source.report(AS_OF).remarks() if "no events" in sentence]
        return compute(source, source.catalogue.product, SIGNALS, [], AS_OF)["a"], said


def test_a_day_that_is_lost_is_named_and_a_month_bears_it(database: Database) -> None:
    found, said = _found(database, {13})
    assert said == [
        "no events on 2026-02-25, 25 or more are usual: load them again; windows that lost more than 20% are unknown"
    ]
    assert (found["week"], found["week_before"], found["month"]) == (127, 102, 483)


def test_a_window_that_lost_more_than_a_fifth_is_unknown(database: Database) -> None:
    found, said = _found(database, {4, 5, 6, 7})
    assert said[0].startswith("no events on 2026-03-03, 2026-03-04, 2026-03-05, 2026-03-06, 25 or more")
    assert (found["week"], found["people"], found["week_before"], found["month"]) == (None, None, 127, 408)
    assert found["last"] is not None
    assert found["ever"] is not None


@pytest.mark.parametrize("silent", [{2, 3}, {1}, set(range(20, 60))], ids=["weekend", "yesterday", "new product"])
def test_days_on_which_little_is_usual_or_nothing_follows_are_not_silent(database: Database, silent: set[int]) -> None:
    assert _found(database, silent)[1] == []
