"""A look at the tables makes the query cheaper and never another one: the same numbers with it and without it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.source import open_source
from worker.signals.trust import distrust

AS_OF = at("2026-03-10T06:00")
NO_BREAK = "\u00a0"
MAPPING = {
    "accounts": {
        "query": "SELECT 'a' AS account_id, 'false" + NO_BREAK + "' AS is_internal, ' 12" + NO_BREAK + "' AS employees"
        " UNION ALL SELECT 'b ', ' No', '-' UNION ALL SELECT 'c', 'f', 'twelve'"
    },
    "events": {
        "query": "SELECT 'a' AS account_id, 'u' AS user_id, 'Used' AS name, ' 2026-03-09T01:00:00Z ' AS occurred_at"
        " UNION ALL SELECT 'a" + NO_BREAK + "', 'u ', ' Used', '2026-03-09 02:00:00" + NO_BREAK + "'"
        " UNION ALL SELECT 'b', 'NULL', 'Used', '1773018000'"
        " UNION ALL SELECT 'c', 'v', 'Used', '09/03/2026'"
    },
}
SIGNALS = signals_of(
    """
    signals:
      used: {label: x, from: events, measure: count, events: [Used], window: 7d}
      people: {label: x, from: events, measure: users}
    """
)


@pytest.mark.parametrize("looked", [False, True])
def test_odd_cells_give_the_same_with_a_look_at_the_tables_and_without(database: Database, looked: bool) -> None:
    database.fill({"accounts": []})
    product = product_of(database.source, [], mapping=MAPPING)
    with open_source(product, database.folder) as source:
        if looked:
            source.report(AS_OF)
        found = compute(source, product, SIGNALS, [], AS_OF)
    names = ("used", "people", "account.is_internal", "account.employees")
    assert {account: tuple(row[name] for name in names) for account, row in found.items()} == {
        "a": (2, 1, False, 12),
        "b": (1, 0, False, None),
        "c": (None, None, False, None),
    }


def test_ids_that_are_addresses_are_not_repeated_in_the_report(database: Database) -> None:
    rows = [{"account_id": "ann@x.org", "user_id": "bob@x.org", "name": "Used", "occurred_at": at("2026-03-09")}]
    database.fill({"accounts": [{"account_id": "cee@x.org"}] * 2, "events": rows, "users": [{"user_id": "dan@x.org"}]})
    product = product_of(database.source, ["accounts", "events", "users"])
    with open_source(product, database.folder) as source:
        report = source.report(AS_OF)
    said = [*report.remarks(), *(("", reason) for reason in distrust(report, product.trust))]
    assert sum("belong to n" in message for _, message in said) == 3
    assert "@" not in str(said) + str(report.to_json())


def test_a_property_that_no_event_has_is_unknown_unless_it_may_be_absent(database: Database) -> None:
    rows = [{"account_id": "a", "name": "Paid", "occurred_at": at("2026-03-09"), "props": {"amount": 5}}]
    database.fill({"accounts": [{"account_id": "a"}, {"account_id": "idle"}], "events": rows})
    product = product_of(database.source, ["accounts", "events"])
    signals = """
    may_be_absent: [props.beta]
    signals:
      large: {label: x, from: events, measure: count, where: {props.amount: {above: 3}}}
      misspelled: {label: x, from: events, measure: count, where: {props.amont: {above: 3}}}
      sum: {label: x, from: events, measure: sum, column: props.amont}
      beta: {label: x, from: events, measure: count, where: {props.beta: true}}
    """
    with open_source(product, database.folder) as source:
        source.report(AS_OF)
        found = compute(source, product, signals_of(signals), [], AS_OF)
    names = ("large", "misspelled", "sum", "beta")
    assert [found["a"][name] for name in names] == [1, None, None, 0]
    assert [found["idle"][name] for name in names] == [0, None, None, 0]


def test_an_event_that_never_occurred_is_unknown_unless_it_may_be_absent(database: Database) -> None:
    rows = [{"account_id": "a", "name": "Paid", "occurred_at": at("2026-03-09")}]
    database.fill({"accounts": [{"account_id": "a"}, {"account_id": "idle"}], "events": rows})
    product = product_of(database.source, ["accounts", "events"])
    signals = """
    may_be_absent: [Refunded]
    signals:
      paid: {label: x, from: events, events: [Paid], measure: count, window: 28d}
      misspelled: {label: x, from: events, events: [Payed], measure: count, window: 28d}
      since: {label: x, from: events, events: [Payed], measure: ever}
      either: {label: x, from: events, events: [Paid, Payed], measure: count, window: 28d}
      refunded: {label: x, from: events, events: [Refunded], measure: count, window: 28d}
    """
    with open_source(product, database.folder) as source:
        source.report(AS_OF)
        found = compute(source, product, signals_of(signals), [], AS_OF)
    names = ("paid", "misspelled", "since", "either", "refunded")
    assert [found["a"][name] for name in names] == [1, None, None, 1, 0]
    assert [found["idle"][name] for name in names] == [0, None, None, 0, 0]


def test_the_share_of_recent_rows_that_name_an_account_is_reported(database: Database) -> None:
    rows: list[dict[str, Any]] = [{"account_id": "a", "name": "Used", "occurred_at": at("2026-03-09")}]
    rows += [{"account_id": blank, "name": "Used", "occurred_at": at("2026-03-08")} for blank in (None, "", NO_BREAK)]
    rows += [{"account_id": None, "name": "Used", "occurred_at": at("2025-03-08")}] * 5
    database.fill({"accounts": [{"account_id": "a"}], "events": rows})
    product = product_of(database.source, ["accounts", "events"])
    with open_source(product, database.folder) as source:
        report = source.report(AS_OF)
    assert (report.named_shares(), report.join_shares()) == ({"events": 0.25}, {"events": 1.0})


def test_rows_of_accounts_that_do_not_count_are_in_no_share(database: Database) -> None:
    accounts = [
        {"account_id": "a", "is_internal": False},
        {"account_id": "ours", "is_internal": True},
        {"account_id": "gone", "is_internal": False, "deleted_at": at("2026-02-01")},
        {"account_id": "listed", "is_internal": False},
        {"account_id": "test", "is_internal": False, "domain": "https://Test.example.com/"},
    ]
    ids = ["a", "nobody", "ours", "gone", "listed", "test", "test"]
    rows = [{"account_id": one, "name": "Used", "occurred_at": at("2026-03-09")} for one in ids]
    database.fill({"accounts": accounts, "events": rows})
    exclude = {"accounts": ["listed"], "domains": ["test.example.com"]}
    product = product_of(database.source, ["accounts", "events"], exclude=exclude)
    with open_source(product, database.folder) as source:
        report = source.report(AS_OF)
    assert report.join_shares() == {"events": 0.5}
    assert [(table, join.given, join.excluded) for table, join in report.joins_to_accounts()] == [("events", 2, 5)]
