"""Rows that are there twice, without an id or under two, are counted; a run refuses a table that was loaded twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of
from worker.settings.trust import TrustSettings
from worker.signals import repeated_rows
from worker.signals.data_report import DataReport
from worker.signals.source import open_source
from worker.signals.trust import distrust

AS_OF = at("2026-03-10T06:00")
FIRST = at("2026-03-01T10:00")
IDS = {"events": "event_id", "tickets": "ticket_id", "surveys": "response_id", "invites": "invite_id"}
TIMES = {"events": "occurred_at", "tickets": "opened_at", "surveys": "responded_at", "invites": "sent_at"}
ACCOUNTS = [f"a{number}" for number in range(100)]


def rows_of(table: str, number: int, step: timedelta, account: str = "a1") -> list[dict[str, Any]]:
    """Rows at different times. The arrival of an event says nothing: each delivery has its own."""
    same: dict[str, Any] = {"account_id": account, "user_id": "u", "name": "Used", "kind": "nps"}
    places = range(number)
    return [
        {**same, TIMES[table]: FIRST + place * step, "received_at": AS_OF - place * step, "props": {"n": [place % 2]}}
        for place in places
    ]


def report_of(database: Database, types: Any = TYPES, **rows: list[dict[str, Any]]) -> DataReport:
    """A look at the rows of these tables."""
    tables = {"accounts": [{"account_id": one} for one in ACCOUNTS], "events": [], **rows}
    database.fill(tables, types)
    with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
        return source.report(AS_OF)


def said_of(report: DataReport, table: str) -> list[str]:
    return [sentence for name, sentence in report.remarks() if name == table and "repeat" in sentence]


def test_a_table_that_was_loaded_twice_stops_the_run(database: Database) -> None:
    rows = {table: rows_of(table, 30, timedelta(hours=1)) for table in IDS}
    report = report_of(database, **{table: [*some, *some[::-1]] for table, some in rows.items()})
    what = "30 of 60 rows (50 %) repeat another in every column and all count"
    for table, column in IDS.items():
        assert said_of(report, table) == [f"{what}: map {column}"]
    reasons = sorted(distrust(report, TrustSettings()))
    assert [reason.partition(", or ")[0] for reason in reasons] == sorted(
        f"{table}: {what}: map {column}" for table, column in IDS.items()
    )
    assert list(distrust(report, TrustSettings(repeated_rows=0.5))) == []


def test_repeats_to_the_fraction_of_a_second_stop_the_run_where_they_are_many(database: Database) -> None:
    rows = rows_of("events", 30, timedelta(seconds=1, microseconds=1))
    many, few = (report_of(database, events=rows + rows[:repeats]) for repeats in (9, 7))
    assert len(list(distrust(many, TrustSettings()))) == 1
    assert list(distrust(few, TrustSettings())) == []
    assert said_of(few, "events") == ["7 of 37 rows (19 %) repeat another in every column and all count: map event_id"]


def test_repeats_within_a_second_may_be_real(database: Database) -> None:
    rows = rows_of("events", 30, timedelta(seconds=1))
    written = [{**row, "occurred_at": row["occurred_at"].strftime("%Y-%m-%dT%H:%M:%S.000Z")} for row in rows]
    types = {**TYPES, "events": {**TYPES["events"], "occurred_at": "text"}}
    report = report_of(database, types, events=written + written[:20])
    assert list(distrust(report, TrustSettings())) == []
    what = "20 of 50 rows (40 %) repeat another in every column and all count"
    assert said_of(report, "events") == [f"{what}: map event_id; in the same second some may be real"]


def test_repeats_under_another_id_are_counted_and_stop_nothing(database: Database) -> None:
    exact = rows_of("events", 30, timedelta(seconds=1, microseconds=1))
    whole = rows_of("events", 30, timedelta(seconds=1), "a2")
    rows = [{**row, "event_id": f"e{place}"} for place, row in enumerate([*exact, *exact[-20:], *whole, *whole[:20]])]
    types = {**TYPES, "events": {**TYPES["events"], "event_id": "text"}}
    report = report_of(database, types, events=[*rows, *rows[:5]])
    assert list(distrust(report, TrustSettings())) == []
    again = "20 of 100 rows (20 %) repeat another to the moment under another id or none and count"
    assert said_of(report, "events") == [
        "5 of 105 rows (5 %) repeat another and count once",
        f"{again}: a retry may make a new event_id",
    ]
    within_seconds = report_of(database, types, events=[row for row in rows if row["account_id"] == "a2"])
    assert said_of(within_seconds, "events") == []


def test_rows_without_an_id_where_others_have_one_are_counted(database: Database) -> None:
    rows = rows_of("events", 10, timedelta(seconds=1, microseconds=1))
    ids = [{**rows[0], "event_id": "e1"}, *({**row, "event_id": None} for row in [*rows[1:], *rows[-4:]])]
    types = {**TYPES, "events": {**TYPES["events"], "event_id": "text"}}
    (said,) = said_of(report_of(database, types, events=ids), "events")
    assert said.startswith("4 of 14 rows (29 %) repeat another to the moment under another id or none and count")


def test_rows_that_differ_in_any_column_repeat_nothing(database: Database) -> None:
    rows = rows_of("events", 10, timedelta(hours=1))
    others = [{**row, "props": {"n": [2]}} for row in rows] + [{**row, "user_id": None} for row in rows]
    assert said_of(report_of(database, events=rows + others), "events") == []


def test_of_more_accounts_than_a_query_takes_some_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated_rows, "_MOST_ROWS", 59)
    database = Database("sqlite", tmp_path)
    many = 40_000  # SQLite takes 32,766 parameters
    rows = [row for place in range(60) for row in rows_of("events", 1, timedelta(hours=1), f"a{place * 100}")]
    database.fill({"accounts": [{"account_id": f"a{number}"} for number in range(many)], "events": rows})
    with open_source(product_of(database.source, ["accounts", "events"]), database.folder, AS_OF) as source:
        found = source.report(AS_OF).table("events")
    assert found is not None
    assert found.repeated is not None
    assert (found.repeated.accounts, found.repeated.of_accounts) == (1_000, many)


def test_of_many_rows_the_recent_ones_of_some_accounts_give_an_estimate(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_rows, "_MOST_ROWS", 400)
    rows = [row for account in ACCOUNTS for row in rows_of("events", 10, timedelta(hours=1), account)]
    old = [{**row, "occurred_at": at("2025-03-01")} for row in rows]
    report = report_of(database, events=[*rows, *rows, *old])
    (said,) = said_of(report, "events")
    assert said.startswith("200 of 400 rows (50 %) of 28 days of 20 of 100 accounts repeat another in every column")
