"""With ``account.level: parent`` the rows of workspaces count for their company, on every engine."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.language.need import Decay, Need
from worker.language.values import Value
from worker.planning.companies import companies_of
from worker.signals.compute import compute
from worker.signals.errors import SourceError
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
COMPANY = {"level": "parent"}
SIGNALS = """
signals:
  used: {label: x, from: events, measure: count, window: 7d}
  users: {label: x, from: events, measure: users}
  user_days: {label: x, from: events, measure: user_days}
  roles: {label: x, from: events, measure: roles, window: 28d}
  top.email: {label: x, from: events, measure: top_user, column: email, window: 28d}
  members: {label: x, from: memberships, measure: users}
  mrr: {label: x, from: subscriptions, measure: sum, column: mrr}
  plan: {label: x, from: subscriptions, measure: top, column: plan}
  nps: {label: x, from: surveys, measure: latest, column: score}
"""
NEEDS = [Need("days_since", "Used"), Need("decayed", "Used", decay=Decay(AS_OF - at("2026-03-03T06:00"), 2))]


def measured(
    database: Database, data: dict[str, Any], look: bool = True, **settings: Any
) -> dict[str, dict[str, Value]]:
    database.fill(data)
    product = product_of(database.source, data, **settings)
    with open_source(product, database.folder) as source:
        if look:
            source.report(AS_OF)
        return compute(source, product, signals_of(SIGNALS), NEEDS, AS_OF)


def a_company(chance: random.Random) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Tables of accounts with parents of every kind, and the company of each account."""
    parents: dict[str, str | None] = {"acme": None, "eu": "acme", "lab": "eu", "solo": None, "lost": "nobody"}
    parents |= {"self": "self", "x": "y", "y": "z", "z": "x", "below": "x"}
    names = [*parents, *(f"w{number}" for number in range(10))]
    for name in names[len(parents) :]:
        parents[name] = chance.choice([None, "acme", "lab", "solo", *(other for other in names if other < name)])
    company = {name: _top(name, parents) for name in names}
    accounts = [{"account_id": name, "parent_id": parent, "name": name} for name, parent in parents.items()]
    some = [*names, "stranger"]
    people = [f"u{number}" for number in range(6)]
    return {
        "accounts": accounts,
        "users": [{"user_id": user, "email": f"{user}@example.com"} for user in people],
        "events": [
            {
                "account_id": chance.choice(some),
                "user_id": chance.choice(people),
                "name": "Used",
                "occurred_at": at(f"2026-03-{chance.randint(1, 9):02}T{chance.randint(0, 23):02}:00"),
            }
            for _ in range(120)
        ],
        "memberships": [
            {"account_id": chance.choice(some), "user_id": chance.choice(people), "role": chance.choice("ab")}
            for _ in range(40)
        ],
        "subscriptions": [
            {
                "account_id": chance.choice(some),
                "plan": f"p{number}",
                "mrr": 10 * number,
                "term_start": at("2026-01-01"),
                "term_end": at("2027-01-01"),
            }
            for number in range(12)
        ],
        "surveys": [
            {"account_id": chance.choice(some), "score": number, "responded_at": at(f"2026-02-{number + 1:02}")}
            for number in range(20)
        ],
    }, company


def _top(name: str, parents: dict[str, str | None]) -> str:
    seen, here = {name}, name
    while (above := parents[here]) in parents and above is not None and above != here:
        if above in seen:
            return name
        seen.add(above)
        here = above
    return here


def test_accounts_that_share_a_record_are_those_of_one_company(database: Database) -> None:
    data, company = a_company(random.Random(4))
    database.fill(data)
    with open_source(product_of(database.source, data), database.folder) as source:
        assert companies_of(source.parents(), {}) == company


def test_a_company_measures_as_if_its_workspaces_had_one_id(database: Database) -> None:
    data, company = a_company(random.Random(database.kind))
    merged = {
        table: [row | {"account_id": company.get(row["account_id"], row["account_id"])} for row in rows]
        for table, rows in data.items()
        if table not in {"accounts", "users"}
    }
    on_top = [row for row in data["accounts"] if company[row["account_id"]] == row["account_id"]]
    wanted = measured(database, {**data, **merged, "accounts": on_top})
    for look in (True, False):
        assert measured(database, data, look, account=COMPANY) == wanted
    assert {"acme", "solo", "lost", "self", "x", "y", "z", "below"} <= wanted.keys()


def test_blanks_around_a_parent_are_no_difference(database: Database) -> None:
    data: dict[str, Any] = {
        "accounts": [{"account_id": "acme"}, {"account_id": " eu ", "parent_id": "acme\u00a0"}],
        "events": [
            {"account_id": account, "user_id": "u", "name": "Used", "occurred_at": at("2026-03-09")}
            for account in ("acme ", "eu", "eu")
        ],
    }
    found = measured(database, data, account=COMPANY)
    assert {account: values["used"] for account, values in found.items()} == {"acme": 3}


def test_the_rows_of_a_workspace_that_never_counts_count_for_no_company(database: Database) -> None:
    never: dict[str, dict[str, Any]] = {
        "gone": {"deleted_at": at("2026-03-01")},
        "own": {"is_internal": True},
        "named": {},
        "hosted": {"domain": "www.Test.example.org"},
    }
    others: dict[str, dict[str, Any]] = {"to_go": {"deleted_at": at("2027-01-01")}, "below": {"parent_id": "gone"}}
    accounts = [{"account_id": name, "parent_id": "acme", **more} for name, more in (never | others).items()]
    data: dict[str, Any] = {
        "accounts": [{"account_id": "acme"}, *accounts],
        "events": [
            {"account_id": name, "user_id": f"u of {name}", "name": "Used", "occurred_at": at("2026-03-09")}
            for name in ("acme", *never, *others)
        ],
    }
    database.fill(data)
    exclude = {"accounts": ["named"], "domains": ["test.example.org"]}
    for excluded, counted in ((exclude, 3), ({"deleted": False, "internal": False}, 7)):
        product = product_of(database.source, data, account=COMPANY, exclude=excluded)
        with open_source(product, database.folder, AS_OF) as source:
            found = compute(source, product, signals_of(SIGNALS), [], AS_OF)
        assert {account: values["used"] for account, values in found.items()} == {"acme": counted}


def test_companies_need_parents(database: Database) -> None:
    database.fill({"accounts": [{"account_id": "a"}], "events": []})
    query = "SELECT account_id, name FROM accounts"
    product = product_of(database.source, ["events"], mapping={"accounts": {"query": query}}, account=COMPANY)
    with open_source(product, database.folder) as source, pytest.raises(SourceError, match="map the column parent_id"):
        compute(source, product, signals_of(SIGNALS), [], AS_OF)


def test_a_parent_that_is_no_account_is_reported(database: Database) -> None:
    accounts = [{"account_id": "a"}, {"account_id": "b", "parent_id": "a"}, {"account_id": "c", "parent_id": "nobody"}]
    database.fill({"accounts": accounts, "events": []})
    product = product_of(database.source, ["accounts", "events"], account=COMPANY)
    with open_source(product, database.folder) as source:
        remarks = list(source.report(AS_OF).remarks())
        assert source.account_ids(AS_OF) == {"a", "c"}
    assert remarks == [
        ("accounts", "1 of 2 rows (50 %) belong to none of the parents, such as nobody; parents look like a")
    ]
