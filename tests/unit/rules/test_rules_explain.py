"""Explanations, reasons and ranks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.rules.playbook_stage import START, Stage, flags, make_playbook
from worker.language.condition import parse_condition
from worker.language.values import Value
from worker.rules.explain import explain
from worker.rules.rank import rank_of
from worker.rules.reasons import failed_text, matched_text, missing_names

CONDITION = parse_condition(
    {
        "any": [
            "seats_used / seat_limit >= 85%",
            {"all": ["plan is pro", "roles >= 3", {"not": "band is red"}]},
            {"if": "nps < 3", "when_missing": False},
        ]
    }
)


def test_a_reason_names_the_tests_that_decided_with_what_they_saw() -> None:
    facts: dict[str, Value] = {"seats_used": 18, "seat_limit": 20, "plan": "pro", "roles": 4, "band": "green"}
    assert matched_text(CONDITION, facts) == (
        "seats_used / seat_limit >= 85% (18 / 20); plan is pro; roles >= 3 (4); not band is red"
    )
    assert matched_text(CONDITION, {**facts, "roles": 1}) == "seats_used / seat_limit >= 85% (18 / 20)"
    assert failed_text(CONDITION, {**facts, "roles": 1, "seats_used": 1}) == (
        "seats_used / seat_limit >= 85% (1 / 20); roles >= 3 (1); nps < 3 (unknown, taken for false)"
    )


def test_only_what_would_change_the_answer_is_missing() -> None:
    assert list(missing_names(CONDITION, {"plan": "pro", "roles": 1})) == ["seat_limit", "seats_used"]
    assert list(missing_names(CONDITION, {"seats_used": 19, "seat_limit": 20})) == []
    assert list(missing_names(parse_condition("a / b > 1"), {"a": 1, "b": 0})) == ["a / b > 1"]


def status(on: Stage, day: float, **facts: Value) -> str:
    member = on.enrollments().get("acme")
    return explain(on.playbook, flags(**facts), member, START + timedelta(days=day)).status


def test_an_explanation_shows_every_test_and_what_the_account_waits_for() -> None:
    on = Stage(when={"enters": "e is true", "for": "2d"}, repeat={"wait": "30d"}, limits={"per_owner": "1 per day"})
    explained = explain(on.playbook, flags(e=None), None, START)
    assert explained.audience is not None
    assert (explained.audience.truth, explained.enters.truth, explained.starts) == (True, None, None)
    assert explained.enters.seen == (("e", None),)
    assert (explained.missing, explained.phase, explained.status) == (("e",), "out", "outside")

    on.run(0, {"acme": flags()})
    on.run(1, {"acme": flags()})
    assert status(on, 1) == "matches since 2026-03-02 05:00 UTC: 24h of 2d so far"
    on.run(2, {"acme": flags(owner="ann@example.com")}, tasks_today={"ann@example.com": 1})
    assert status(on, 2) == "queued since 2026-03-04 05:00 UTC: no room under the limits"
    on.run(3, {"acme": flags()})
    assert status(on, 3) == "inside since 2026-03-05 05:00 UTC (entry 1); all steps done"
    on.run(4, {"acme": flags(e=False, l=True)})
    assert status(on, 4, e=False) == "outside since 2026-03-06 05:00 UTC"
    on.run(5, {"acme": flags()})
    on.run(8, {"acme": flags()})
    assert status(on, 8) == "matches, but it is too soon after 2026-03-05 05:00 UTC to enter again"


def test_other_standings() -> None:
    once = Stage(repeat={}, holdout="50%", before=False)
    once.run(0, {"acme": flags()})
    assert status(once, 0) == "inside since before the playbook went live: nothing is done"
    waiting = Stage(do=[{"set_fields": {"x": 1}}, {"wait": "3d"}, {"set_fields": {"x": 2}}], repeat={})
    waiting.run(0, {"acme": flags()})
    assert status(waiting, 0) == "inside since 2026-03-02 05:00 UTC (entry 1); next step 2026-03-05"
    waiting.run(1, {"acme": flags(l=True)})
    assert status(waiting, 1) == "outside; it was inside from 2026-03-02 05:00 UTC and may enter only once"
    left = Stage()
    left.run(0, {"acme": flags()})
    left.run(1, {"acme": flags(l=True)})
    assert status(left, 1) == "outside; it matches, but has not stopped matching since it was last inside or queued"
    paused = Stage()
    paused.history[:] = [{"live": 1, "matched": 4}] * 5
    assert paused.run(0, {"acme": flags(), **{f"a{n}": flags() for n in range(50)}}).paused
    assert status(paused, 0) == "matches, and enters when the playbook is not paused"


def test_an_account_of_the_holdout_is_inside_and_nothing_is_done() -> None:
    on = Stage(holdout="50%")
    run = on.run(0, {f"a{n}": flags() for n in range(20)})
    held = next(one.account_id for one in run.decisions if one.event == "holdout")
    shown = explain(on.playbook, flags(), on.enrollments()[held], START)
    assert shown.status == "inside since 2026-03-02 05:00 UTC (entry 1), held out: nothing is done"


@pytest.mark.parametrize(
    ("enters", "facts", "rank"),
    [
        ("pql.score >= 70", {"pql.score": 82.5}, 82.5),
        ("pql.score >= 70", {}, 0),
        ("health.band is red", {"health.score": 30}, 70),
        ("change(health.score, 28d) <= -20", {"health.score": 30}, 70),
        ("health.band is red", {}, 0),
        ("onboarding.status is stuck", {"onboarding.score": 25}, 75),
        ("seats > 3", {"mrr": 1000}, 50),
        ("seats > 3", {"mrr": -5}, 0),
        ("seats > 3", {"mrr": True}, 0),
    ],
)
def test_the_score_a_playbook_is_about_ranks_its_accounts(enters: str, facts: dict[str, Value], rank: float) -> None:
    assert rank_of(make_playbook(when={"enters": enters}))(facts) == rank
