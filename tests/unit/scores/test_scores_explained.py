"""Each score explains itself: its value, its parts and what is missing."""

from __future__ import annotations

from typing import Any

from tests.unit.scores.scores_kit import HEALTH, ONBOARDING, PQL, day, events, mature, settings
from worker.scores import ScoreMemory, score_account
from worker.scores.result import Grid, Note
from worker.scores.wording import kept_in_crms
from worker.settings.score_specs import spec_of


def explained(name: str, blocks: dict[str, Any], *days: dict[str, Any], then: Any = None) -> list[Any]:
    """The explanation after these days: each note as its text, each table as its rows."""
    memory = ScoreMemory()
    for on, fields in enumerate(days):
        scored = score_account(settings(**blocks), fields, then, memory, day(on))
        memory = scored.memory
    parts: list[Note | Grid] = list(scored[name].explained())
    return [part.text if isinstance(part, Note) else list(part.rows) for part in parts]


def test_health_shows_its_mean_its_parts_its_caps_and_its_change() -> None:
    capped = mature(days_payment_overdue=15, top_user_share_28d=0.9, seats_used=30)
    lines = explained("health", {"health": HEALTH}, capped, capped, then=mature())
    assert lines[0] == "20 (red) · ok · profile mature · 80% of the weight is known"
    assert lines[1] == "today 20.2; the score is the mean of the last 2 days: 20.2"
    assert lines[2][0] == ("Seat use", "0.3", "0.0", "40", "0.0", "")
    assert lines[2][2] == ("NPS", "unknown", "–", "20", "–", "nps.latest is not known")
    assert lines[3:] == [
        "capped at 39: Payment overdue (does not bind)",
        "capped at 69: One person does it all (does not bind)",
        "change since 28 days ago: -35 (Seat use -35.0)",
    ]


def test_health_says_what_the_crms_still_show() -> None:
    written, live = mature(seats_used=72), mature(seats_used=60)
    lines = explained("health", {"health": HEALTH | {"publish_step": 20}}, written, live)
    first = explained("health", {"health": HEALTH | {"publish_step": 20}}, written)
    assert kept_in_crms(int(first[0].split(" ")[0])) in lines
    assert not any("CRM" in str(line) for line in first)


def test_a_score_that_is_not_known_says_so() -> None:
    assert explained("health", {"health": HEALTH}, mature(**{"account.is_internal": True})) == [
        "no score · not scored · profile internal · 0% of the weight is known",
        "change since 28 days ago: unknown, nothing to compare with",
    ]
    assert explained("onboarding", {}, mature()) == ["unknown · unknown"]
    assert explained("pql", {}, mature()) == [
        "unknown · unknown · label – · fit unknown, usage unknown, intent unknown"
    ]


def test_onboarding_shows_every_milestone() -> None:
    optional = [ONBOARDING["milestones"][0], ONBOARDING["milestones"][1] | {"required": False}]
    fields = {"account.created_at": day(-5), "account.age_days": 5, "account.tz": "UTC", "count(Signed In, 14d)": 3}
    lines = explained("onboarding", {"onboarding": ONBOARDING | {"milestones": optional}}, fields | {"invites": 0})
    assert lines[0].startswith("unknown")
    assert lines[1] == [
        ("invite", "20", "day 3 (2 days late)", "false", ""),
        ("import (optional)", "30", "day 7", "–", "not known"),
    ]


def test_pql_shows_fit_usage_and_intent() -> None:
    fields = mature(plan="free", seats_used=80, **{"account.employees": 90}, **events("Pricing Viewed", 1, 3))
    lines = explained("pql", {"pql": PQL}, fields | {"days_since(Contact Sales Clicked)": None})
    assert [line for line in lines if isinstance(line, str)][-3:] == ["fit", "usage", "intent"]


def test_an_onboarding_task_names_the_status_and_the_next_milestone() -> None:
    spec = spec_of("onboarding.status")
    assert spec is not None
    assert (
        spec.why({"onboarding.status": "on_track", "onboarding.next_milestone": "import"}) == "on track; next: import"
    )
    assert spec.why({"onboarding.status": "complete"}) == "complete"
