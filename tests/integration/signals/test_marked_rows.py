"""Rows that a source itself marks as deleted, replaced or of a test count, and the data report names the column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
PAST, AHEAD = at("2026-03-01T00:00"), at("2026-12-01T00:00")
SAME: Mapping[str, Mapping[str, Any]] = {
    "accounts": {"name": "N"},
    "users": {},
    "memberships": {"user_id": "u", "role": "admin"},
    "subscriptions": {"plan": "pro", "mrr": 10},
    "tickets": {"opened_at": PAST},
    "events": {"name": "Used", "occurred_at": PAST},
}
UNCOUNTED = "they count; map a query without them"
Tables = dict[str, list[dict[str, Any]]]
MARKED = 4
"""How many rows each case marks: no case has as many others."""


class Case(NamedTuple):
    """A column that nothing maps: the rows that have the cell ``marked`` are ``what``, those of ``others`` are not."""

    table: str
    column: str
    kind: str
    marked: Any
    others: list[Any]
    what: str
    remedy: str = UNCOUNTED
    of_both: Mapping[str, Any] = {}
    """What the rows of the case have in other columns."""


AT_THE_END = "to be cancelled at the end of the term"
OF_STATUS = 'they count as if not; map a query whose status is "{}" there'
CASES = [
    Case("subscriptions", "_fivetran_deleted", "flag", True, [False, None], "deleted"),
    Case("memberships", "_sdc_deleted_at", "time", PAST, [AHEAD, None], "deleted"),
    Case("tickets", "deleted_at", "text", "03/11/2025", ["2026-12-01", "", "0000-00-00 00:00:00"], "deleted"),
    Case("memberships", "isDeleted", "number", 1, [0, None], "deleted"),
    Case("memberships", "dbt_valid_to", "time", PAST, [None, at("9999-12-31T00:00")], "older versions"),
    Case("subscriptions", "_fivetran_active", "flag", False, [True, None], "older versions"),
    Case("subscriptions", "livemode", "text", "false", ["true", None], "of a test"),
    Case("accounts", "merged_into_id", "text", "a0", [None, "NULL", "0"], "merged into another"),
    Case("users", "is_active", "text", "f", ["t", None], "not in use"),
    Case("memberships", "op", "text", "D", ["I", "u", None], "deleted"),
    Case("memberships", "status", "text", " Invited", ["active", None], "not in use"),
    Case("tickets", "status", "text", "solved", ["open", None], "over"),
    Case("events", "impersonator_id", "text", "staff", [None], "of staff or a machine"),
    Case("users", "discarded_at", "time", PAST, [AHEAD, None], "deleted", "they count; map it as deleted_at"),
    *(
        Case("subscriptions", column, kind, marked, [other], what, OF_STATUS.format(word), {"status": "active"})
        for column, kind, marked, other, what, word in [
            ("cancel_at_period_end", "flag", True, False, AT_THE_END, "non_renewing"),
            ("auto_renew", "text", "no", "yes", AT_THE_END, "non_renewing"),
            ("pause_collection", "json", '{"behavior": "void"}', None, "paused", "paused"),
        ]
    ),
    Case(
        *("memberships", "member_type", "text", "Team", ["User"] * 5, 'not "User"'),
        "user_id holds ids of several kinds; map a query with one of them",
        {"member_id": "7"},
    ),
    Case(
        *("subscriptions", "interval", "text", "Year", ["month"], "paid by the year"),
        "mrr is an amount per month; map a query that divides by 12",
        {"amount_cents": 12},
    ),
]
MORE_COLUMNS = {
    "accounts": {"archived": "flag"},
    "users": {"is_bot": "flag"},
    "memberships": {"member_id": "text", "removed": "time"},
    "subscriptions": {"amount_cents": "number"},
}
"""Columns of theirs without a case."""


def remarks_of(
    database: Database, tables: Tables, more: Mapping[str, str] = {}, **mapping: Mapping[str, Any]
) -> set[tuple[str, str]]:
    """Each table, and its sentences that name a column which is not mapped. ``more`` are columns of subscriptions."""
    types = {table: {**TYPES[table], **MORE_COLUMNS.get(table, {})} for table in tables}
    for table, rows in tables.items():
        types[table] |= {case.column: case.kind for case in CASES if case.table == table}
        for place, row in enumerate(rows):
            row |= {"account_id": f"a{place}", **SAME[table], **row}
    types["subscriptions"] |= more
    types.get("users", {}).pop("deleted_at", None)
    database.fill(tables, types)
    mapped = {name: {"table": name, **one} for name, one in mapping.items()}
    with open_source(product_of(database.source, tables, mapping=mapped), database.folder, AS_OF) as source:
        found = list(source.report(AS_OF).remarks())
    return {(table, sentence) for table, sentence in found if "not mapped" in sentence or "sounds like" in sentence}


def rows_of(table: str, cells: Callable[[Case], list[Any]]) -> list[dict[str, Any]]:
    """The rows of all cases of a table: one for each of the cells."""
    return [{**case.of_both, case.column: cell} for case in CASES if case.table == table for cell in cells(case)]


def test_each_column_that_marks_rows_is_named_with_their_number_and_what_to_do(database: Database) -> None:
    tables = {table: rows_of(table, lambda case: [case.marked] * MARKED + case.others) for table in SAME}
    shares = {
        table: f"{MARKED} of {len(rows)} rows ({100 * MARKED / len(rows):.0f} %)" for table, rows in tables.items()
    }
    named = {
        (
            one.table,
            f'{shares[one.table]} are {one.what} by the column "{one.column}", which is not mapped: {one.remedy}',
        )
        for one in CASES
    }
    hundredths = '"amount_cents" sounds like amounts in hundredths: map a query that divides it by 100'
    users, amounts = {"columns": {"user_id": "member_id"}}, {"columns": {"mrr": "amount_cents"}}
    found = remarks_of(database, tables, memberships=users, subscriptions=amounts)
    assert found == named | {("subscriptions", hundredths)}


def test_no_column_is_named_where_nothing_that_counts_is_marked(database: Database) -> None:
    tables = {table: rows_of(table, lambda case: case.others) for table in SAME}
    tables["accounts"].append({"archived": True})
    tables["users"].append({"is_internal": True, "is_bot": True})
    tables["memberships"].append({"removed": PAST, "isDeleted": 1})
    tables["tickets"].append({"closed_at": PAST, "status": "closed"})
    tables["subscriptions"] += [
        *({case.column: case.marked, "ended_at": PAST} for case in CASES if case.of_both.get("status")),
        {"cancel_at_period_end": True, "cancelled_at": PAST},
        {"cancel_at_period_end": True, "status": "Non-renewing"},
        {"dbt_valid_to": PAST, "_fivetran_active": False, "sub_id": "s", "updated_at": PAST},
        {"interval": "year", "mrr": 10},  # as the others pay in a month
    ]
    newest = {"sub_id": "text", "updated_at": "time", "dbt_valid_to": "time"}
    extra = {"extra": {"archived": "archived"}}
    removed = {"columns": {"removed_at": "removed", "user_id": "member_id"}}
    assert remarks_of(database, tables, newest, accounts=extra, memberships=removed) == set()


def test_amounts_per_month_by_their_name_are_of_a_year_where_they_are_as_large(database: Database) -> None:
    as_paid = [{"mrr": 120, "interval": "Annual"}, {"mrr": 12, "interval": "month"}]
    (found,) = remarks_of(database, {"accounts": [{}], "events": [], "subscriptions": as_paid})
    assert found[1].startswith('1 of 2 rows (50 %) are paid by the year by the column "interval", which is not mapped')
