"""What databases answer becomes plain values: UTC, finite, without noise in the last digits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.signals.decode import by_kind, moment, number, turned

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (None, None),
        (Decimal("12.50"), 12.5),
        (Decimal(7), 7),
        (7.0, 7),
        (float("inf"), None),
        (float("nan"), None),
        (100051.24000000002, 100051.24),
        (0.1 + 0.2, 0.3),
    ],
)
def test_numbers_are_finite_and_tidy(found: Any, value: Any) -> None:
    assert number(found) == value
    assert type(number(found)) is type(value)


@pytest.mark.parametrize(
    "found",
    [
        datetime(2026, 3, 1, 12),  # noqa: DTZ001 - what DuckDB gives
        datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))),
        "2026-03-01 12:00:00",
    ],
)
def test_a_time_is_utc_however_the_engine_gives_it(found: Any) -> None:
    answer = moment(found)
    assert answer == NOON
    assert answer is not None
    assert answer.tzinfo is UTC


def test_a_date_is_its_first_moment_and_nonsense_is_unknown() -> None:
    assert moment(date(2026, 3, 1)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert moment("2026-02-31 00:00:00") is None


@pytest.mark.parametrize(
    ("found", "kind", "value"),
    [
        ("  ", "text", None),
        (" Pro ", "text", "Pro"),
        (1, "flag", True),
        ("12.5", "props", 12.5),
        ("007", "props", "007"),
        ("n/a", "props", "n/a"),
        (Decimal("1.5"), "extra", 1.5),
    ],
)
def test_a_value_is_what_our_schema_means(found: Any, kind: str, value: Any) -> None:
    assert by_kind(found, kind) == value


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_days_since_are_completed_and_days_until_are_begun(gap: timedelta) -> None:
    since, until = turned(NOON - gap, "days_since", NOON), turned(NOON + gap, "days_until", NOON)
    assert isinstance(since, int)
    assert isinstance(until, int)
    assert timedelta(days=since) <= gap < timedelta(days=since + 1)
    assert timedelta(days=until - 1) < gap <= timedelta(days=until)


@pytest.mark.parametrize("kind", ["text", "id", "extra"])
def test_text_has_no_nul(kind: str) -> None:
    assert by_kind(" Ac\0me ", kind) == "Acme"
    assert by_kind("\0", kind) is None
