"""A property that events had until lately and then no more leaves what reads it unknown, and the report says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.property_kinds import typed_properties
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
SIGNALS = signals_of("""
signals:
  amount: {label: x, from: events, events: [Paid], measure: sum, column: props.amount, window: 28d}
  large: {label: x, from: events, events: [Paid], measure: count, where: {props.amount: {at_least: 5}}, window: 28d}
  paid: {label: x, from: events, events: [Paid], measure: count, window: 28d}
  refunded: {label: x, from: events, events: [Refunded], measure: sum, column: props.amount, window: 28d}
""")


def measured(database: Database, props_of: Callable[[str, int, int], Any]) -> tuple[Any, list[str]]:
    """What is known of the account, and what the report says of properties: three payments and a refund each day."""
    events = [
        {
            "account_id": "a",
            "name": name,
            "occurred_at": AS_OF - timedelta(days=day, hours=hour),
            "props": json.dumps(props_of(name, day, hour)),
        }
        for day in range(1, 36)
        for name, hours in (("Paid", (1, 2, 3)), ("Refunded", (4,)))
        for hour in hours
    ]
    tables: dict[str, Any] = {"accounts": [{"account_id": "a"}], "events": events}
    database.fill(tables)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF, typed_properties=typed_properties(SIGNALS)) as source:
        remarks = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "events"]
        found = compute(source, product, SIGNALS, [], AS_OF)["a"]
    return found, [sentence for sentence in remarks if "props." in sentence]


def test_what_reads_a_property_that_stopped_is_unknown(database: Database) -> None:
    amount = {"amount": 9}
    found, remarks = measured(database, lambda name, day, _: amount if day > 7 or name == "Refunded" else {"x": 1})
    assert remarks == ['"Paid" had props.amount until 2026-03-02 and no more: what reads it is unknown']
    assert (found["amount"], found["large"], found["paid"]) == (None, None, 84)
    assert found["refunded"] == 252


@pytest.mark.parametrize("nothing", [None, "", "null"])
def test_a_property_that_says_nothing_any_more_stopped(database: Database, nothing: object) -> None:
    found, remarks = measured(database, lambda _, day, __: {"amount": 9 if day > 5 else nothing})
    assert [sentence.partition(" until ")[0] for sentence in remarks] == [
        '"Paid" had props.amount',
        '"Refunded" had props.amount',
    ]
    assert found["amount"] is None


def test_a_property_that_is_seldom_may_be_silent(database: Database) -> None:
    found, remarks = measured(database, lambda _, day, hour: {"amount": 9} if day % 7 == 0 and hour == 1 else {})
    assert remarks == []
    assert found["amount"] == 36


def test_one_day_without_it_is_too_short(database: Database) -> None:
    found, remarks = measured(database, lambda _, day, __: {"amount": 9} if day > 1 else {})
    assert remarks == []
    assert found["amount"] == 81 * 9
