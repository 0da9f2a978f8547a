"""A clean company of 48 accounts, and ways to damage a share of the cells of one column."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.integration.signals import signals_kit
from tests.integration.signals.signals_kit import at

AS_OF = at("2026-06-30T06:00")
DAYS = 120
ACCOUNTS = tuple(f"{'Ünï' if n % 4 == 0 else 'acme'}-{n:02}" for n in range(48))
EVENTS = ("Report Created", "Report Viewed", "Dashboard Shared", "Comment Added", "Signed In")
KEYS = {
    "events": "event_id",
    "subscriptions": "sub_id",
    "surveys": "response_id",
    "tickets": "ticket_id",
    "invoices": "invoice_id",
    "invites": "invite_id",
}
TYPES = {
    table: {**({KEYS[table]: "text"} if table in KEYS else {}), **columns, "updated_at": "time"}
    for table, columns in signals_kit.TYPES.items()
}
Tables = dict[str, list[dict[str, Any]]]


@cache
def _company() -> Tables:
    rng = random.Random(9)

    def ago(most: float, least: float = 1) -> datetime:
        return AS_OF - timedelta(seconds=rng.randrange(int(least * 86_400), int(most * 86_400)))

    tables: Tables = {table: [] for table in TYPES}
    for n, account in enumerate(ACCOUNTS):
        of = {"account_id": account}
        users, left = [f"{account}-u{place}" for place in range(3 + n % 4)], f"{account}-left"
        tables["accounts"].append(
            of
            | {"name": f"Café {n}", "domain": f"c{n}.com", "employees": 10 + n}
            | {"created_at": ago(300, DAYS), "updated_at": AS_OF - timedelta(days=1)}
        )
        tables["users"] += [{"user_id": user, "email": f"{user}@c{n}.com".lower()} for user in (*users, left)]
        tables["memberships"] += [
            of | {"user_id": user, "role": rng.choice(["admin", "member", "owner"]), "added_at": ago(200, 21)}
            for user in users
        ]
        tables["memberships"].append(
            of | {"user_id": left, "role": "auditor", "added_at": ago(200, 21), "removed_at": ago(20)}
        )
        for _ in range(40):
            props = {"amount": rng.randrange(1, 90), "plan": {"tier": rng.choice(["gold", "silver"])}}
            moment = ago(DAYS, 0.1)
            tables["events"].append(
                of
                | {"user_id": rng.choice([*users, left, left]), "name": rng.choice(EVENTS), "occurred_at": moment}
                | {"received_at": moment + timedelta(seconds=60), "props": props}
            )
        for product in ("core", "extra")[: 1 + n % 2]:
            tables["subscriptions"].append(
                of
                | {"product": product, "currency": "EUR", "plan": rng.choice(["pro", "team"]), "status": "active"}
                | {"tier_rank": rng.randrange(1, 4), "seats": rng.randrange(5, 50), "mrr": rng.randrange(10, 900)}
                | {"term_start": ago(DAYS, 2), "term_end": AS_OF + timedelta(days=rng.randrange(1, 200))}
            )
        for kind, score in (("nps", rng.randrange(11)), ("csat", rng.randrange(1, 6)), ("csat", 4)):
            tables["surveys"].append(of | {"kind": kind, "score": score, "responded_at": ago(60)})
        for severity in ("urgent", "low"):
            opened = ago(40, 3)
            tables["tickets"].append(of | {"severity": severity, "opened_at": opened})
            tables["tickets"].append(of | {"severity": severity, "opened_at": opened, "closed_at": ago(2)})
            tables["invites"].append(of | {"sent_at": opened, "accepted_at": ago(2)})
            tables["invoices"].append(of | {"due_at": ago(50), "amount": rng.randrange(900), "currency": "EUR"})
        tables["invoices"].append(of | {"due_at": ago(50, 9), "paid_at": ago(8), "amount": 90, "currency": "EUR"})
    for table, key in KEYS.items():
        for place, row in enumerate(tables[table]):
            row |= {key: f"{table}-é{place}", "updated_at": AS_OF - timedelta(days=1)}
    return tables


def company() -> Tables:
    """The clean company, to be changed at will."""
    return {table: [dict(row) for row in rows] for table, rows in _company().items()}


@dataclass(frozen=True, kw_only=True)
class Damage:
    """``spell`` replaces ``share`` of the cells that ``accounts`` have in one column. Cells without a value are left.

    ``counted`` is where the data report counts these cells. Without it the damage is harmless: only another spelling.
    """

    table: str
    column: str
    spell: Callable[[Any], Any]
    accounts: frozenset[str]
    counted: str | None = None
    share: float = 1.0
    empty: bool = False
    """Only the cells without a value are replaced."""

    def inflict(self, tables: Tables) -> list[dict[str, Any]]:
        """Damage ``tables`` and answer the rows that were hit, at least one."""
        hit = [row for row in tables[self.table] if owner(self.table, row) in self.accounts]
        hit = [row for row in hit if (row.get(self.column) is None) is self.empty]
        hit = random.Random(len(hit)).sample(hit, max(1, round(self.share * len(hit))))
        for row in hit:
            row[self.column] = self.spell(row.get(self.column))
        return hit


def owner(table: str, row: Mapping[str, Any]) -> str:
    """The account a row of the clean company is about; users are named after theirs."""
    return str(row["account_id"] if table != "users" else row["user_id"].rpartition("-")[0])


def stored(tables: Tables, damaged: Iterable[tuple[str, str]]) -> tuple[Tables, dict[str, dict[str, str]]]:
    """The tables and the types of their columns: a damaged column with any cell of text is a column of text."""
    types = {table: dict(columns) for table, columns in TYPES.items()}
    for table, column in damaged:
        if types[table][column] == "text" or any(isinstance(row.get(column), str) for row in tables[table]):
            types[table][column] = "text"
            for row in tables[table]:
                row[column] = written(row.get(column))
    return tables, types


def written(value: Any) -> str | None:
    """A cell as an export writes it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return json.dumps(value)


def without(tables: Tables, table: str, rows: Sequence[Mapping[str, Any]]) -> Tables:
    """The tables without ``rows`` of one of them."""
    gone = {id(row) for row in rows}
    return {**tables, table: [row for row in tables[table] if id(row) not in gone]}
