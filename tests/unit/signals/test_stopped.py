"""An event that stops, or nearly so, while others go on is seen; one that comes in bursts or grows quiet is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from worker.signals.data_report import DataReport, EventFindings
from worker.signals.stopped import stopped_events

LAST = date(2026, 3, 10)
DAYS = [LAST - timedelta(days=day) for day in range(34, -1, -1)]


def findings(name: str, number: Callable[[int], int]) -> EventFindings:
    """An event with ``number`` of occurrences so many days before the last one."""
    days = {day: number((LAST - day).days) for day in DAYS}
    days = {day: count for day, count in days.items() if count}
    first = datetime.combine(min(days, default=LAST), datetime.min.time(), UTC) if days else None
    return EventFindings(name=name, total=sum(days.values()), first=first, last=None, days=days)


def stopped(number: Callable[[int], int], *others: EventFindings) -> dict[str, str | None]:
    events = [findings("Report Created", number), findings("Opened", lambda _: 500), *others]
    return stopped_events({one.name: one for one in events}, LAST)


@given(busy=st.integers(100, 5000), trickle=st.integers(0, 10), days=st.integers(1, 25))
def test_what_falls_to_less_than_a_tenth_has_stopped_for_as_long_as_that_shows(
    busy: int, trickle: int, days: int
) -> None:
    assert stopped(lambda ago: trickle if ago < days else busy) == {"Report Created": None}


@given(busy=st.integers(100, 5000), left=st.integers(11, 300), days=st.integers(0, 25))
def test_what_only_falls_goes_on(busy: int, left: int, days: int) -> None:
    assert stopped(lambda ago: busy * left // 100 if ago < days else busy) == {}


@given(burst=st.integers(20, 5000), age=st.integers(0, 27))
def test_what_comes_once_a_month_has_not_stopped_in_between(burst: int, age: int) -> None:
    assert stopped(lambda ago: burst if ago == age else 0) == {}


def test_what_comes_every_week_has_stopped_when_it_does_not_come() -> None:
    assert stopped(lambda ago: 300 if ago % 7 == 0 and ago else 0) == {"Report Created": None}


@given(usual=st.integers(1, 500), times=st.integers(1, 1000), age=st.integers(0, 34))
def test_one_busy_day_makes_no_usual_day_silent(usual: int, times: int, age: int) -> None:
    assert stopped(lambda ago: times * usual if ago == age else usual) == {}


def test_a_quiet_holiday_hides_no_event_that_stopped() -> None:
    assert stopped(lambda ago: 5 if ago < 3 or 14 <= ago < 17 else 100) == {"Report Created": None}


def test_the_event_that_began_is_named_also_while_old_clients_go_on() -> None:
    successor = findings("report_created", lambda ago: 95 if ago < 3 else 0)
    assert stopped(lambda ago: 5 if ago < 3 else 100, successor) == {"Report Created": "report_created"}


def test_where_everything_grows_quiet_no_event_has_stopped() -> None:
    events = [findings(name, lambda ago: 0 if ago < 3 else 100) for name in ("Report Created", "Opened")]
    assert stopped_events({one.name: one for one in events}, LAST) == {}


def test_the_report_says_what_still_came_on_the_last_whole_day() -> None:
    events = [findings("Report Created", lambda ago: 5 if ago < 3 else 100), findings("Opened", lambda _: 500)]
    by_name = {one.name: replace(one, days={**one.days, LAST + timedelta(days=1): 1}) for one in events}
    report = DataReport(
        as_of=datetime(2026, 3, 11, 5, tzinfo=UTC),
        tables=(),
        events=by_name,
        stopped=stopped_events(by_name, LAST),
        last_day=LAST,
    )
    sentence = '"Report Created" stopped for all accounts (but 5 of 2026-03-10) while other events go on'
    assert list(report.remarks()) == [("events", sentence)]
