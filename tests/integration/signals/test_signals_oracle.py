"""Whatever is in the tables, the one query answers what counting row by row gives, in every engine."""

from __future__ import annotations

import math
import string
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import some_of
from tests.integration.signals.signals_kit import Database, in_order, product_of, signals_of
from tests.integration.signals.signals_oracle import expected
from worker.language.need import Decay, Need
from worker.signals.compute import compute
from worker.signals.source import open_source

SIGNALS = """
signals:
  users_7d: {label: x, from: events, measure: users, events: [Signed In, "it's; --", レポート], window: 7d}
  users: {label: x, from: events, measure: users}
  users_prev: {label: x, from: events, measure: users, window: 14d, previous: true}
  count_28d: {label: x, from: events, measure: count, window: 28d}
  count_today: {label: x, from: events, measure: count, window: today}
  days_today: {label: x, from: events, measure: days, window: today}
  last_14d: {label: x, from: events, measure: last, window: 14d}
  latest_7d: {label: x, from: surveys, measure: latest, column: score, window: 7d}
  count_prev: {label: x, from: events, measure: count, window: 28d, previous: true}
  count_of_one: {label: x, from: events, measure: count, events: ["it's; --"]}
  days_14d: {label: x, from: events, measure: days, window: 14d}
  days: {label: x, from: events, measure: days, events: [Signed In]}
  user_days_28d: {label: x, from: events, measure: user_days, window: 28d}
  kinds: {label: x, from: events, measure: kinds}
  first: {label: x, from: events, measure: first}
  since_last: {label: x, from: events, measure: last, events: [レポート], as: days_since}
  ever: {label: x, from: events, measure: ever, events: [Signed In], window: 7d}
  amount: {label: x, from: events, measure: sum, column: props.amount, window: 28d}
  average: {label: x, from: events, measure: average, column: props.amount}
  lowest: {label: x, from: events, measure: lowest, column: props.amount}
  highest_prev: {label: x, from: events, measure: highest, column: props.amount, window: 7d, previous: true}
  large: {label: x, from: events, measure: count, where: {props.amount: {at_least: 10, below: 100}}}
  exactly: {label: x, from: events, measure: count, where: {props.amount: 10}}
  beta: {label: x, from: events, measure: users, where: {props.beta: true}}
  not_pro: {label: x, from: events, measure: count, where: {props.tier: {is_not: PRO}}, window: 28d}
  pro_or_more: {label: x, from: events, measure: count, where: {props.tier: [pro, enterprise]}}
  no_tier: {label: x, from: events, measure: count, where: {props.tier: {known: false}}}
  large_share: {label: x, from: events, measure: share, that: {props.amount: {above: 10}}}
  top_share: {label: x, from: events, measure: top_user_share, window: 28d}
  top.email: {label: x, from: events, measure: top_user, column: email, window: 28d}
  roles: {label: x, from: events, measure: roles, window: 28d}
  members: {label: x, from: memberships, measure: users}
  admins: {label: x, from: memberships, measure: count, where: {role: admin}}
  joined_14d: {label: x, from: memberships, measure: count, window: 14d, current: false}
  left_28d: {label: x, from: memberships, measure: count, at: removed_at, window: 28d, current: false}
  plan: {label: x, from: subscriptions, measure: top, column: plan, when_none: unsubscribed}
  state: {label: x, from: subscriptions, measure: top, column: state, current: false}
  paying: {label: x, from: subscriptions, measure: top, column: paying, when_none: false}
  renews: {label: x, from: subscriptions, measure: top, column: renews, current: false, when_none: false}
  term_end: {label: x, from: subscriptions, measure: top, column: term_end}
  renewal: {label: x, from: subscriptions, measure: top, column: renews_at, as: days_until}
  gone: {label: x, from: subscriptions, measure: count, where: {state: cancelled}, current: false}
  on_trial: {label: x, from: subscriptions, measure: count, where: {state: [trial]}}
  mrr: {label: x, from: subscriptions, measure: sum, column: mrr}
  running: {label: x, from: subscriptions, measure: count}
  paid_since: {label: x, from: subscriptions, measure: first, current: false}
  nps: {label: x, from: surveys, measure: latest, column: score, where: {kind: nps}}
  nps_age: {label: x, from: surveys, measure: last, where: {kind: nps}, as: days_since}
  urgent: {label: x, from: tickets, measure: count, where: {severity: [urgent]}, current: true}
  tickets_7d: {label: x, from: tickets, measure: count, window: 7d}
"""
NEEDS = [
    Need("count", "it's; --", 7),
    Need("users", "Signed In", 14),
    Need("days_since", "Signed In"),
    Need("count", "never; DROP TABLE events"),
    Need("decayed", "Signed In", decay=Decay(timedelta(days=30), 1.5)),
]
_AS_IF = {
    NEEDS[0].key: {"from": "events", "measure": "count", "events": ["it's; --"], "window": "7d"},
    NEEDS[1].key: {"from": "events", "measure": "users", "events": ["Signed In"], "window": "14d"},
    NEEDS[2].key: {"from": "events", "measure": "last", "events": ["Signed In"], "as": "days_since"},
    NEEDS[3].key: {"from": "events", "measure": "count", "events": ["never; DROP TABLE events"]},
    NEEDS[4].key: {"from": "events", "measure": "decayed", "events": ["Signed In"], "half_life": 30, "per_day": 1.5},
}
EXAMPLES = 8
"""Few, but large: the time goes into planning the query, not into rows."""
ACCOUNTS = ["a1", "7", "O'Hara", 'q"uote', "Ünï ✓", "idle"]
DAMAGED = {"7", None}
"""Only these accounts have events without time or name, amounts that are no numbers, and members without an id."""
USERS = ["u1", "u2", "v'ü"]
# Midnight, midday, the day clocks go forward in Berlin, and a moment between two microseconds of nothing.
MOMENTS = ["2026-03-01T00:00:00", "2026-03-17T12:34:56.000100", "2026-03-29T05:00:00", "2026-06-15T22:00:00"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]


def times(as_of: datetime) -> st.SearchStrategy[datetime]:
    """Moments around every edge: midnights of several zones, a microsecond either side, and after ``as_of``."""
    edges = st.builds(
        lambda day, zone, tick: (
            datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(microseconds=tick)
        ),
        st.sampled_from([as_of - timedelta(days=days) for days in (-2, -1, 0, 1, 6, 7, 13, 14, 27, 28, 56, 57)]),
        st.sampled_from(ZONES),
        st.sampled_from([-1, 0, 1]),
    )
    near = st.sampled_from([-1, 0, 1, 3_600_000_000]).map(lambda tick: as_of + timedelta(microseconds=tick))
    anywhere = st.integers(-90 * 86_400, 3 * 86_400).map(lambda seconds: as_of + timedelta(seconds=seconds))
    return st.one_of(edges, near, anywhere)


def tables(as_of: datetime) -> st.SearchStrategy[dict[str, Any]]:
    moment, maybe = times(as_of), st.none() | times(as_of)
    account = st.sampled_from([*ACCOUNTS[:-1], None])
    user = st.sampled_from([*USERS, None])
    amount = st.one_of(
        st.sampled_from([10, 12.25, 99.5, 1e2, -3, "12.5", " 7 ", "n/a", "", "1,5", "0x10", "inf", True, None]),
        st.text(string.digits + ".-e", max_size=4),
    )
    tier = st.sampled_from(["Pro", " pro ", "enterprise", "free", "ÉLITE", None, 3])
    props = st.none() | st.fixed_dictionaries(
        {}, optional={"amount": amount, "tier": tier, "beta": st.sampled_from([True, False, 1, 0, "yes", "?", None])}
    )
    name = st.sampled_from(["Signed In", "it's; --", "レポート", "Other", None])
    number = st.sampled_from([None, 0, 1, 2, 49.5, 100])
    row = st.fixed_dictionaries
    return row(
        {
            "accounts": row(dict.fromkeys(ACCOUNTS, maybe)).map(
                lambda created: [{"account_id": key, "created_at": value} for key, value in created.items()]
            ),
            "events": st.lists(
                row(
                    {
                        "account_id": account,
                        "user_id": user,
                        "name": name,
                        "occurred_at": st.one_of(moment, moment, maybe),
                        "received_at": st.one_of(st.none(), maybe),
                        "props": props,
                    }
                ),
                min_size=20,
                max_size=90,
            ).map(lambda rows: [row if row["account_id"] in DAMAGED else _readable(row, as_of) for row in rows]),
            "users": row(
                {
                    user_id: row(
                        {
                            "email": st.sampled_from([None, "", f"{index}@x.org"]),
                            "opted_out": st.sampled_from([None, True, False, False]),
                            "is_internal": st.sampled_from([None, False, False, True]),
                            "deleted_at": st.one_of(st.none(), maybe),
                        }
                    )
                    for index, user_id in enumerate(USERS)
                }
            ).map(lambda people: [{"user_id": key, **value} for key, value in people.items()]),
            "memberships": st.lists(
                row(
                    {
                        "account_id": account,
                        "user_id": user,
                        "role": st.sampled_from(["Admin", "admin ", "member", None]),
                        "added_at": maybe,
                        "removed_at": maybe,
                    }
                ).map(in_order("added_at", "removed_at")),
                min_size=5,
                max_size=25,
            ).map(lambda rows: [row if row["account_id"] in DAMAGED else _of_somebody(row) for row in rows]),
            "subscriptions": st.lists(
                row(
                    {
                        "account_id": account,
                        "plan": st.sampled_from(["free", "pro", "trial", None]),
                        "tier_rank": number,
                        "mrr": number,
                        "seats": number,
                        "status": st.sampled_from(
                            [None, "Active", "trialing", "past_due", "cancelled", "expired", "?"]
                        ),
                        "trial_start": maybe,
                        "trial_end": maybe,
                        "term_start": maybe,
                        "term_end": maybe,
                        "cancelled_at": maybe,
                        "ended_at": st.one_of(st.none(), maybe),
                    }
                )
                .map(in_order("term_start", "term_end"))
                .map(in_order("trial_start", "trial_end")),
                min_size=5,
                max_size=25,
                unique_by=_subscription,
            ),
            "surveys": st.lists(
                row(
                    {
                        "account_id": account,
                        "kind": st.sampled_from(["nps", "NPS", "csat", None]),
                        "score": number,
                        "responded_at": maybe,
                    }
                ).map(_possible_score),
                min_size=5,
                max_size=25,
            ),
            "tickets": st.lists(
                row(
                    {
                        "account_id": account,
                        "severity": st.sampled_from(["urgent", "Urgent ", "low", None]),
                        "opened_at": maybe,
                        "closed_at": maybe,
                    }
                ).map(in_order("opened_at", "closed_at")),
                min_size=5,
                max_size=25,
            ),
        }
    )


def _subscription(row: dict[str, Any]) -> tuple[Any, ...]:
    """Without an id, rows that are alike may be days of one subscription."""
    return tuple(row[name] for name in ("account_id", "plan", "term_end", "trial_end", "cancelled_at", "ended_at"))


def _possible_score(survey: dict[str, Any]) -> dict[str, Any]:
    """An NPS score lies between 0 and 10; others are not believed."""
    is_nps = survey["score"] is not None and (survey["kind"] or "").lower() == "nps"
    return {**survey, "score": min(max(survey["score"], 0), 10)} if is_nps else survey


def _readable(row: dict[str, Any], as_of: datetime) -> dict[str, Any]:
    """The row with a time and a name, and a number where one is asked for."""
    amount = (row["props"] or {}).get("amount", 10)
    number = isinstance(amount, int | float) and not isinstance(amount, bool)
    props = row["props"] if number else {**row["props"], "amount": "12.5"}
    return {**row, "occurred_at": row["occurred_at"] or as_of, "name": row["name"] or "Other", "props": props}


def _of_somebody(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "user_id": row["user_id"] or USERS[0]}


CASES = (
    st.sampled_from(MOMENTS)
    .map(lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC))
    .flatmap(lambda as_of: st.tuples(st.just(as_of), st.sampled_from(ZONES), tables(as_of)))
)


def same(found: Any, wanted: Any) -> bool:
    """Equal, but for the last digits of a number that was added up in another order."""
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return isinstance(found, bool) is isinstance(wanted, bool) and math.isclose(found, wanted, rel_tol=1e-9)
    return bool(found == wanted)


def test_the_query_agrees_with_counting_row_by_row(database: Database) -> None:
    signals = signals_of(SIGNALS)
    definitions = yaml.safe_load(SIGNALS)["signals"] | _AS_IF
    definitions["gone"]["where"] = {"state": ["ended", "cancelled_at_term_end"]}
    definitions["on_trial"]["where"] = {"state": "trialing"}

    @settings(
        max_examples=some_of(EXAMPLES // 4 if database.kind == "several" else EXAMPLES),  # it copies everything first
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(CASES)
    def agrees(case: tuple[datetime, str, dict[str, Any]]) -> None:
        as_of, zone, data = case
        database.fill(data)
        product = product_of(database.source, data, time_zone=zone)
        with open_source(product, database.folder) as source:
            found = compute(source, product, signals, NEEDS, as_of)
        wanted = expected(data, definitions, as_of, ZoneInfo(zone))
        assert set(found) == set(wanted)
        for account, values in wanted.items():
            wrong = {
                name: (found[account][name], value)
                for name, value in values.items()
                if not same(found[account][name], value)
            }
            assert not wrong, account

    agrees()
