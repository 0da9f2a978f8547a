"""An end that is announced has not come yet: what it ends is in force until then, in every kind of database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.signals.signals_kit import TYPES, Database, Row, at, product_of, signals_of
from tests.integration.signals.subscriptions_oracle import account_state
from worker.language.values import Value
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


def _tables() -> dict[str, Any]:
    of = {"account_id": "a", "user_id": "u"}
    return {
        "accounts": [{"account_id": "a"}],
        "users": [{"user_id": "u", "email": "u@a.com"}],
        "memberships": [{**of, "added_at": at("2026-01-01")}],
        "events": [{**of, "name": "Used", "occurred_at": at("2026-03-05")}],
        "subscriptions": [{**TERM, "status": "active"}],
        "tickets": [{"account_id": "a", "opened_at": at("2026-03-01")}],
    }


def _found(database: Database, changed: str, column: str) -> tuple[dict[str, Value], list[str], frozenset[str]]:
    tables = _tables()
    tables[changed][0][column] = AHEAD
    database.fill(tables, TYPED)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        said = [sentence for table, sentence in source.report(AS_OF).remarks() if table == changed]
        return compute(source, product, SIGNALS, [], AS_OF)["a"], said, source.undecided()


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("accounts", "deleted_at"),
        ("users", "deleted_at"),
        ("memberships", "removed_at"),
        ("subscriptions", "ended_at"),
        ("subscriptions", "cancelled_at"),
    ],
)
def test_what_ends_one_day_is_there_until_then(database: Database, table: str, column: str) -> None:
    found, said, undecided = _found(database, table, column)
    there = {"seats": 1, "removed": 0, "active": 1, "top": "u@a.com", "state": "active", "mrr": 9, "open": 1}
    assert found == found | there | {"account.deleted_at": None}
    assert (said, undecided) == ([], frozenset())


def test_what_only_happens_is_not_believed_ahead_of_time(database: Database) -> None:
    found, said, _ = _found(database, "tickets", "closed_at")
    assert found == found | {"open": None, "seats": 1}
    assert said == ["1 of 1 row (100 %) have a closed_at that is not believed"]


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
