"""An end that is announced has not come yet: what it ends is in force until then, in every kind of database."""

from __future__ import annotations

from typing import Any

from tests.integration.signals.signals_kit import TYPES, Database, Row, at, product_of, signals_of
from tests.integration.signals.subscriptions_oracle import account_state
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
AHEAD = at("2099-07-01")
SIGNALS = signals_of("""
signals:
  seats: {label: x, from: memberships, measure: users}
  removed: {label: x, from: memberships, measure: count, at: removed_at, current: false, window: 28d}
  active: {label: x, from: events, measure: users, window: 28d}
  top: {label: x, unit: text, from: events, measure: top_user, column: email, window: 28d}
  state: {label: x, unit: text, from: subscriptions, measure: top, column: state}
  mrr: {label: x, from: subscriptions, measure: sum, column: mrr}
  open: {label: x, from: tickets, measure: count, current: true}
""")
TYPED = {table: {**columns, "user_id": "text"} for table, columns in TYPES.items()}
TERM = {"account_id": "a", "plan": "pro", "mrr": 9, "term_start": at("2026-01-01")}


ENDS = [
    ("accounts", "deleted_at"),
    ("users", "deleted_at"),
    ("memberships", "removed_at"),
    ("subscriptions", "ended_at"),
    ("subscriptions", "cancelled_at"),
]
CLOSED = ("tickets", "closed_at")


def _tables() -> dict[str, list[dict[str, Any]]]:
    """An account for each announced end, which is named after the end, with one row in every table."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for end in (*ENDS, CLOSED):
        account = ".".join(end)
        of = {"account_id": account, "user_id": f"u of {account}"}
        rows: dict[str, dict[str, Any]] = {
            "accounts": {"account_id": account},
            "users": {"user_id": f"u of {account}", "email": f"{account}@a.com"},
            "memberships": {**of, "added_at": at("2026-01-01")},
            "events": {**of, "name": "Used", "occurred_at": at("2026-03-05")},
            "subscriptions": {**TERM, "account_id": account, "status": "active"},
            "tickets": {"account_id": account, "opened_at": at("2026-03-01")},
        }
        rows[end[0]][end[1]] = AHEAD
        for table, row in rows.items():
            tables.setdefault(table, []).append(row)
    return tables


def test_what_ends_one_day_is_there_until_then_and_what_only_happens_is_not_believed(database: Database) -> None:
    tables = _tables()
    database.fill(tables, TYPED)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        said = list(source.report(AS_OF).remarks())
        found = compute(source, product, SIGNALS, [], AS_OF)
        assert source.undecided() == frozenset()
    assert said == [("tickets", "1 of 6 rows (17 %) have a closed_at that is not believed")]
    there = {"seats": 1, "removed": 0, "active": 1, "state": "active", "mrr": 9, "open": 1, "account.deleted_at": None}
    for end in (*ENDS, CLOSED):
        account = ".".join(end)
        right = there | {"top": f"{account}@a.com"} | ({"open": None} if end == CLOSED else {})
        assert found[account] == found[account] | right, end


def test_a_cancelling_that_is_scheduled_was_asked_for_where_the_status_says_so(database: Database) -> None:
    ends: dict[str, Row] = {
        "scheduled": {**TERM, "status": "non_renewing", "cancelled_at": AHEAD},
        "expires": {**TERM, "status": "canceled", "ended_at": AHEAD},
        "both": {**TERM, "status": "canceled", "cancelled_at": at("2026-02-01"), "ended_at": AHEAD},
        "later": {**TERM, "status": "non_renewing", "cancelled_at": at("2026-03-20"), "ended_at": AHEAD},
    }
    tables: dict[str, Any] = {
        "accounts": [{"account_id": one} for one in ends],
        "events": [],
        "subscriptions": [{**row, "account_id": one} for one, row in ends.items()],
    }
    database.fill(tables)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        source.report(AS_OF)
        found = compute(source, product, SIGNALS, [], AS_OF)
    states = {one: found[one]["state"] for one in ends}
    assert states == dict.fromkeys(ends, "cancelled_at_term_end") | {"later": "active"}
    read_at = at("2026-11-01")
    assert states == {one: account_state([row], AS_OF, read_at=read_at).status for one, row in ends.items()}
    assert {found[one]["mrr"] for one in ends} == {9}
