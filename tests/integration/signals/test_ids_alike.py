"""Ids that join to nobody because of how they are written: the report says in what they differ."""

from __future__ import annotations

from typing import Any

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of
from worker.settings.trust import TrustSettings
from worker.signals.source import open_source
from worker.signals.trust import distrust

AS_OF = at("2026-03-10T06:00")
TYPED = {**TYPES, "users": {**TYPES["users"], "user_id": "text"}}


def _said(database: Database, accounts: list[str], users: list[str], events: list[tuple[str, str]]) -> list[str]:
    tables: dict[str, Any] = {
        "accounts": [{"account_id": one} for one in accounts],
        "users": [{"user_id": one} for one in users],
        "events": [
            {"account_id": account, "user_id": user, "name": "Used", "occurred_at": at("2026-03-09")}
            for account, user in events
        ],
    }
    database.fill(tables, TYPED)
    with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
        report = source.report(AS_OF)
    joins = [said for table, said in report.remarks() if table == "events" and "belong" in said]
    return [*joins, *distrust(report, TrustSettings())]


def test_ids_in_another_case_are_named(database: Database) -> None:
    events = [("a", "U1"), ("a", "U1"), ("a", "U2"), ("a", "u3"), ("a", "X9")]
    said = _said(database, ["a"], ["u1", "u2", "u3"], events)
    what = "4 of 5 rows (80 %) belong to none of the users, such as U1; users look like u1"
    assert said == [f"{what}; 2 differ only in capital letters"]


def test_ids_with_a_zero_after_the_point_are_named(database: Database) -> None:
    said = _said(database, ["1", "2"], ["u"], [("1.0", "u"), ("2.0", "u")])
    hint = "such as 1.0; accounts look like 1; only one side is written with .0: write ids as whole numbers"
    assert said == [
        f"2 of 2 rows (100 %) belong to none of the accounts, {hint}",
        f"2 of 2 events (100%) belong to no account, {hint}; 20% are allowed",
    ]


def test_ids_that_are_simply_unknown_are_not_explained(database: Database) -> None:
    said = _said(database, ["a1"], ["u"], [("b1", "u"), ("a1", "u")])
    assert said[0] == "1 of 2 rows (50 %) belong to none of the accounts, such as b1; accounts look like a1"
