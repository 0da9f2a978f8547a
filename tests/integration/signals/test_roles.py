"""A role is one word: nobody knows the role of a person whose cell holds a list."""

from __future__ import annotations

from typing import Any

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
WORDS = ["admin", " Admin", "account admin", None, "Director, Sales", "VP, Sales, EMEA", "owner"]
LISTS = [
    "Owner, admin",
    '["admin","billing"]',
    '["owner", "admin"]',
    "admin,member",
    "owner, admin,member",
    "admin; member",
    "{admin}",
]
ROLES = [*WORDS, *LISTS]


def test_a_role_that_is_a_list_is_unreadable(database: Database) -> None:
    accounts = [f"a{place}" for place in range(len(ROLES))]
    people = [
        {"account_id": account, "user_id": f"{account}-u", "role": role, "added_at": at("2026-01-01")}
        for account, role in zip(accounts, ROLES, strict=True)
    ]
    events = [
        {"account_id": one["account_id"], "user_id": one["user_id"], "name": "Used", "occurred_at": at("2026-03-09")}
        for one in people
    ]
    tables: dict[str, Any] = {
        "accounts": [{"account_id": account} for account in accounts],
        "events": events,
        "memberships": people,
    }
    database.fill(tables)
    product = product_of(database.source, tables)
    signals = signals_of("""
    signals:
      admins: {label: x, from: memberships, measure: users, where: {role: admin}}
      seats: {label: x, from: memberships, measure: users}
      roles: {label: x, from: events, measure: roles, window: 7d}
    """)
    with open_source(product, database.folder, AS_OF) as source:
        remarks = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "memberships"]
        found = compute(source, product, signals, [], AS_OF)
    assert [found[account]["admins"] for account in accounts] == [1, 1, 0, 0, 0, 0, 0, *[None] * len(LISTS)]
    assert [found[account]["roles"] for account in accounts] == [1, 1, 1, None, 1, 1, 1, *[None] * len(LISTS)]
    assert [found[account]["seats"] for account in accounts] == [1] * len(ROLES)
    assert remarks == ["7 of 14 rows (50 %) have a role that cannot be read"]
