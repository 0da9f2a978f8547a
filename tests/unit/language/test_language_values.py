"""Values as people read them and as the store keeps them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from worker.language.need import Need
from worker.language.values import Value, tidy, value_from_json, value_to_json

NOON = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        ("  ", "unknown"),
        (True, "yes"),
        (False, "no"),
        (12.5, "12.5"),
        (3, "3"),
        (date(2026, 11, 23), "2026-11-23"),
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23"),
        (NOON, "2026-11-23 12:30 UTC"),
        (NOON.astimezone(timezone(timedelta(hours=9))), "2026-11-23 12:30 UTC"),
    ],
)
def test_a_value_reads_as_a_person_writes_it(value: Value, shown: str) -> None:
    assert tidy(value) == shown


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "2026-11-23", date(2026, 11, 23), NOON])
def test_a_value_comes_back_from_json_as_itself(value: Value) -> None:
    back = value_from_json(value_to_json(value))
    assert (back, type(back)) == (value, type(value))


def test_a_need_shows_the_text_under_which_its_value_stands() -> None:
    assert f"{Need('count', 'Report Created', 7)}, {Need('field', 'seats')}" == "count(Report Created, 7d), seats"
