"""A row that is over before it starts says nothing about its account, in every kind of database."""

from __future__ import annotations

from typing import Any

from tests.integration.signals.signals_kit import TYPES, Database, Tables, at, product_of, signals_of
from worker.language.values import Value
from worker.settings.trust import TrustSettings
from worker.signals.compute import compute
from worker.signals.source import open_source
from worker.signals.trust import distrust

AS_OF = at("2026-03-10T06:00")
BOUNDS = {
    "memberships": ("added_at", "removed_at"),
    "tickets": ("opened_at", "closed_at"),
    "invites": ("sent_at", "accepted_at"),
    "invoices": ("due_at", "paid_at"),
}
SIGNALS = signals_of("""
signals:
  memberships: {label: x, from: memberships, measure: users}
  tickets: {label: x, from: tickets, measure: count, current: true}
  invites: {label: x, from: invites, measure: count, current: true}
  invoices: {label: x, from: invoices, measure: count, current: true}
  roles: {label: x, from: events, measure: roles, window: 28d}
""")
ROWS = {
    "again": (at("2026-03-01T10:00"), at("2026-03-01T09:59")),
    "over": (at("2026-03-01T10:00"), at("2026-03-02T09:59")),
    "same": (at("2026-03-01T10:00"), at("2026-03-01T10:00")),
    "day": (at("2026-03-01T10:00"), at("2026-03-01")),
    "days": (at("2026-03-03T10:00"), at("2026-03-01")),
    "open": (at("2026-03-01T10:00"), None),
}


def _found(
    database: Database, tables: Tables, **more: Any
) -> tuple[dict[str, dict[str, Value]], list[tuple[str, str]]]:
    database.fill(tables, {**TYPES, "events": {**TYPES["events"], "user_id": "text"}})
    product = product_of(database.source, tables, **more)
    with open_source(product, database.folder, AS_OF) as source:
        remarks = list(source.report(AS_OF).remarks())
        return compute(source, product, SIGNALS, [], AS_OF), remarks


def _tables() -> dict[str, Any]:
    found: dict[str, Any] = {
        table: [
            {
                "account_id": account,
                "user_id": "u",
                "role": "admin",
                "severity": "low",
                since: bounds[0],
                until: bounds[1],
            }
            for account, bounds in ROWS.items()
        ]
        for table, (since, until) in BOUNDS.items()
    }
    found["memberships"] += [{"account_id": account, "user_id": "v", "role": "owner"} for account in ROWS]
    event = {"user_id": "v", "name": "Used", "occurred_at": at("2026-03-08")}
    return {
        "accounts": [{"account_id": account} for account in ROWS],
        "events": [{"account_id": account, **event} for account in ROWS],
        **found,
    }


def test_a_row_that_is_over_before_it_starts_is_counted_and_leaves_its_account_unknown(database: Database) -> None:
    found, said = _found(database, _tables())
    right = {"again": None, "over": 0, "same": 0, "day": 0, "days": None, "open": 1}
    right_people = {account: None if number is None else number + 1 for account, number in right.items()}
    assert {account: found[account]["memberships"] for account in ROWS} == right_people
    assert {account: found[account]["roles"] for account in ROWS} == dict.fromkeys(ROWS, 1) | {
        "again": None,
        "days": None,
    }
    for table in ("tickets", "invites"):
        assert {account: found[account][table] for account in ROWS} == right, table
    assert {account: found[account]["invoices"] for account in ROWS} == right | {"again": 0, "days": 0}
    contradict = "2 of 6 rows (33 %) contradict themselves"
    assert said == [
        ("memberships", "2 of 12 rows (17 %) contradict themselves: removed_at before added_at"),
        ("invites", f"{contradict}: accepted_at before sent_at"),
        ("tickets", f"{contradict}: closed_at before opened_at"),
    ]


def test_a_day_in_another_zone_contradicts_only_the_days_after_it(database: Database) -> None:
    tables = _tables()
    for row in tables["tickets"]:
        row["closed_at"] = row["closed_at"] and at("2026-02-28T23:00")
    found, said = _found(
        database, {name: tables[name] for name in ("accounts", "events", "tickets")}, time_zone="Europe/Berlin"
    )
    right = {"again": 0, "over": 0, "same": 0, "day": 0, "days": None, "open": 1}
    assert {account: found[account]["tickets"] for account in ROWS} == right
    assert said == [("tickets", "1 of 6 rows (17 %) contradict themselves: closed_at before opened_at")]


WINDOWS = signals_of("""
signals:
  opened: {label: x, from: tickets, measure: count, window: 28d}
  before: {label: x, from: tickets, measure: count, window: 28d, previous: true}
  closed: {label: x, from: tickets, measure: count, at: closed_at, window: 28d}
  closed_before: {label: x, from: tickets, measure: count, at: closed_at, window: 28d, previous: true}
  last: {label: x, from: tickets, measure: last}
  all: {label: x, from: tickets, measure: count}
  open: {label: x, from: tickets, measure: count, current: true}
  added: {label: x, from: memberships, measure: count, window: 28d}
  added_ever: {label: x, from: memberships, measure: count, current: false}
""")
"""28 days are those from 2026-02-10, and those before them from 2026-01-13."""
LATER_AND_EARLIER = {
    "long ago": (at("2024-03-02"), at("2024-02-01T10:00")),
    "across": (at("2026-02-20"), at("2024-03-01T10:00")),
    "lately": (at("2026-02-20"), at("2026-02-18T10:00")),
}
"""When a row starts, and when it was over before."""


def test_a_row_out_of_order_is_in_no_window_after_both_its_dates(database: Database) -> None:
    tables: Tables = {
        "accounts": [{"account_id": account} for account in LATER_AND_EARLIER],
        "events": [],
        "tickets": [
            {"account_id": account, "opened_at": since, "closed_at": until}
            for account, (since, until) in LATER_AND_EARLIER.items()
        ],
        "memberships": [
            {"account_id": account, "user_id": "u", "added_at": since, "removed_at": until}
            for account, (since, until) in LATER_AND_EARLIER.items()
        ],
    }
    database.fill(tables)
    with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
        source.report(AS_OF)
        found = compute(source, source.catalogue.product, WINDOWS, [], AS_OF)
    unknown = dict.fromkeys(("opened", "before", "closed", "closed_before", "last", "open", "added"))
    always = {"all": 1, "added_ever": 1, "last": None, "open": None}
    assert found["long ago"] == found["long ago"] | unknown | always | dict.fromkeys(
        ("opened", "before", "closed", "closed_before", "added"), 0
    )
    assert found["across"] == found["across"] | unknown | always
    assert found["lately"] == found["lately"] | unknown | always | {"closed_before": 0}


MRR = signals_of("""
signals:
  mrr: {label: x, from: subscriptions, measure: sum, column: mrr}
  plan: {label: x, unit: text, from: subscriptions, measure: top, column: plan}
""")
TERM, TRIAL = (at("2026-01-01"), at("2026-12-31")), (at("2026-01-01"), at("2026-02-01"))
SUBSCRIPTIONS: dict[str, tuple[dict[str, Any], int | None]] = {
    "right": ({"term_start": TERM[0], "term_end": TERM[1]}, 9),
    "swapped": ({"term_start": TERM[1], "term_end": TERM[0]}, None),
    "long ago": ({"term_start": at("2024-06-01"), "term_end": at("2024-01-01"), "status": "active"}, None),
    "ended": ({"term_start": at("2024-06-01"), "term_end": at("2024-01-01"), "ended_at": at("2024-07-01")}, 0),
    "said to be over": ({"term_start": at("2024-06-01"), "term_end": at("2024-01-01"), "status": "expired"}, 0),
    "trial": ({"trial_start": TRIAL[1], "trial_end": TRIAL[0]}, None),
    "after a trial": ({"trial_start": TRIAL[1], "trial_end": TRIAL[0], "term_start": TERM[0], "term_end": TERM[1]}, 9),
    "one day": ({"term_start": at("2026-03-09T10:00"), "term_end": at("2026-03-09")}, 0),
}
"""Per account, its row and the MRR that is known of it."""


def test_a_subscription_that_is_over_before_it_starts_says_nothing_unless_something_else_does(
    database: Database,
) -> None:
    tables: Tables = {
        "accounts": [{"account_id": account} for account in SUBSCRIPTIONS],
        "events": [],
        "subscriptions": [
            {"account_id": account, "plan": "pro", "mrr": 9, **row} for account, (row, _) in SUBSCRIPTIONS.items()
        ],
    }
    database.fill(tables)
    with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
        said = [sentence for _, sentence in source.report(AS_OF).remarks() if "contradict" in sentence]
        found = compute(source, source.catalogue.product, MRR, [], AS_OF)
    assert {account: row["mrr"] for account, row in found.items()} == {
        account: mrr for account, (_, mrr) in SUBSCRIPTIONS.items()
    }
    for account in ("swapped", "long ago", "trial"):
        assert found[account]["plan"] is None
    assert "4 of 8 rows (50 %) contradict themselves: term_end before term_start" in said
    assert "2 of 8 rows (25 %) contradict themselves: trial_end before trial_start" in said


def test_dates_that_are_swapped_in_most_rows_stop_the_run(database: Database) -> None:
    swapped = [
        {"account_id": "a", "plan": f"p{place}", "term_start": TERM[1], "term_end": TERM[0]} for place in range(6)
    ]
    right = [{**row, "term_start": TERM[0], "term_end": TERM[1]} for row in swapped]
    open_ended = [{**row, "term_end": None} for row in swapped]
    for rows, stops in ((swapped + right[:5] + open_ended, True), (swapped + right, False)):
        tables: Tables = {"accounts": [{"account_id": "a"}], "events": [], "subscriptions": rows}
        database.fill(tables)
        with open_source(product_of(database.source, tables), database.folder, AS_OF) as source:
            reasons = list(distrust(source.report(AS_OF), TrustSettings()))
        what = "6 of 11 rows of subscriptions with both dates have term_end before term_start"
        swap = "the two seem to be swapped under tables: subscriptions: columns"
        assert reasons == ([f"{what}: {swap}"] if stops else [])
