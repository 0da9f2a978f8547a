"""What holds for every account, whatever is known of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from tests.unit.scores.scores_kit import HEALTH, ONBOARDING, PQL, START, day, events, settings
from worker.scores import Scored, ScoreMemory, score_account

SETTINGS = settings(HEALTH, ONBOARDING, PQL)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


counts = maybe(st.integers(0, 300))
ACCOUNTS = st.fixed_dictionaries(
    {
        "account.created_at": maybe(st.just(START)),
        "account.age_days": counts,
        "account.employees": counts,
        "account.is_internal": maybe(st.booleans()),
        "plan": maybe(st.sampled_from(["free", "trial", "pro"])),
        "seats_used": maybe(st.floats(-10, 1000)),
        "seat_limit": maybe(st.integers(0, 100)),
        "key_events_28d": counts,
        "key_events_prev_28d": counts,
        "nps.latest": maybe(st.integers(0, 10)),
        "nps.age_days": counts,
        "urgent_tickets_open": counts,
        "days_payment_overdue": counts,
        "top_user_share_28d": maybe(st.floats(0, 1)),
        "invites": counts,
        "imports": counts,
        "reports": counts,
        "integrations": counts,
        "count(Signed In, 14d)": counts,
        "days_since(Contact Sales Clicked)": counts,
        "crm.task_status": maybe(st.sampled_from(["open", "in_progress"])),
        "crm.pql_disqualify_reason": maybe(st.sampled_from(["bad fit", "no budget"])),
        "crm.matched": maybe(st.booleans()),
    }
).flatmap(
    lambda fields: st.lists(st.integers(0, 40), max_size=5).map(lambda ages: fields | events("Pricing Viewed", *ages))
)


def follow(accounts: list[dict[str, Any]]) -> Scored:
    scored = score_account(SETTINGS, {}, None, ScoreMemory(), day(0))
    for on, now in enumerate(accounts, start=1):
        scored = score_account(SETTINGS, now, accounts[0], scored.memory, day(on))
    return scored


@given(st.lists(ACCOUNTS, min_size=1, max_size=8))
def test_scores_are_0_to_100_or_unknown(accounts: list[dict[str, Any]]) -> None:
    fields = follow(accounts).fields()
    for name in ("health.score", "onboarding.score", "onboarding.expected", "fit.score", "pql.score", "pql.intent"):
        score = fields[name]
        assert score is None or (isinstance(score, int) and 0 <= score <= 100), name
    assert (fields["health.band"] is None) == (fields["health.score"] is None)
    assert (fields["health.score"] is not None) == (fields["health.status"] == "ok")
    assert all(len(str(fields[name] or "")) <= 255 for name in ("health.reasons", "pql.reasons"))


@given(st.lists(ACCOUNTS, min_size=1, max_size=6), ACCOUNTS)
def test_twice_at_the_same_moment_is_once(accounts: list[dict[str, Any]], now: dict[str, Any]) -> None:
    before = follow(accounts).memory
    once = score_account(SETTINGS, now, accounts[0], before, day(20))
    assert score_account(SETTINGS, now, accounts[0], once.memory, day(20)) == once


@given(st.lists(ACCOUNTS, min_size=1, max_size=6))
def test_memory_survives_json(accounts: list[dict[str, Any]]) -> None:
    memory = follow(accounts).memory
    assert ScoreMemory.from_json(json.loads(json.dumps(memory.to_json()))) == memory


@given(st.lists(ACCOUNTS, min_size=1, max_size=6), st.integers(1, 400))
def test_a_run_that_knows_nothing_moves_nothing(accounts: list[dict[str, Any]], later: int) -> None:
    before = follow(accounts).memory
    after = score_account(SETTINGS, {}, None, before, day(10 + later)).memory
    assert (after.band, after.pql, after.milestones, after.caps, after.profile) == (
        before.band,
        before.pql,
        before.milestones,
        before.caps,
        before.profile or "new",
    )


@given(ACCOUNTS, ACCOUNTS)
def test_moves_add_up_to_the_change(now: dict[str, Any], then: dict[str, Any]) -> None:
    change = score_account(SETTINGS, now, then, ScoreMemory(), day(0))["health"].change
    if change.points is not None:
        assert abs(sum(move.points for move in change.moves) - change.points) <= 0.5 + 1e-6


@given(ACCOUNTS, st.sampled_from(["seats_used", "key_events_28d", "nps.latest", "urgent_tickets_open"]))
def test_knowing_less_never_raises_coverage(now: dict[str, Any], lost: str) -> None:
    full = score_account(SETTINGS, now, None, ScoreMemory(), day(0))["health"]
    less = score_account(SETTINGS, now | {lost: None}, None, ScoreMemory(), day(0))["health"]
    assert less.coverage <= full.coverage + 1e-9


@given(ACCOUNTS)
def test_a_score_is_the_mean_of_what_is_known(now: dict[str, Any]) -> None:
    health = score_account(SETTINGS, now, None, ScoreMemory(), day(0))["health"]
    known = [part.points for part in health.parts if part.points is not None]
    if health.today is not None:
        assert min(known) - 1e-9 <= health.today <= max(known) + 1e-9


@effort(max_examples=30)
@given(st.lists(ACCOUNTS, min_size=2, max_size=12))
def test_milestones_and_conversion_are_for_good(accounts: list[dict[str, Any]]) -> None:
    done: set[str] = set()
    converted = False
    memory = ScoreMemory()
    for on, now in enumerate(accounts):
        memory = score_account(SETTINGS, now, None, memory, day(on * 10)).memory
        assert done <= {name for name, _ in memory.milestones}
        assert memory.pql.state == "converted" or not converted
        done = {name for name, _ in memory.milestones}
        converted = memory.pql.state == "converted"
