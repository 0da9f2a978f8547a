"""A slip in product.yaml or signals.yaml is named where it stands, with what was probably meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from worker.settings.known import Known
from worker.settings.product import ProductSettings, account_fields, check_product
from worker.settings.signals import Signal, SignalsSettings
from worker.settings.signals_check import check_signals

SHIPPED = Path(__file__).parents[3] / "config"
MAPPINGS = Path(__file__).parents[2] / "mappings"
PROMISED = {
    "plan", "mrr", "subscription.status", "subscription.term_end", "subscription.trial_end", "days_to_renewal",
    "seats_used", "seat_limit", "active_users_28d", "active_users_7d", "active_roles_28d", "key_events_28d",
    "key_events_prev_28d", "key_events_7d", "nps.latest", "nps.age_days", "urgent_tickets_open",
    "days_payment_overdue", "top_user.email", "top_user_share_28d", "invites_accepted_28d",
}  # fmt: skip


def product(**more: Any) -> ProductSettings:
    base: dict[str, Any] = {
        "version": 1,
        "source": {"folder": "data"},
        "tables": {"accounts": {"table": "accounts"}, "events": {"table": "events"}},
    }
    return ProductSettings.model_validate(base | more)


def complaints(signal: dict[str, Any]) -> list[tuple[Any, ...]]:
    settings = SignalsSettings.model_validate(
        {
            "version": 1,
            "event_lists": {"key_events": ["Report Created"]},
            "signals": {
                "users": {"label": "users", "from": "events", "measure": "users"},
                "per_user": {"label": "per user", "of": "users / 2"},
                "tried": {"label": "tried", **signal},
            },
        }
    )
    known = Known(fields=frozenset(settings.signals) | account_fields(product()))
    return [(finding.loc[2:], finding.message) for finding in check_signals(settings, known)]


@pytest.mark.parametrize(
    "folder", [SHIPPED, *(MAPPINGS / name / "config" for name in ("crm5", "nycflights13", "cdnow"))]
)
def test_every_shipped_mapping_is_without_complaint(folder: Path) -> None:
    mapped = ProductSettings.model_validate(yaml.safe_load((folder / "product.yaml").read_text()))
    signals = SignalsSettings.model_validate(yaml.safe_load((folder / "signals.yaml").read_text()))
    known = Known(fields=frozenset(signals.signals) | account_fields(mapped))
    assert list(check_product(mapped, known)) == []
    assert list(check_signals(signals, known)) == []


def test_the_shipped_signals_are_about_forty_and_hold_every_promised_name() -> None:
    signals = SignalsSettings.model_validate(yaml.safe_load((SHIPPED / "signals.yaml").read_text()))
    assert set(signals.signals) >= PROMISED
    assert 38 <= len(signals.signals) <= 50


def test_fields_of_an_account_are_its_columns_and_those_the_user_adds() -> None:
    extra = product(
        tables={"accounts": {"table": "a", "extra": {"channel": "sales_channel"}}, "events": {"table": "events"}}
    )
    names = account_fields(extra)
    assert {"account.id", "account.age_days", "account.is_internal", "account.channel"} <= names
    assert "account.account_id" not in names


@pytest.mark.parametrize(
    ("signal", "loc", "said"),
    [
        ({"from": "events", "measure": "count", "events": "key_event"}, ("events",), 'Did you mean "key_events"'),
        ({"from": "events", "measure": "count", "events": []}, ("events",), "at least one event"),
        ({"from": "tickets", "measure": "count", "events": ["x"]}, ("events",), "only makes sense"),
        ({"from": "tickets", "measure": "count", "where": {"severty": "x"}}, ("where", "severty"), '"severity"'),
        ({"from": "surveys", "measure": "average", "column": "scores"}, ("column",), 'Did you mean "score"'),
        ({"from": "surveys", "measure": "average"}, ("measure",), "needs a column"),
        ({"from": "surveys", "measure": "count", "column": "score"}, ("column",), "takes no column"),
        ({"from": "surveys", "measure": "sum", "column": "kind"}, ("column",), "is no number"),
        ({"from": "surveys", "measure": "share"}, ("measure",), '"that"'),
        ({"from": "events", "measure": "count", "window": "today", "previous": True}, ("previous",), '"window: 1d"'),
        ({"from": "events", "measure": "count", "previous": True}, ("previous",), "needs a window"),
        ({"from": "invites", "measure": "count", "at": "accepted"}, ("at",), 'Did you mean "accepted_at"'),
        ({"from": "invites", "measure": "users"}, ("measure",), "name no user"),
        ({"from": "surveys", "measure": "latest", "column": "score", "as": "days_since"}, ("as",), "needs a date"),
        ({"from": "events", "measure": "count", "current": True}, ("current",), "happen at a moment"),
        ({"from": "tickets", "measure": "top", "column": "severity"}, ("measure",), 'use "latest"'),
        ({"from": "tickets", "measure": "roles"}, ("measure",), "from events"),
        ({"from": "usage_limits", "measure": "count", "window": "7d"}, ("window",), "have no time"),
        ({"from": "events", "measure": "top_user", "column": "role"}, ("column",), '"email" and "user_id"'),
        ({"from": "events", "measure": "count", "as": "days_since"}, ("as",), "needs a date"),
        (
            {"from": "subscriptions", "measure": "top", "column": "term_end", "as": "days_until"},
            ("column",),
            '"renews_at" only of one that renews',
        ),
        (
            {"from": "subscriptions", "measure": "top", "column": "trial_end", "as": "days_until"},
            ("column",),
            '"trial_ends_at" only of one that is on trial',
        ),
        ({"of": "user / 2"}, ("of",), 'Did you mean "users"'),
        ({"of": "per_user * 2"}, ("of",), "itself made"),
        ({"of": "count(Report Created, 7d)"}, ("of",), "signal of its own"),
    ],
)
def test_a_signal_that_cannot_be_measured_is_refused(signal: dict[str, Any], loc: tuple[str, ...], said: str) -> None:
    found = complaints(signal)
    assert [place for place, message in found if said in message] == [loc], found


@pytest.mark.parametrize("name", ["Health", "health.own", "account.x", "a.b.c", "2nd"])
def test_a_name_that_is_taken_or_unreadable_is_refused(name: str) -> None:
    settings = SignalsSettings.model_validate(
        {"version": 1, "signals": {name: {"label": "x", "from": "events", "measure": "count"}}}
    )
    assert [finding.loc for finding in check_signals(settings, Known())] == [("signals", name)]


@pytest.mark.parametrize(
    "signal",
    [{}, {"from": "events"}, {"of": "a / b", "window": "7d"}, {"from": "event", "measure": "count"}],
)
def test_a_signal_is_either_measured_or_made_of_others(signal: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SignalsSettings.model_validate({"version": 1, "signals": {"x": {"label": "x", **signal}}})


@pytest.mark.parametrize(
    ("tables", "loc", "said"),
    [
        (
            {"events": {"table": "e", "columns": {"occured_at": "ts"}}},
            ("events", "columns", "occured_at"),
            "occurred_at",
        ),
        ({"accounts": {"table": "a", "columns": {"channel": "c"}}}, ("accounts", "columns", "channel"), '"extra"'),
        ({"accounts": {"table": "a", "extra": {"name": "c"}}}, ("accounts", "extra", "name"), '"columns"'),
        ({"accounts": {"table": "a", "extra": {"Sales": "c"}}}, ("accounts", "extra", "Sales"), "must be a small name"),
        ({"accounts": {"from": "events", "columns": {"name": "n"}}}, ("accounts", "columns"), 'remove "columns"'),
        ({"accounts": {"from": "events", "extra": {"size": "s"}}}, ("accounts", "extra"), "no columns of their own"),
        ({"users": {"from": "events"}}, ("users", "from"), "not for users"),
        ({"users": {"table": "u", "extra": {"x": "y"}}}, ("users", "extra"), "accounts only"),
        (
            {"subscriptions": {"table": "s", "columns": {"state": "s"}}},
            ("subscriptions", "columns", "state"),
            "worked out",
        ),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(tables: dict[str, Any], loc: tuple[str, ...], said: str) -> None:
    base = {"accounts": {"table": "accounts"}, "events": {"table": "events"}}
    found = list(check_product(product(tables=base | tables), Known()))
    assert [finding.loc[1:] for finding in found] == [loc]
    assert said in found[0].message


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM events",
        "",
        "; SELECT 1",
        "INSERT INTO x SELECT 1",
        "COPY x TO 'y'",
        "/* SELECT */ -- SELECT\n (DROP",
    ],
)
def test_a_query_that_begins_as_no_select_is_refused_offline(query: str) -> None:
    with pytest.raises(ValidationError, match="one SELECT"):
        product(tables={"accounts": {"table": "a"}, "events": {"query": query}})


@pytest.mark.parametrize(
    "query", ["SELECT ';' AS a -- ; end", "-- x\n(with x as (select 1) select * from x);;", "SELECT/* ; */ 1", "FROM x"]
)
def test_how_a_query_goes_on_is_left_to_the_parser_of_its_database(query: str) -> None:
    product(tables={"accounts": {"table": "a"}, "events": {"query": query}})


@pytest.mark.parametrize(
    ("accounts", "loc", "said"),
    [
        ({"table": "a"}, (), '"source" is missing in accounts: say where it is. Known: app, billing'),
        ({"table": "a", "source": "ap"}, ("source",), 'unknown source "ap". Did you mean "app"?'),
        ({"from": "events", "source": "app"}, ("source",), 'remove "source"'),
        ({"from": "events"}, (), None),
        ({"table": "a", "source": "billing"}, (), None),
    ],
)
def test_each_table_says_in_which_of_several_sources_it_is(
    accounts: dict[str, str], loc: tuple[str, ...], said: str | None
) -> None:
    mapped = ProductSettings.model_validate(
        {
            "version": 1,
            "sources": {"app": {"sqlite": "a"}, "billing": {"folder": "b"}},
            "tables": {"accounts": accounts, "events": {"table": "e", "source": "app"}},
        }
    )
    found = list(check_product(mapped, Known()))
    assert [finding.loc for finding in found] == ([] if said is None else [("tables", "accounts", *loc)])
    assert said is None or said in found[0].message


def test_a_table_names_no_source_where_there_is_only_one() -> None:
    (found,) = check_product(
        product(tables={"accounts": {"from": "events"}, "events": {"table": "e", "source": "a"}}), Known()
    )
    assert (found.loc, "one source only" in found.message) == (("tables", "events", "source"), True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"source": {}}, "exactly one"),
        ({"source": None}, 'exactly one of "source" and "sources"'),
        ({"sources": {"app": {"sqlite": "a"}}}, 'exactly one of "source" and "sources"'),
        ({"source": {"duckdb": "a", "sqlite": "b"}}, "exactly one"),
        ({"source": {"postgres": "postgresql://me:secret@host/db"}}, "in clear"),
        ({"time_zone": "Europe/Berln"}, "Europe/Berlin"),
        ({"tables": {"accounts": {"table": "a", "query": "SELECT 1"}, "events": {"table": "e"}}}, "exactly one"),
        ({"tables": {"accounts": {"table": "a"}}}, "events"),
    ],
)
def test_a_source_that_cannot_be_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        product(**more)
    assert "secret@" not in str(refused.value.errors(include_input=False))


def test_an_empty_event_list_is_refused() -> None:
    settings = SignalsSettings.model_validate({"version": 1, "event_lists": {"key_events": []}, "signals": {}})
    (finding,) = check_signals(settings, Known())
    assert (finding.loc, finding.message) == (
        ("event_lists", "key_events"),
        '"key_events" is empty: name at least one event',
    )


def test_a_spelling_belongs_to_one_event() -> None:
    same = {"A": ["a", "B"], "B": ["a"]}
    settings = SignalsSettings.model_validate({"version": 1, "same_event": same, "signals": {}})
    assert [(finding.loc[1:], finding.message) for finding in check_signals(settings, Known())] == [
        (("A", 1), '"B" has other spellings itself: put all of them under one name'),
        (("B", 0), '"a" is a spelling of "A" already'),
    ]


def test_a_name_without_a_label_is_shown_in_words() -> None:
    settings = SignalsSettings.model_validate(
        {"version": 1, "signals": {"seats": {"label": "Seats in use", "from": "events", "measure": "users"}}}
    )
    assert [settings.label(name) for name in ("seats", "account.age_days")] == ["Seats in use", "account age days"]


def test_events_are_counted_by_list_by_name_or_all_and_each_once() -> None:
    settings = SignalsSettings.model_validate(
        {
            "version": 1,
            "event_lists": {"key_events": ["A", "B", "A"]},
            "signals": {
                "listed": {"label": "x", "from": "events", "measure": "count", "events": "key_events"},
                "named": {"label": "x", "from": "events", "measure": "count", "events": ["C", "C"]},
                "all": {"label": "x", "from": "events", "measure": "count"},
            },
        }
    )
    assert {name: settings.event_names(signal) for name, signal in settings.signals.items()} == {
        "listed": ("A", "B"),
        "named": ("C",),
        "all": None,
    }


@pytest.mark.parametrize(
    ("excluded", "full"), [({}, False), ({"accounts": []}, True), ({"domains": ["example.com"]}, True)]
)
def test_what_is_left_out_is_a_full_list_only_where_accounts_or_domains_are_named(
    excluded: dict[str, list[str]], full: bool
) -> None:
    assert product(exclude=excluded).exclude.is_a_full_list is full


@pytest.mark.parametrize("window", ["24h", "0d", "2 runs", "now"])
def test_a_window_is_whole_days_or_today(window: str) -> None:
    signal = {"label": "x", "from": "events", "measure": "count"}
    assert Signal.model_validate(signal | {"window": "2w"}).days == 14
    assert Signal.model_validate(signal | {"window": "today"}).days == 0
    with pytest.raises(ValidationError, match="window"):
        Signal.model_validate(signal | {"window": window})


def test_accounts_out_of_the_events_have_no_parents() -> None:
    tables = {"accounts": {"from": "events"}, "events": {"table": "events"}}
    rolled_up = product(tables=tables, account={"level": "parent"})
    assert [finding.loc for finding in check_product(rolled_up, Known())] == [("account", "level")]
    assert list(check_product(product(tables=tables), Known())) == []
