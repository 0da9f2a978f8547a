"""A table with a row per subscription and day does not add up: without an id, MRR and seats are unknown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
SIGNALS = signals_of("""
signals:
  mrr: {label: x, from: subscriptions, measure: sum, column: mrr}
  seats: {label: x, from: subscriptions, measure: sum, column: seats}
  plan: {label: x, unit: text, from: subscriptions, measure: top, column: plan}
""")
START, END, DAY = at("2026-01-01"), at("2026-12-31"), timedelta(days=1)
BASE: dict[str, Any] = {"plan": "pro", "mrr": 9, "seats": 2, "status": "active", "term_start": START, "term_end": END}
ROWS: dict[str, tuple[list[dict[str, Any]], int | None]] = {
    "one": ([BASE], 9),
    "two": ([BASE, {**BASE, "product": "chat"}], 18),
    "renewed": ([{**BASE, "term_start": START - 365 * DAY, "term_end": START}, BASE], 9),
    "each day": ([BASE] * 5, None),
    "twice": ([BASE] * 2, None),
    "from each day on": ([{**BASE, "term_start": START + day * DAY, "term_end": None} for day in range(4)], None),
    "bought three times": ([{**BASE, "term_start": START + day * DAY, "term_end": None} for day in range(3)], 27),
    "over": ([{**BASE, "status": "expired", "term_end": START + DAY}] * 5, 0),
}
"""Per account, its rows and the MRR that is known of it."""


def _found(database: Database, *, with_ids: bool) -> tuple[dict[str, dict[str, Any]], list[str]]:
    rows = [
        {**row, "account_id": account, "day": f"{place}", "sub_id": f"{account} {row.get('product')}"}
        for account, (some, _) in ROWS.items()
        for place, row in enumerate(some)
    ]
    tables: dict[str, Any] = {
        "accounts": [{"account_id": account} for account in ROWS],
        "events": [],
        "subscriptions": rows,
    }
    ids = {"sub_id": "text"} if with_ids else {}
    database.fill(tables, {**TYPES, "subscriptions": {**TYPES["subscriptions"], "day": "text", **ids}})
    with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
        said = [sentence for _, sentence in source.report(AS_OF).remarks() if "again" in sentence]
        return compute(source, source.catalogue.product, SIGNALS, [], AS_OF), said


def test_subscriptions_that_are_there_again_add_up_to_nothing_known(database: Database) -> None:
    found, said = _found(database, with_ids=False)
    assert {account: row["mrr"] for account, row in found.items()} == {
        account: mrr for account, (_, mrr) in ROWS.items()
    }
    assert [found[account]["seats"] for account in ("each day", "from each day on", "two")] == [None, None, 4]
    assert found["each day"]["plan"] == "pro"
    again = "16 of 24 rows (67 %) are a subscription that is there again, such as for each day"
    hint = "what they add up to is unknown; map sub_id, or a query with the newest row of each"
    assert said == [f"{again}: {hint}"]


def test_with_ids_every_subscription_counts_once(database: Database) -> None:
    found, said = _found(database, with_ids=True)
    assert {found[account]["mrr"] for account in ("each day", "twice", "from each day on")} == {9}
    assert said == []
