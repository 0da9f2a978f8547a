"""An id that rows about different things share is no key: a run refuses it, and the report says how many share it."""

from __future__ import annotations

from typing import Any

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of
from worker.settings.signals import SignalsSettings
from worker.settings.trust import TrustSettings
from worker.signals.compute import compute
from worker.signals.data_report import DataReport
from worker.signals.source import open_source
from worker.signals.trust import distrust

AS_OF = at("2026-03-10T06:00")
IDS = {"events": "event_id", "subscriptions": "sub_id", "tickets": "ticket_id", "invoices": "invoice_id"}
ROWS: dict[str, dict[str, Any]] = {
    "events": {"user_id": "u", "occurred_at": at("2026-03-01")},
    "subscriptions": {"plan": "pro", "mrr": 100},
    "tickets": {"severity": "urgent", "opened_at": at("2026-03-01")},
    "invoices": {"amount": 100, "due_at": at("2026-03-01")},
}
TYPED = {name: {**columns, **({IDS[name]: "text"} if name in IDS else {})} for name, columns in TYPES.items()}


Ids = list[tuple[str, str | None]]


def report_of(database: Database, ids: dict[str, Ids], names: str = "") -> DataReport:
    """A look at rows of accounts with these ids; ``names`` are those of the events, one letter each."""
    tables: dict[str, list[dict[str, Any]]] = {"accounts": [{"account_id": one} for one in "ab"], "events": []}
    for table, some in ids.items():
        rows = [{**ROWS[table], "account_id": account, IDS[table]: one} for account, one in some]
        for place, row in enumerate(rows):
            row |= {"name": names[place] if names else "Used"} if table == "events" else {}
            row |= {"term_start": at(f"2026-02-{place + 1:02}")} if table == "subscriptions" else {}
        tables[table] = rows
    database.fill(tables, TYPED)
    with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
        return source.report(AS_OF)


def shared(report: DataReport, table: str) -> int:
    found = report.table(table)
    assert found is not None
    return found.shared_keys


def test_an_id_counted_within_each_account_stops_the_run(database: Database) -> None:
    counted: Ids = [(account, str(number)) for account in "ab" for number in range(5)]
    report = report_of(database, dict.fromkeys(IDS, counted))
    assert {table: shared(report, table) for table in IDS} == dict.fromkeys(IDS, 10)
    assert set(distrust(report, TrustSettings())) == {
        f"10 of 10 rows of {table} have the {IDS[table]} of a row about something else:"
        " map a column that no two rows share"
        for table in IDS
    }
    assert list(distrust(report, TrustSettings(shared_keys=1.0))) == []


def test_the_id_of_a_batch_stops_the_run(database: Database) -> None:
    report = report_of(database, {"events": [("a", "batch")] * 6}, "UUUVVV")
    assert shared(report, "events") == 6
    (reason,) = distrust(report, TrustSettings())
    assert reason.startswith("6 of 6 rows of events have the event_id of a row about something else")


def test_events_that_share_an_id_count_for_each_of_their_accounts_unless_one_arrived_later(database: Database) -> None:
    used = {"name": "Used", "occurred_at": at("2026-03-01T10:00")}
    rows: list[dict[str, Any]] = [
        {"account_id": "a", "event_id": "1", **used},
        {"account_id": "a", "event_id": "1", **used},
        {"account_id": "b", "event_id": "1", **used, "occurred_at": at("2026-03-02T10:00")},
        {"account_id": "b", "event_id": "1", **used, "name": "Left"},
        {"account_id": "a", "event_id": "2", **used, "received_at": at("2026-03-02")},
        {"account_id": "b", "event_id": "2", **used, "received_at": at("2026-03-03")},
    ]
    tables = {"accounts": [{"account_id": one} for one in "ab"], "events": rows}
    database.fill(tables, TYPED)
    one = {"label": "x", "from": "events", "measure": "count", "window": "28d"}
    signals = SignalsSettings.model_validate(
        {"version": 1, "signals": {name.lower(): {**one, "events": [name]} for name in ("Used", "Left")}}
    )
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        found = compute(source, product, signals, [], AS_OF)
    assert {name: (found[name]["used"], found[name]["left"]) for name in "ab"} == {"a": (1, 0), "b": (2, 1)}


def test_what_repeats_itself_or_has_no_id_shares_nothing(database: Database) -> None:
    ids: Ids = [("a", "1"), ("a ", "1"), ("a", "NULL"), ("b", "NULL"), ("a", None), ("b", None), ("a", "2")]
    assert shared(report_of(database, {"events": ids * 2}), "events") == 0


def test_a_few_are_reported_and_allowed(database: Database) -> None:
    report = report_of(database, {"tickets": [("a", "1"), ("b", "1"), *(("a", f"t{one}") for one in range(3))]})
    assert list(distrust(report, TrustSettings())) == []
    assert ("tickets", "2 of 5 rows (40 %) have the ticket_id of a row about something else") in list(report.remarks())
