"""A PQL opens when it should, stays while it trembles, and comes back only when it may."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.scores.scores_kit import PQL, day, events, settings
from worker.language.values import Fields
from worker.scores import Scored, ScoreMemory, score_account

SETTINGS = settings(pql=PQL)
BAD_FIT = {"crm.pql_disqualify_reason": "Bad fit"}
NO_BUDGET = {"crm.pql_disqualify_reason": "no budget"}


def account(usage: float | None = 80, *pricing_ages: int, **changes: Any) -> dict[str, Any]:
    """A free account that fits (100 employees), with pricing views of these ages in days."""
    fields: dict[str, Any] = {
        "plan": "free",
        "account.age_days": 90,
        "account.employees": 100,
        "seats_used": usage,
        "seat_limit": 100,
        "days_since(Contact Sales Clicked)": None,
    }
    return fields | events("Pricing Viewed", *pricing_ages) | changes


def hand(raised: int | None) -> dict[str, Any]:
    return {"days_since(Contact Sales Clicked)": 0 if raised else raised}


def score(now: Fields, on: float = 0, memory: ScoreMemory | None = None, using: Any = SETTINGS) -> Scored:
    return score_account(using, now, None, memory or ScoreMemory(), day(on))


def replay(*steps: tuple[float, Fields]) -> list[str | None]:
    """The status after each (day, account)."""
    memory, statuses = ScoreMemory(), []
    for on, now in steps:
        scored = score(now, on, memory)
        memory = scored.memory
        statuses.append(scored["pql"].status)
    return statuses


HOT, WARM, COLD = account(80, 0), account(80, 7), account(10)


def test_idle_intent_decays_72_60_54() -> None:
    assert [score(account(80, age))["pql"].score for age in (0, 7, 14)] == [72, 60, 54]


def test_open_at_72_still_open_at_60_and_off_at_54() -> None:
    memory = score(HOT).memory
    assert memory.pql.state == "open"
    memory = score(WARM, 7, memory).memory
    assert (memory.pql.state, memory.pql.off_since) == ("open", None)
    memory = score(account(80, 13), 13, memory).memory
    assert memory.pql.off_since is None
    assert score(account(70, 13), 13.5, memory).memory.pql.off_since == day(13.5)


def test_new_heat_must_last_a_day() -> None:
    assert replay((0, COLD), (1, HOT), (1.5, HOT), (2, HOT)) == ["none", "none", "none", "open"]


def test_heat_that_passes_does_not_open() -> None:
    assert replay((0, COLD), (1, HOT), (1.5, COLD), (2, HOT)) == ["none"] * 4


def test_first_run_takes_grown_accounts_as_they_are() -> None:
    assert replay((0, HOT)) == ["open"]
    assert replay((0, HOT | {"account.age_days": 0}), (1, HOT)) == ["none", "open"]


def test_unfit_account_never_opens_by_score() -> None:
    assert replay((0, HOT | {"account.employees": 49}), (5, HOT | {"account.employees": 49})) == ["none", "none"]


def test_unknown_fit_asks_for_enrichment_only_where_it_matters() -> None:
    assert replay((0, HOT | {"account.employees": None})) == ["needs_enrichment"]
    assert replay((0, COLD | {"account.employees": None})) == ["none"]


def test_raised_hand_bypasses_score_fit_and_hold() -> None:
    assert replay((0, COLD), (1, COLD | hand(1) | {"account.employees": None})) == ["none", "open"]


def test_paying_account_is_no_lead() -> None:
    paying = HOT | {"plan": "pro"}
    assert replay((0, paying), (1, paying | hand(1))) == ["none", "none"]
    assert replay((0, HOT), (1, paying), (2, COLD), (3, HOT | hand(1))) == ["open"] + ["converted"] * 3


def test_paying_account_has_no_score_and_no_reasons() -> None:
    pql = score(HOT | {"plan": "pro"})["pql"]
    assert (pql.score, pql.label, pql.reasons, pql.usage) == (None, None, "", 80)


def test_account_far_from_a_lead_has_no_reasons() -> None:
    assert score(COLD)["pql"].reasons == ""


def test_below_the_exit_threshold_for_a_week_expires() -> None:
    assert replay((0, HOT), (1, COLD), (7, COLD), (8, COLD)) == ["open", "open", "open", "expired"]
    assert replay((0, HOT), (1, COLD), (7, HOT), (8, COLD)) == ["open"] * 4


def test_untouched_for_two_weeks_expires() -> None:
    assert replay((0, HOT), (13, HOT), (14, HOT)) == ["open", "open", "expired"]


def test_raised_hand_keeps_a_cold_lead_open() -> None:
    asked = COLD | hand(1)
    assert replay((0, asked), (1, asked), (8, asked), (9, COLD)) == ["open"] * 4


STARTED, DONE = {"crm.task_status": "in_progress"}, {"crm.task_status": "completed"}


def test_rep_who_starts_makes_it_working_and_it_stays_while_touched() -> None:
    steps = (0, HOT), (1, HOT | STARTED), (30, COLD | DONE), (59, COLD | DONE), (60, COLD | DONE)
    assert replay(*steps) == ["open", "working", "working", "working", "expired"]


def test_without_a_condition_for_work_a_lead_stays_open() -> None:
    using = settings(pql={name: value for name, value in PQL.items() if name != "working_when"})
    memory = score(HOT, using=using).memory
    scored = score(HOT | STARTED, 1, memory, using)
    assert (scored["pql"].status, scored.memory.pql.state) == ("open", "open")


def test_a_lead_without_a_touch_for_thirty_days_is_not_worked_on() -> None:
    assert replay((0, HOT), (1, HOT | STARTED), (30, HOT | STARTED), (31, HOT | STARTED)) == [
        "open",
        "working",
        "working",
        "expired",
    ]


def test_a_task_that_we_make_is_no_touch_and_an_unknown_payer_does_not_expire() -> None:
    again = {"crm.task_status": "open"}
    assert replay((0, HOT), (1, HOT | STARTED), (20, HOT | again), (31, HOT | again))[-1] == "expired"
    assert replay((0, HOT), (1, HOT | STARTED), (31, HOT | STARTED | {"plan": None}))[-1] == "working"


def test_a_lead_that_an_earlier_release_took_for_worked_on_is_open_again() -> None:
    memory = score(HOT | STARTED, 1, score(HOT).memory).memory
    stored = memory.to_json()
    del stored["pql"]["touched_at"]
    closed = HOT | {"crm.task_status": "closed"}
    assert score(closed, 2, ScoreMemory.from_json(stored))["pql"].status == "open"
    assert score(HOT | DONE, 2, ScoreMemory.from_json(stored))["pql"].status == "working"


def test_task_done_before_the_lead_opened_is_not_work_on_it() -> None:
    done = {"crm.task_status": "completed"}
    assert replay((0, COLD | done), (1, HOT | done), (2, HOT | done), (3, HOT | done)) == [
        "none",
        "none",
        "open",
        "open",
    ]


def test_expired_rests_thirty_days() -> None:
    assert replay((0, HOT), (14, HOT), (43, HOT), (44, HOT), (45, HOT)) == [
        "open",
        "expired",
        "expired",
        "none",
        "open",
    ]


def test_new_raised_hand_breaks_the_rest() -> None:
    assert replay((0, HOT), (14, HOT), (15, COLD | hand(1))) == ["open", "expired", "open"]
    assert replay((0, HOT | hand(1)), (1, HOT | hand(1) | NO_BUDGET), (2, HOT | hand(1) | NO_BUDGET)) == [
        "open",
        "disqualified",
        "disqualified",
    ]


def test_disqualified_rests_ninety_days_and_the_old_reason_does_not_count_again() -> None:
    reason = HOT | NO_BUDGET
    assert replay((0, HOT), (1, reason), (90, reason), (91, reason), (92, reason), (93, reason)) == [
        "open",
        "disqualified",
        "disqualified",
        "none",
        "open",
        "open",
    ]


def test_bad_fit_rests_until_the_fit_changes() -> None:
    smaller = HOT | {"account.employees": 60}
    assert replay((0, HOT), (1, HOT | BAD_FIT), (300, HOT | BAD_FIT), (301, smaller | BAD_FIT)) == [
        "open",
        "disqualified",
        "disqualified",
        "none",
    ]


@pytest.mark.parametrize("state", ["none", "open", "working", "converted", "disqualified", "expired"])
def test_unknown_data_changes_no_state(state: str) -> None:
    paths: dict[str, list[Fields]] = {
        "none": [COLD],
        "open": [HOT],
        "working": [HOT, HOT | {"crm.task_status": "in_progress"}],
        "converted": [HOT, HOT | {"plan": "pro"}],
        "disqualified": [HOT, HOT | NO_BUDGET],
        "expired": [HOT, COLD, COLD],
    }
    memory = ScoreMemory()
    for step, now in enumerate(paths[state]):
        memory = score(now, step * 7, memory).memory
    assert memory.pql.state == state
    before = memory.pql
    assert score({}, 15, memory).memory.pql == before


def test_reasons_read_like_a_colleague() -> None:
    scored = score(account(80, 0, **{"account.employees": 120}))
    assert scored["pql"].reasons == "Seats 80/100 (+48) · Pricing Viewed (+24) · fit A: 120 employees"
    assert scored["pql"].label == "A1"


def test_contributions_add_up_to_the_score() -> None:
    pql = score(account(80, 0, 1, 1, 5))["pql"]
    assert pql.intent == 100
    parts = (*pql.usage_parts, *pql.intent_parts)
    assert sum(part.contribution or 0 for part in parts) == pytest.approx(pql.score)


def test_unknown_intent_is_no_score() -> None:
    pql = score(HOT | dict.fromkeys(events("Pricing Viewed")))["pql"]
    assert (pql.intent, pql.score, pql.intent_parts[0].missing) == (None, None, "not known")


def test_one_day_cannot_bring_more_than_its_limit() -> None:
    limited = settings(
        pql=PQL | {"intent": {"events": [{"event": "Pricing Viewed", "points": 10, "at_most_per_day": 20}]}}
    )
    few = {"points": 10, "at_most_per_day": 20}
    flood = score(account(80) | events("Pricing Viewed", *[0] * 50, **few), using=limited)["pql"]
    assert flood.intent == 20
    two_days = score(account(80) | events("Pricing Viewed", *[0] * 50, *[1] * 50, **few), using=limited)["pql"]
    assert two_days.intent == 38


def test_older_events_never_weigh_more() -> None:
    mild = settings(pql=PQL | {"intent": {"events": [{"event": "Pricing Viewed", "points": 40}]}})
    fields = [account(80) | events("Pricing Viewed", age, age, points=40) for age in range(60)]
    points = [score(one, using=mild)["pql"].intent for one in fields]
    assert points == sorted(points, reverse=True)
    assert (points[0], points[7], points[59]) == (80, 40, 0)
