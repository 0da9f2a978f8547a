"""The SQL of subscriptions says what the definition says; money of several currencies; contradictions are countable."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import some_of
from tests.integration.signals.signals_kit import TYPES, Database, at, in_order, product_of, signals_of
from tests.integration.signals.subscriptions_oracle import account_state
from worker.language.values import Value
from worker.settings.shipped import shipped_files
from worker.signals.compute import compute
from worker.signals.source import open_source
from worker.signals.subscription_words import DATES, KNOWN_WORDS
from worker.signals.subscriptions import contradictions

AS_OF = at("2026-03-15T06:00")
SHIPPED = yaml.safe_load((shipped_files() / "config" / "signals.yaml").read_text())["signals"]
WITH_KEYS = TYPES | {
    "subscriptions": TYPES["subscriptions"] | {"sub_id": "text", "updated_at": "time"},
    "tickets": TYPES["tickets"] | {"ticket_id": "text", "updated_at": "time"},
    "invoices": TYPES["invoices"] | {"invoice_id": "text", "updated_at": "time"},
}
ACCOUNTS = [f"a{number}" for number in range(12)]

moments = st.one_of(
    st.none(),
    st.sampled_from([-1, 0, 1]).map(lambda tick: AS_OF + timedelta(microseconds=tick)),
    st.sampled_from([-31, -30, -29, -1, 0, 1, 30]).map(lambda days: AS_OF + timedelta(days=days)),
    st.integers(-60, 60).map(lambda days: AS_OF + timedelta(days=days, hours=days % 7)),
)
rows = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(ACCOUNTS),
        "sub_id": st.sampled_from([None, None, "s1", "s2"]),
        "product": st.sampled_from([None, "core", "core", "analytics"]),
        "currency": st.sampled_from(["EUR", "EUR", "eur ", "USD"]),
        "plan": st.sampled_from(["free", "pro", "enterprise"]),
        "tier_rank": st.sampled_from([None, 0, 1, 2]),
        "mrr": st.sampled_from([None, 0, 49.5, 100]),
        "seats": st.sampled_from([None, 1, 5]),
        "status": st.one_of(
            st.sampled_from(KNOWN_WORDS), st.sampled_from([None, "", "golden", "Past Due", "CANCELED "])
        ),
        **dict.fromkeys(DATES, moments),
    }
)
rows = rows.map(in_order("term_start", "term_end")).map(in_order("trial_start", "trial_end"))


def without_repeats(subscriptions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with ids of their own account, each term of an id once."""
    found: dict[Any, dict[str, Any]] = {}
    for place, row in enumerate(subscriptions):
        sub_id = row["sub_id"] and f"{row['account_id']} {row['sub_id']}"
        found.setdefault((sub_id, row["term_start"] if sub_id else place), {**row, "sub_id": sub_id})
    return list(found.values())


def subscriptions_only() -> dict[str, Any]:
    return {name: signal for name, signal in SHIPPED.items() if signal.get("from") == "subscriptions"}


def answers(
    database: Database, tables: dict[str, Any], signals: dict[str, Any], **more: Any
) -> dict[str, dict[str, Value]]:
    product = product_of(database.source, tables, **more)
    with open_source(product, database.folder) as source:
        return compute(source, product, signals_of(yaml.safe_dump({"signals": signals})), [], AS_OF)


def test_random_subscriptions_are_what_the_definition_says_whatever_is_mapped(database: Database) -> None:
    @settings(
        max_examples=some_of({"several": 5, "duckdb": 10}.get(database.kind, 20)),  # these plan or copy for long
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(rows, min_size=15, max_size=30),
        st.sampled_from([(), (), (), ("status",), DATES, ("term_start", "ended_at"), ("trial_start", "cancelled_at")]),
        st.sampled_from([0, 30]),
    )
    def agrees(subscriptions: list[dict[str, Any]], missing: tuple[str, ...], grace: int) -> None:
        tables: dict[str, Any] = {
            "accounts": [{"account_id": name} for name in ACCOUNTS],
            "events": [],
            "subscriptions": subscriptions,
        }
        subscriptions[:] = without_repeats(subscriptions)
        database.fill(tables, WITH_KEYS)
        if "term_start" in missing:
            missing = (*missing, "sub_id")
        kept = ", ".join(name for name in subscriptions[0] if name not in missing)
        mapping = {"subscriptions": {"query": f"SELECT {kept} FROM subscriptions"}}
        found = answers(database, tables, subscriptions_only(), mapping=mapping, dunning_grace=f"{grace}d")
        known = [{key: value for key, value in row.items() if key not in missing} for row in subscriptions]
        for account in ACCOUNTS:
            own = [row for row in known if row["account_id"] == account]
            state, values = account_state(own, AS_OF, timedelta(days=grace)), found[account]
            assert values["paying"] is state.paying, own
            assert values["mrr"] == state.mrr, own
            assert values["plan"] == (state.plan or "unsubscribed"), own
            assert values["seat_limit"] == state.seats, own
            if missing != DATES:
                assert values["subscription.status"] == state.status, own
                assert values["subscription.renews"] is state.renews, own
                assert values["days_to_renewal"] == state.days_to_renewal, own
                assert values["trial_days_left"] == state.trial_days_left, own

    agrees()


def test_a_table_without_a_status_and_dates_lists_what_is_in_force(database: Database) -> None:
    tables: dict[str, Any] = {
        "accounts": [{"account_id": "a"}],
        "events": [],
        "subscriptions": [{"account_id": "a", "mrr": 9}],
    }
    database.fill(tables)
    mapping = {"subscriptions": {"query": "SELECT account_id, plan, mrr FROM subscriptions"}}
    found = answers(database, tables, subscriptions_only(), mapping=mapping)["a"]
    assert (found["mrr"], found["paying"], found["products"]) == (9, True, 1)
    assert (found["subscription.status"], found["subscription.renews"], found["trialing"]) == (None, None, None)


def money(account: str, table: str, amount: float, currency: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"account_id": account, "currency": currency}
    if table == "subscriptions":
        return row | {"plan": "pro", "mrr": amount, "status": "active", "term_start": at("2026-01-01")}
    return row | {"amount": amount, "due_at": at("2026-03-01")}


def test_amounts_are_converted_by_the_newest_rate_and_unknown_without_one(database: Database) -> None:
    cases: dict[str, list[tuple[float, str | None]]] = {
        "euro": [(100, "EUR"), (20, " eur ")],
        "both": [(100, "EUR"), (50, "USD")],
        "dollar": [(50, "USD")],
        "yen": [(100, "EUR"), (9000, "JPY")],
        "unsaid": [(100, "EUR"), (50, None)],
        "nothing": [(100, "EUR"), (0, "JPY")],
    }
    signals = {
        "mrr": SHIPPED["mrr"],
        "top": {"label": "x", "from": "subscriptions", "measure": "top", "column": "mrr"},
        "overdue": SHIPPED["amount_overdue"],
        "largest": {"label": "x", "from": "invoices", "measure": "highest", "column": "amount", "current": True},
    }
    tables: dict[str, Any] = {"accounts": [{"account_id": name} for name in cases], "events": []}
    for table in ("subscriptions", "invoices"):
        tables[table] = [money(name, table, *one) for name, many in cases.items() for one in many]
    database.fill(tables)
    plain = answers(database, tables, signals)
    assert {name: plain[name]["mrr"] for name in cases} == {
        "euro": 120,
        "both": None,
        "dollar": 50,
        "yen": None,
        "unsaid": None,
        "nothing": 100,
    }
    rates = [
        {"since": "2026-03-16", "worth": {"USD": 9}},
        {"since": "2026-03-15", "worth": {"USD": 0.5}},
        {"since": "2026-01-01", "worth": {"USD": 0.8, "GBP": 1.2}},
    ]
    euros = answers(database, tables, signals, reporting_currency="EUR", rates=rates)
    right = {"euro": 120, "both": 125, "dollar": 25, "yen": None, "unsaid": None, "nothing": 100}
    assert {name: euros[name]["mrr"] for name in cases} == right
    assert {name: euros[name]["overdue"] for name in cases} == right
    assert (euros["dollar"]["top"], euros["both"]["largest"], plain["both"]["largest"]) == (25, 100, None)


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "running but ended_at is past": {"status": "active", "ended_at": at("2026-03-01")},
    "active after term_end": {"status": "active", "term_end": at("2026-03-01")},
    "cancelled without ended_at in mid-term": {"status": "canceled", "term_end": at("2026-12-01")},
    "ended without ended_at in mid-term": {"status": "expired", "term_end": at("2026-12-01")},
    "cancelled_at without an end": {"status": "active", "cancelled_at": at("2026-03-01")},
    "cancelled_at before term_start": {
        "status": "active",
        "cancelled_at": at("2025-03-01"),
        "term_start": at("2026-01-01"),
        "term_end": at("2026-12-01"),
    },
    "ended_at before term_start": {"ended_at": at("2026-01-01"), "term_start": at("2026-02-01")},
    "in force without mrr": {
        "status": "active",
        "term_start": at("2026-01-01"),
        "term_end": at("2026-12-01"),
        "mrr": None,
    },
    "mrr on a trial": {"status": "trialing", "mrr": 9},
    "active on a trial": {"status": "active", "trial_start": at("2026-03-01"), "trial_end": at("2026-04-01")},
    "trialing after trial_end": {"status": "trialing", "trial_end": at("2026-03-01")},
    "status not understood": {"status": "golden", "term_end": at("2026-12-01")},
    "nothing says its state": {"mrr": 100},
}
CONSISTENT: list[dict[str, Any]] = [
    {"status": "active", "mrr": 9, "term_start": at("2026-01-01"), "term_end": at("2026-12-01")},
    {
        "status": "active",
        "cancelled_at": at("2026-02-01"),
        "term_start": at("2026-01-01"),
        "term_end": at("2026-12-01"),
    },
    {"status": "canceled", "cancelled_at": at("2026-02-01"), "ended_at": at("2026-02-01")},
    {"status": "trialing", "mrr": 0, "trial_start": at("2026-03-01"), "trial_end": at("2026-04-01")},
    {"status": "past_due", "mrr": 9, "term_end": at("2026-03-01")},
    {"status": "ended", "mrr": 9, "term_end": at("2026-03-01")},
]


def test_every_contradiction_is_counted_under_its_name_and_nothing_else(database: Database) -> None:
    tables: dict[str, Any] = {"accounts": [], "events": []}
    tables["subscriptions"] = [
        *({"account_id": name, "mrr": 0, **row} for name, row in CONTRADICTIONS.items()),
        *({"account_id": "consistent", "mrr": 0, **row} for row in CONSISTENT),
    ]
    database.fill(tables)
    with open_source(product_of(database.source, tables), database.folder) as source:
        table = source.catalogue.table("subscriptions")
        assert table is not None
        rows, named = contradictions(table, AS_OF)
        columns = [condition.label(f"c{index}") for index, condition in enumerate(named.values())]
        found = source.engine.run(sa.select(replace(table, rows=rows).id("account_id"), *columns).select_from(rows))
    assert set(named) == set(CONTRADICTIONS)
    for account, *flags in found:
        assert None not in flags
        true = {name for name, flag in zip(named, flags, strict=True) if flag}
        assert true == ({account} if account != "consistent" else set()), account


def subscription(account: str, **more: Any) -> dict[str, Any]:
    row = {"account_id": account, "sub_id": f"sub of {account}", "plan": "pro", "status": "active", "seats": 20}
    return row | {"mrr": 100, "term_start": at("2026-01-01"), "term_end": at("2026-12-01"), **more}


def of_one_id(account: str, first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    return [subscription(account, **first), subscription(account, **second)]


def test_of_one_subscription_the_latest_term_replaces_the_earlier_ones(database: Database) -> None:
    older = {"term_start": at("2025-06-01"), "term_end": at("2026-06-01"), "seats": 50, "mrr": 400, "plan": "max"}
    tables: dict[str, Any] = {
        "accounts": [{"account_id": name} for name in ("renewed", "ended", "items", "coming")],
        "events": [],
        "subscriptions": [
            *of_one_id("renewed", older, {}),
            *of_one_id("ended", older, {"ended_at": at("2026-03-01")}),
            *of_one_id("items", older | {"product": "core"}, {"product": "analytics"}),
            *of_one_id("coming", older, {"term_start": at("2026-06-01")}),
        ],
    }
    database.fill(tables, WITH_KEYS)
    found = answers(database, tables, subscriptions_only())
    asked = ("plan", "mrr", "seat_limit", "paying", "products")
    assert {name: tuple(found[name][signal] for signal in asked) for name in found} == {
        "renewed": ("pro", 100, 20, True, 1),
        "ended": ("unsubscribed", 0, 0, False, 0),
        "items": ("max", 500, 70, True, 2),
        "coming": ("max", 400, 50, True, 1),
    }


def test_a_subscription_without_a_price_leaves_the_total_unknown_and_is_counted(database: Database) -> None:
    tables: dict[str, Any] = {
        "accounts": [{"account_id": name} for name in ("a", "b", "c")],
        "events": [],
        "subscriptions": [
            subscription("a", sub_id="s1"),
            subscription("a", sub_id="s2", mrr=None),
            subscription("b", sub_id="s3", mrr=None, status="ended", ended_at=at("2026-02-01")),
            subscription("b", sub_id="s4"),
            subscription("c", sub_id="s5", status="trialing", mrr=None, trial_end=at("2026-04-01")),
        ],
        "invoices": [{"account_id": "a", "amount": amount, "due_at": at("2026-03-01")} for amount in (5, None)],
    }
    database.fill(tables, WITH_KEYS)
    found = answers(database, tables, subscriptions_only() | {"overdue": SHIPPED["amount_overdue"]})
    assert {name: found[name]["mrr"] for name in found} == {"a": None, "b": 100, "c": 0}
    assert (found["a"]["overdue"], found["a"]["paying"], found["a"]["seat_limit"]) == (None, True, 40)
    with open_source(product_of(database.source, tables), database.folder) as source:
        report = source.report(AS_OF).table("subscriptions")
    assert report is not None
    assert report.contradictions == {"in force without mrr": 1}


def test_what_the_repeats_of_a_row_differ_in_is_unknown_unless_one_is_the_latest(database: Database) -> None:
    latest = {"updated_at": at("2026-03-02")}
    tables: dict[str, Any] = {
        "accounts": [{"account_id": name} for name in ("same", "seats", "status", "dated", "tied")],
        "events": [],
        "subscriptions": [
            *of_one_id("same", {}, {}),
            *of_one_id("seats", {"seats": 5}, {}),
            *of_one_id("status", {"status": "unpaid"}, {}),
            *of_one_id("dated", {"seats": 5, "updated_at": at("2026-03-01")}, latest),
            *of_one_id("tied", latest, latest | {"mrr": None}),
        ],
        "tickets": [
            {"account_id": "same", "ticket_id": ticket, "opened_at": at("2026-03-01"), "closed_at": closed}
            for ticket, closed in (("t1", None), ("t1", None), (None, None), (None, None))
        ]
        + [
            {"account_id": "seats", "ticket_id": "t2", "opened_at": at("2026-03-01"), "closed_at": closed}
            for closed in (None, at("2026-03-10"))
        ],
        "invoices": [
            {"account_id": "seats", "invoice_id": "i1", "amount": 9, "due_at": at("2026-03-01"), "status": status}
            for status in ("open", "paid")
        ],
    }
    signals = subscriptions_only() | {
        "overdue": SHIPPED["amount_overdue"],
        "tickets_ever": {"label": "x", "from": "tickets", "measure": "count"},
        "tickets_open": {"label": "x", "from": "tickets", "measure": "count", "current": True},
    }
    database.fill(tables, WITH_KEYS)
    found = answers(database, tables, signals)
    asked = ("paying", "mrr", "seat_limit", "subscription.status")
    assert {name: tuple(found[name][signal] for signal in asked) for name in found} == {
        "same": (True, 100, 20, "active"),
        "seats": (True, 100, None, "active"),
        "status": (None, None, None, None),
        "dated": (True, 100, 20, "active"),
        "tied": (None, None, 20, None),
    }
    tickets = {name: (found[name]["tickets_ever"], found[name]["tickets_open"]) for name in ("same", "seats", "dated")}
    assert tickets == {"same": (3, 3), "seats": (1, None), "dated": (0, 0)}
    assert (found["same"]["overdue"], found["seats"]["overdue"]) == (0, None)


def test_nothing_is_known_of_accounts_that_claim_one_row_unless_one_is_the_latest(database: Database) -> None:
    day = {"opened_at": at("2026-03-01")}
    tables: dict[str, Any] = {
        "accounts": [{"account_id": name} for name in "abcd"],
        "events": [],
        "subscriptions": [subscription(name, sub_id=sub_id) for name, sub_id in (("a", "s"), ("b", "s"), ("c", "t"))],
        "tickets": [{"account_id": name, "ticket_id": "t", **day} for name in "abd"],
        "invoices": [
            {"account_id": name, "invoice_id": "i", "amount": 9, "due_at": at("2026-03-01"), "updated_at": at(latest)}
            for name, latest in (("a", "2026-03-02"), ("b", "2026-03-03"))
        ],
    }
    signals = subscriptions_only() | {
        "overdue": SHIPPED["amount_overdue"],
        "tickets_ever": {"label": "x", "from": "tickets", "measure": "count"},
    }
    database.fill(tables, WITH_KEYS)
    found = answers(database, tables, signals)
    asked = ("tickets_ever", "overdue", "mrr", "paying")
    assert {name: tuple(found[name][signal] for signal in asked) for name in found} == {
        "a": (None, 0, None, None),
        "b": (None, 9, None, None),
        "c": (0, 0, 100, True),
        "d": (None, 0, 0, False),
    }


def test_the_report_counts_repeats_that_differ_by_what_they_differ_in(database: Database) -> None:
    tables: dict[str, Any] = {
        "accounts": [{"account_id": name} for name in "abc"],
        "events": [],
        "subscriptions": [
            *of_one_id("a", {"seats": 5}, {"seats": 6}),
            *of_one_id("b", {"seats": None}, {"plan": "max"}),
            *of_one_id("c", {}, {"plan": " pro "}),
        ],
    }
    database.fill(tables, WITH_KEYS)
    with open_source(product_of(database.source, tables), database.folder) as source:
        report = source.report(AS_OF).table("subscriptions")
    assert report is not None
    assert report.repeats == 3
    unclear = "none is the latest"
    assert report.contradictions == {
        f"repeats with another seats ({unclear})": 2,
        f"repeats with another plan ({unclear})": 1,
    }
