"""What a cell may say, by what the others of its row say: statuses of invoices, scores of surveys."""

from __future__ import annotations

from typing import Any

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")


def test_a_status_of_an_invoice_is_known_for_settled_or_due_or_counted(database: Database) -> None:
    words = ["open", "Past Due", "deleted", "written-off", "CLOSED", "pending", "Voided", "in dispute", None]
    invoices = [
        {"account_id": "a", "due_at": at("2026-03-01"), "amount": 10**place, "status": word}
        for place, word in enumerate(words)
    ]
    tables: dict[str, Any] = {"accounts": [{"account_id": "a"}], "events": [], "invoices": invoices}
    database.fill(tables)
    product = product_of(database.source, tables)
    signals = signals_of("signals: {due: {label: x, from: invoices, measure: sum, column: amount, current: true}}")
    with open_source(product, database.folder, AS_OF) as source:
        said = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "invoices"]
        found = compute(source, product, signals, [], AS_OF)
    assert found["a"]["due"] == 1 + 10 + 10**7 + 10**8
    assert said == ["1 of 9 rows (11 %) contradict themselves: status not understood, taken for due"]


def test_an_invoice_of_nothing_and_a_credit_note_are_never_overdue(database: Database) -> None:
    amounts: dict[str, list[int | None]] = {"nothing": [0], "credit": [-50, 20], "owes": [20, 0], "unpriced": [None]}
    invoices = [
        {"account_id": account, "due_at": at(f"2026-03-0{9 - place}"), "amount": amount, "status": "open"}
        for account, own in amounts.items()
        for place, amount in enumerate(own)
    ]
    tables: dict[str, Any] = {"accounts": [{"account_id": one} for one in amounts], "events": [], "invoices": invoices}
    signals = signals_of("""
    signals:
      days: {label: x, from: invoices, measure: first, current: true, as: days_since, when_none: 0}
      amount: {label: x, from: invoices, measure: sum, column: amount, current: true}
      sent: {label: x, from: invoices, measure: count}
    """)
    database.fill(tables)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        source.report(AS_OF)
        found = compute(source, product, signals, [], AS_OF)
    values = {account: [found[account][name] for name in ("days", "amount", "sent")] for account in amounts}
    assert values == {"nothing": [0, 0, 1], "credit": [2, 20, 2], "owes": [1, 20, 2], "unpriced": [1, None, 1]}


def test_nobody_knows_whether_an_invoice_is_overdue_whose_amount_cannot_be_read(database: Database) -> None:
    invoices = [
        {"account_id": "a", "due_at": at("2026-03-01"), "amount": "twenty", "status": "open"},
        {"account_id": "paid", "due_at": at("2026-03-01"), "amount": "twenty", "status": "paid"},
    ]
    tables: dict[str, Any] = {
        "accounts": [{"account_id": "a"}, {"account_id": "paid"}],
        "events": [],
        "invoices": invoices,
    }
    database.fill(tables, {**TYPES, "invoices": {**TYPES["invoices"], "amount": "text"}})
    product = product_of(database.source, tables)
    signals = signals_of("signals: {due: {label: x, from: invoices, measure: count, current: true}}")
    with open_source(product, database.folder, AS_OF) as source:
        source.report(AS_OF)
        found = compute(source, product, signals, [], AS_OF)
    assert {account: values["due"] for account, values in found.items()} == {"a": None, "paid": 0}


def test_an_nps_score_lies_between_0_and_10(database: Database) -> None:
    scores = [("nps", -1), ("NPS ", 87), ("nps", 0), ("nps", 10), ("mood", -1), (None, 87)]
    surveys = [
        {"account_id": f"a{place}", "kind": kind, "score": score, "responded_at": at("2026-03-01")}
        for place, (kind, score) in enumerate(scores)
    ]
    tables: dict[str, Any] = {
        "accounts": [{"account_id": row["account_id"]} for row in surveys],
        "events": [],
        "surveys": surveys,
    }
    database.fill(tables)
    product = product_of(database.source, tables)
    signals = signals_of("signals: {score: {label: x, from: surveys, measure: latest, column: score}}")
    with open_source(product, database.folder, AS_OF) as source:
        said = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "surveys"]
        found = compute(source, product, signals, [], AS_OF)
    assert [found[f"a{place}"]["score"] for place in range(6)] == [None, None, 0, 10, -1, 87]
    assert said == ["2 of 6 rows (33 %) have a score that is not believed"]


def test_an_infinite_number_is_not_believed(database: Database) -> None:
    numbers = [float("inf"), float("-inf"), 7, None]
    accounts = [{"account_id": f"a{place}", "employees": number} for place, number in enumerate(numbers)]
    tables: dict[str, Any] = {"accounts": accounts, "events": []}
    database.fill(tables)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        said = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "accounts"]
        found = compute(source, product, signals_of("signals: {}"), [], AS_OF)
    assert [found[f"a{place}"]["account.employees"] for place in range(4)] == [None, None, 7, None]
    assert said == ["2 of 4 rows (50 %) have a employees that is not believed"]
