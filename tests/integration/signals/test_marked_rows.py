"""Rows that a source itself marks as deleted, replaced or of a test count, and the data report names the column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
PAST, AHEAD = at("2026-03-01T00:00"), at("2026-12-01T00:00")
SAME: Mapping[str, Mapping[str, Any]] = {
    "accounts": {"name": "N"},
    "users": {"user_id": "u"},
    "memberships": {"user_id": "u", "role": "admin"},
    "subscriptions": {"plan": "pro", "mrr": 10},
    "tickets": {"opened_at": PAST},
    "events": {"name": "Used", "occurred_at": PAST},
    "invoices": {"due_at": PAST},
}
WITHOUT = "they count; map a query without them"


def remarks_of(
    database: Database,
    table: str,
    columns: Mapping[str, str],
    rows: list[dict[str, Any]],
    mapping: Mapping[str, Any] | None = None,
) -> list[str]:
    """The sentences about ``table`` that name a column which is not mapped."""
    tables: dict[str, list[dict[str, Any]]] = {"accounts": [{"account_id": "a"}], "events": []}
    tables[table] = [{"account_id": f"a{place}", **SAME[table], **row} for place, row in enumerate(rows)]
    database.fill(tables, {**TYPES, table: {**TYPES[table], **columns}})
    product = product_of(database.source, tables, mapping={table: {"table": table, **(mapping or {})}})
    with open_source(product, database.folder, AS_OF) as source:
        sentences = [sentence for name, sentence in source.report(AS_OF).remarks() if name == table]
    return [sentence for sentence in sentences if "not mapped" in sentence or "sounds like" in sentence]


@pytest.mark.parametrize(
    ("table", "column", "kind", "marked", "others", "what"),
    [
        ("subscriptions", "_fivetran_deleted", "flag", True, [False, None], "deleted"),
        ("memberships", "_sdc_deleted_at", "time", PAST, [AHEAD, None], "deleted"),
        ("tickets", "deleted_at", "text", "03/11/2025", ["2026-12-01", "", "0000-00-00 00:00:00"], "deleted"),
        ("memberships", "isDeleted", "number", 1, [0, None], "deleted"),
        ("memberships", "dbt_valid_to", "time", PAST, [None, at("9999-12-31T00:00")], "older versions"),
        ("subscriptions", "_fivetran_active", "flag", False, [True, None], "older versions"),
        ("subscriptions", "livemode", "text", "false", ["true", None], "of a test"),
        ("accounts", "merged_into_id", "text", "a0", [None, "NULL", "0"], "merged into another"),
        ("users", "is_active", "text", "f", ["t", None], "not in use"),
        ("memberships", "op", "text", "D", ["I", "u", None], "deleted"),
        ("memberships", "status", "text", " Invited", ["active", None], "not in use"),
        ("tickets", "status", "text", "solved", ["open", None], "over"),
        ("events", "impersonator_id", "text", "staff", [None], "of staff or a machine"),
    ],
)
def test_the_report_names_the_column_that_marks_rows(
    database: Database, table: str, column: str, kind: str, marked: Any, others: list[Any], what: str
) -> None:
    rows = [{column: value} for value in (marked, *others)]
    share = f"1 of {len(rows)} rows ({100 / len(rows):.0f} %)"
    sentence = f'{share} are {what} by the column "{column}", which is not mapped: {WITHOUT}'
    assert remarks_of(database, table, {column: kind}, rows) == [sentence]
    assert remarks_of(database, table, {column: kind}, rows[1:]) == []


def test_a_row_that_is_out_anyway_is_not_named(database: Database) -> None:
    over: list[dict[str, Any]] = [{"removed_at": PAST, "is_deleted": True}, {"removed_at": None, "is_deleted": False}]
    assert remarks_of(database, "memberships", {"is_deleted": "flag"}, over) == []
    closed = [{"closed_at": PAST, "status": "closed"}]
    assert remarks_of(database, "tickets", {"status": "text"}, closed) == []
    assert remarks_of(database, "users", {"is_bot": "flag"}, [{"is_internal": True, "is_bot": True}]) == []


def test_a_column_that_is_mapped_marks_nothing(database: Database) -> None:
    rows = [{"removed": PAST}]
    mapping = {"columns": {"removed_at": "removed"}}
    assert remarks_of(database, "memberships", {"removed": "time"}, rows, mapping) == []
    extra = {"extra": {"archived": "archived"}}
    assert remarks_of(database, "accounts", {"archived": "flag"}, [{"archived": True}], extra) == []


def test_the_remedy_is_our_column_where_there_is_one(database: Database) -> None:
    types = {name: kind for name, kind in TYPES["users"].items() if name != "deleted_at"}
    person = {"user_id": "u", "discarded_at": PAST}
    tables: dict[str, list[dict[str, Any]]] = {"accounts": [{"account_id": "a"}], "events": [], "users": [person]}
    database.fill(tables, {**TYPES, "users": {**types, "discarded_at": "time"}})
    with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
        sentences = [sentence for name, sentence in source.report(AS_OF).remarks() if name == "users"]
    (sentence,) = sentences
    assert sentence.endswith('by the column "discarded_at", which is not mapped: they count; map it as deleted_at')


def test_older_versions_are_not_named_where_only_the_newest_counts(database: Database) -> None:
    columns = {"sub_id": "text", "updated_at": "time", "dbt_valid_to": "time"}
    rows = [{"account_id": "a", "sub_id": "s", "updated_at": at(f"2026-0{month}-01T00:00")} for month in (1, 2)]
    rows[0]["dbt_valid_to"] = rows[1]["updated_at"]
    assert remarks_of(database, "subscriptions", columns, rows) == []


def test_ids_of_several_kinds_in_one_column_are_named(database: Database) -> None:
    columns = {"member_id": "text", "member_type": "text"}
    rows = [{"member_id": str(place), "member_type": kind} for place, kind in enumerate(["User", "User", "Team"])]
    mapping = {"columns": {"user_id": "member_id"}}
    said = (
        '1 of 3 rows (33 %) are not "User" by the column "member_type", which is not mapped: '
        "user_id holds ids of several kinds; map a query with one of them"
    )
    assert remarks_of(database, "memberships", columns, rows, mapping) == [said]
    assert remarks_of(database, "memberships", columns, rows[:2], mapping) == []


def test_prices_of_a_year_are_no_mrr(database: Database) -> None:
    columns = {"price": "number", "interval": "text"}
    rows = [{"price": 12, "interval": "year"}, {"price": 13, "interval": "month"}]
    said = (
        '1 of 2 rows (50 %) are paid by the year by the column "interval", which is not mapped: '
        "mrr is an amount per month; map a query that divides by 12"
    )
    assert remarks_of(database, "subscriptions", columns, rows, {"columns": {"mrr": "price"}}) == [said]
    monthly = {"interval": "text"}
    divided = [{"mrr": 10, "interval": "year"}, {"mrr": 12, "interval": "month"}]
    assert remarks_of(database, "subscriptions", monthly, divided) == []
    as_paid = [{"mrr": 120, "interval": "Annual"}, {"mrr": 12, "interval": "month"}]
    assert remarks_of(database, "subscriptions", monthly, as_paid) == [said]


def test_amounts_in_cents_are_named(database: Database) -> None:
    rows = [{"amount_cents": 1000}]
    mapping = {"columns": {"mrr": "amount_cents"}}
    assert remarks_of(database, "subscriptions", {"amount_cents": "number"}, rows, mapping) == [
        '"amount_cents" sounds like amounts in hundredths: map a query that divides it by 100'
    ]


@pytest.mark.parametrize(
    ("column", "kind", "marked", "other", "what", "word"),
    [
        ("cancel_at_period_end", "flag", True, False, "to be cancelled at the end of the term", "non_renewing"),
        ("auto_renew", "text", "no", "yes", "to be cancelled at the end of the term", "non_renewing"),
        ("pause_collection", "json", '{"behavior": "void"}', None, "paused", "paused"),
    ],
)
def test_a_subscription_that_will_end_or_is_paused_is_named(
    database: Database, column: str, kind: str, marked: Any, other: Any, what: str, word: str
) -> None:
    rows: list[dict[str, Any]] = [{column: marked, "status": "active"}, {column: other, "status": "active"}]
    remedy = f'they count as if not; map a query whose status is "{word}" there'
    said = f'1 of 2 rows (50 %) are {what} by the column "{column}", which is not mapped: {remedy}'
    assert remarks_of(database, "subscriptions", {column: kind}, rows) == [said]
    ended = [{**rows[0], "ended_at": PAST}]
    assert remarks_of(database, "subscriptions", {column: kind}, ended) == []


def test_cancelling_that_is_known_is_not_named(database: Database) -> None:
    rows: list[dict[str, Any]] = [
        {"cancel_at_period_end": True, "cancelled_at": PAST},
        {"cancel_at_period_end": True, "status": "Non-renewing"},
    ]
    assert remarks_of(database, "subscriptions", {"cancel_at_period_end": "flag"}, rows) == []
