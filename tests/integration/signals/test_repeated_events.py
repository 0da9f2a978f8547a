"""Events that are delivered more than once count once, whatever their ids look like and however many repeat."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import some_of
from tests.integration.signals.signals_kit import TYPES, Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
SIGNALS = signals_of(
    """
    signals:
      used: {label: x, from: events, measure: count, events: [Used]}
      late: {label: x, from: events, measure: count, events: [Used], where: {props.late: "yes"}}
    """
)
WORDS = ("NULL", "-", "", None)
"""Ids that name no event: each such row is an event of its own."""
CLEAN = st.sampled_from(["e1", "e2", "E1", "7", *WORDS])
UNCLEAN = st.sampled_from(["e1", " e1", "e1\u00a0", "e2", "e\u0301", "\u00e9", *WORDS])
TYPED = {**TYPES, "events": TYPES["events"] | {"event_id": "text"}}


def key_of(written: str | None) -> str | None:
    """The id that a cell says, by hand."""
    text = (written or "").replace("e\u0301", "\u00e9").strip(" \u00a0")
    return None if text.casefold() in {"null", "-", ""} else text


@st.composite
def deliveries(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of two accounts; every row of one id arrives at another time, and only the latest that has counts."""
    ids = draw(st.lists(draw(st.sampled_from([CLEAN, UNCLEAN])), min_size=1, max_size=12))
    arrival = st.integers(-30, 4)
    hours = draw(st.lists(arrival, min_size=len(ids), max_size=len(ids), unique=True))
    accounts = {key: draw(st.sampled_from("ab")) for key in sorted({key_of(one) or "" for one in ids})}
    return [
        {
            "account_id": accounts[key_of(written) or ""],
            "user_id": "u",
            "name": "Used",
            "event_id": written,
            "occurred_at": at("2026-03-01"),
            "received_at": AS_OF + timedelta(hours=hour),
            "props": {"late": "yes" if hour > -10 else "no"},
        }
        for written, hour in zip(ids, hours, strict=True)
    ]


def expected(rows: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """How many events of each account had arrived, and how many of these in their latest arrival are late ones."""
    latest: dict[object, dict[str, Any]] = {}
    for place, row in enumerate(sorted(rows, key=lambda row: row["received_at"])):
        if row["received_at"] <= AS_OF:
            latest[key_of(row["event_id"]) or place] = row
    used = Counter(row["account_id"] for row in latest.values())
    late = Counter(row["account_id"] for row in latest.values() if row["props"]["late"] == "yes")
    return {account: (used[account], late[account]) for account in "ab"}


def measured(database: Database, rows: list[dict[str, Any]], *, looked: bool) -> tuple[dict[str, tuple[Any, Any]], int]:
    """What the query finds, and how many repeats a look reports; 0 without one."""
    repeats = 0
    database.fill({"accounts": [{"account_id": "a"}, {"account_id": "b"}], "events": rows}, TYPED)
    product = product_of(database.source, ["accounts", "events"])
    with open_source(product, database.folder, AS_OF) as source:
        if looked:
            table = source.report(AS_OF).table("events")
            assert table is not None
            repeats = table.repeats
        found = compute(source, product, SIGNALS, [], AS_OF)
    return {account: (row["used"], row["late"]) for account, row in found.items()}, repeats


@pytest.mark.parametrize("looked", [True, False])
@settings(max_examples=some_of(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=deliveries())
def test_every_event_counts_once_and_its_latest_arrival_says_what_it_was(
    database: Database, looked: bool, rows: list[dict[str, Any]]
) -> None:
    found, repeats = measured(database, rows, looked=looked)
    assert found == expected(rows)
    keys = [key_of(row["event_id"]) for row in rows]
    assert repeats == (len([key for key in keys if key]) - len({*keys} - {None}) if looked else 0)
