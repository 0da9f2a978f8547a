"""Events that are delivered more than once count once, whatever their ids look like and however many repeat."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import some_of
from tests.integration.signals.signals_kit import TYPES, Database, Tables, at, product_of, signals_of
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
CLEAN = ["e1.{}", "e2.{}", "E1.{}", "7{}", *WORDS]
UNCLEAN = ["e1.{}", " e1.{}", "e1.{}\u00a0", "e2.{}", "e\u0301{}", "\u00e9{}", *WORDS]
"""With the number of a company in them, which has ids of its own."""
Company = list[tuple[str | None, str, int]]
TYPED = {**TYPES, "events": TYPES["events"] | {"event_id": "text"}}


def key_of(written: str | None) -> str | None:
    """The id that a cell says, by hand."""
    text = (written or "").replace("e\u0301", "\u00e9").strip(" \u00a0")
    return None if text.casefold() in {"null", "-", ""} else text


@st.composite
def companies(draw: st.DrawFn, ids: list[str | None]) -> Company:
    """Ids, each of one of two accounts, and the hours in which they arrive: only the latest of an id counts."""
    written = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=12))
    hours = draw(st.lists(st.integers(-30, 4), min_size=len(written), max_size=len(written), unique=True))
    accounts = {key: draw(st.sampled_from("ab")) for key in sorted({key_of(one) or "" for one in written})}
    return [(one, accounts[key_of(one) or ""], hour) for one, hour in zip(written, hours, strict=True)]


def rows_of(number: int, company: Company) -> list[dict[str, Any]]:
    return [
        {
            "account_id": f"{account}{number}",
            "user_id": "u",
            "name": "Used",
            "event_id": written and written.format(number),
            "occurred_at": at("2026-03-01"),
            "received_at": AS_OF + timedelta(hours=hour),
            "props": {"late": "yes" if hour > -10 else "no"},
        }
        for written, account, hour in company
    ]


def expected(rows: list[dict[str, Any]], accounts: list[str]) -> dict[str, tuple[int, int]]:
    """How many events of each account had arrived, and how many of these in their latest arrival are late ones."""
    latest: dict[object, dict[str, Any]] = {}
    for place, row in enumerate(sorted(rows, key=lambda row: row["received_at"])):
        if row["received_at"] <= AS_OF:
            latest[key_of(row["event_id"]) or place] = row
    used = Counter(row["account_id"] for row in latest.values())
    late = Counter(row["account_id"] for row in latest.values() if row["props"]["late"] == "yes")
    return {account: (used[account], late[account]) for account in accounts}


def measured(database: Database, tables: Tables, *, looked: bool) -> tuple[dict[str, tuple[Any, Any]], int]:
    """What the query finds, and how many repeats a look reports; 0 without one."""
    repeats = 0
    database.fill(tables, TYPED)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        if looked:
            table = source.report(AS_OF).table("events")
            assert table is not None
            repeats = table.repeats
        found = compute(source, product, SIGNALS, [], AS_OF)
    return {account: (row["used"], row["late"]) for account, row in found.items()}, repeats


@pytest.mark.parametrize("looked", [True, False])
@pytest.mark.parametrize("ids", [CLEAN, UNCLEAN], ids=["clean ids", "ids with blanks"])
def test_every_event_counts_once_and_its_latest_arrival_says_what_it_was(
    database: Database, ids: list[str | None], looked: bool
) -> None:
    @settings(max_examples=some_of(4))  # the first is as small as can be
    @given(st.lists(companies(ids), min_size=15, max_size=15))
    def holds(found: list[Company]) -> None:
        rows = [row for number, company in enumerate(found) for row in rows_of(number, company)]
        accounts = [f"{account}{number}" for number in range(len(found)) for account in "ab"]
        tables = {"accounts": [{"account_id": account} for account in accounts], "events": rows}
        answers, repeats = measured(database, tables, looked=looked)
        assert answers == expected(rows, accounts)
        keys = [key_of(row["event_id"]) for row in rows]
        assert repeats == (len([key for key in keys if key]) - len({*keys} - {None}) if looked else 0)

    holds()
