"""A property that is spelled in another way than a signal reads it: check names the spelling."""

from __future__ import annotations

from typing import Any

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.signals.check import check_source
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")


def _said(database: Database, props: list[tuple[str, Any]], column: str) -> list[str]:
    events = [
        {"account_id": "a", "name": name, "occurred_at": at(f"2026-03-0{1 + place}"), "props": one}
        for place, (name, one) in enumerate(props)
    ]
    tables: dict[str, Any] = {"accounts": [{"account_id": "a"}], "events": events}
    database.fill(tables)
    signals = signals_of(f"""
    event_lists: {{paid: [Paid]}}
    signals:
      paid: {{label: x, from: events, measure: sum, column: {column}, events: paid}}
    """)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        found = check_source(source, product, signals, [])
    return [finding.message for finding in found if "props." in finding.message]


def test_the_spelling_of_the_data_is_named(database: Database) -> None:
    unknown = "no event has the property {} so far, so this is unknown; or list it in may_be_absent{}".format
    props = [("Paid", {"Amount": 5, "plan": {"Tier": "pro"}}), ("Other", {"amounts": 1})]
    hint = '. Did you mean "props.Amount"?'
    assert _said(database, props, "props.amount") == [unknown("props.amount", hint)]
    assert _said(database, props, "props.plan.tier") == [
        unknown("props.plan.tier", '. Did you mean "props.plan.Tier"?')
    ]
    assert _said(database, [("Paid", None), ("Paid", "[1]")], "props.amount") == [unknown("props.amount", "")]


def test_another_spelling_in_the_same_events_is_named_with_its_share(database: Database) -> None:
    props = [("Paid", {"Amount": 5}), *[("Paid", {"amount": 5})] * 3]
    what = "25% of the newest events have props.Amount instead of props.amount, and only props.amount is read"
    assert _said(database, props, "props.amount") == [f"{what}: map a query that makes them one"]


def test_another_spelling_in_other_events_is_none_of_its_business(database: Database) -> None:
    assert _said(database, [("Other", {"Amount": 5}), ("Paid", {"amount": 5})], "props.amount") == []
