"""A record keeps what a lagging search and a curious client may still ask for, however often it is written."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.hubspot.record import Record, Source

US = Source("INTEGRATION", "1")


def written(times: int, step_ms: int = 1000) -> Record:
    record = Record(id="1", values={"name": "n", "city": "Oslo"}, created_ms=0, updated_ms=0)
    record.writes.append((0, US, dict(record.values)))
    for number in range(1, times + 1):
        record.set({"name": str(number)}, "modified", number * step_ms, US)
    return record


def seen_at(record: Record, ms: int) -> Mapping[str, str]:
    values = record.seen_at(ms)
    assert values is not None
    return values


@given(times=st.integers(0, 60), ago_s=st.integers(0, 60))
def test_search_sees_the_values_of_that_moment(times: int, ago_s: int) -> None:
    record = written(times)
    moment = max(0, times - ago_s)
    seen = seen_at(record, moment * 1000)
    assert seen["name"] == (str(moment) if moment else "n")
    assert ("modified" in seen) is (moment > 0)
    assert seen["city"] == "Oslo"


@given(times=st.integers(1, 400), ago=st.integers(0, 400))
def test_a_record_written_very_often_is_seen_as_far_back_as_its_history_goes(times: int, ago: int) -> None:
    record = written(times, step_ms=10)
    moment = max(0, times - ago)
    seen = seen_at(record, moment * 10)
    number = 0 if seen["name"] == "n" else int(seen["name"])
    assert number == moment if ago < 60 else number >= moment
    assert seen["city"] == "Oslo"


def test_search_does_not_see_a_record_before_it_is_visible_or_once_it_is_archived() -> None:
    record = Record(id="1", values={"name": "n"}, created_ms=0, updated_ms=0, visible_ms=500)
    assert record.seen_at(499) is None
    assert record.seen_at(500) == {"name": "n"}
    record.archived_ms = 900
    assert record.seen_at(900) is None


def test_the_history_of_a_thousand_writes_is_short_and_forgets_no_property() -> None:
    record = written(1000)
    history = record.history("name")
    assert [change.value for change in history[-3:]] == ["998", "999", "1000"]
    assert [change.at_ms for change in history] == sorted(change.at_ms for change in history)
    assert len(record.writes) <= 128
    assert [change.value for change in record.history("city")] == ["Oslo"]


def test_writing_the_same_again_is_no_change() -> None:
    record = written(1)
    record.set({"name": "1"}, "modified", 99_000, US)
    assert (record.updated_ms, record.values["modified"]) == (1000, "1970-01-01T00:00:01Z")
    assert len(record.writes) == 2
