"""Health says what is known, never more, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.scores.scores_kit import HEALTH, day, mature, settings
from worker.language.values import Fields
from worker.scores import Scored, ScoreMemory, score_account
from worker.scores.wording import signed

SETTINGS = settings(health=HEALTH)


def score(
    now: Fields, then: Fields | None = None, memory: ScoreMemory | None = None, on: float = 0, using: Any = SETTINGS
) -> Scored:
    return score_account(using, now, then, memory or ScoreMemory(), day(on))


def test_unknown_part_gives_its_weight_to_the_others() -> None:
    health = score(mature())["health"]
    assert health.score == 55
    assert health.coverage == pytest.approx(0.8)
    assert [part.missing for part in health.parts] == ["", "", "nps.latest is not known", ""]


def test_zero_is_a_bad_answer_and_not_a_missing_one() -> None:
    zero = mature(**{"nps.latest": 0, "nps.age_days": 3})
    assert score(zero)["health"].score == 44


def test_contributions_add_up_to_todays_score() -> None:
    health = score(mature())["health"]
    assert sum(part.contribution or 0 for part in health.parts) == pytest.approx(health.today)


def test_old_answer_is_no_answer() -> None:
    fresh = mature(**{"nps.latest": 9, "nps.age_days": 180})
    stale = mature(**{"nps.latest": 9, "nps.age_days": 181})
    assert score(fresh)["health"].coverage == 1
    assert score(stale)["health"].parts[2].missing == "older than 180 days"
    assert score(mature(**{"nps.latest": 9}))["health"].parts[2].missing == "its age is not known"


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"account.age_days": 55, "plan": "pro"}, "account younger than 56 days"),
        ({"key_events_prev_28d": 49}, "fewer than 50 in the previous period"),
        ({"key_events_prev_28d": None}, "the previous period is not known"),
    ],
)
def test_baseline_needs_a_past(changes: dict[str, Any], missing: str) -> None:
    anyone = [profile | {"applies": "plan is pro"} if profile["name"] == "mature" else profile for profile in PROFILES]
    health = score(mature(**changes), using=settings(health=HEALTH | {"profiles": anyone}))["health"]
    assert health.parts[1].missing == missing


PROFILES: list[dict[str, Any]] = HEALTH["profiles"]


def test_too_little_known_leaves_the_number_empty_and_says_so() -> None:
    scored = score(mature(seats_used=None))
    fields = scored.fields()
    assert (fields["health.score"], fields["health.band"], fields["health.status"]) == (None, None, "not_enough_data")
    assert fields["health.reasons"] == "Not enough data · Unknown: Seat use, NPS"


def test_coverage_of_exactly_the_minimum_is_enough() -> None:
    exact = settings(health=HEALTH | {"min_coverage": "80%"})
    assert score(mature(), using=exact)["health"].score == 55


def test_unscored_profile_has_no_health() -> None:
    health = score(mature(**{"account.is_internal": True}))["health"]
    assert (health.status, health.score, health.profile) == ("not_scored", None, "internal")


def test_first_profile_that_applies_is_taken() -> None:
    assert score(mature())["health"].profile == "mature"
    assert score(mature(plan="free"))["health"].profile == "new"


def test_unknown_profile_answer_keeps_the_profile() -> None:
    memory = score(mature()).memory
    assert score(mature(plan=None), memory=memory, on=1)["health"].profile == "mature"
    assert score(mature(plan=None))["health"].profile == "new"


def test_published_score_is_the_mean_of_seven_days() -> None:
    memory = ScoreMemory()
    published = []
    for on in range(9):
        scored = score(mature(seats_used=90 if on else 30), memory=memory, on=on)
        memory = scored.memory
        published.append(scored["health"].score)
    high = scored["health"].today
    assert high is not None
    low = high - 50  # seats weigh 40 of the 80 known, and go from 0 to 100 points
    assert published[0] == round(low)
    assert published[1] == round((low + high) / 2)
    assert published[6] == round((low + 6 * high) / 7)
    assert published[7] == published[8] == round(high)


def test_several_runs_a_day_count_as_one_day() -> None:
    memory = score(mature(seats_used=30), on=0).memory
    once = score(mature(seats_used=90), memory=memory, on=1)
    again = score(mature(seats_used=90), memory=once.memory, on=1.25)
    assert again["health"].mean == once["health"].mean


def test_cap_bypasses_smoothing_and_is_named() -> None:
    good = mature(seats_used=90, key_events_28d=100)
    memory = ScoreMemory()
    for on in range(7):
        memory = score(good, memory=memory, on=on).memory
    capped = score(good | {"days_payment_overdue": 15}, good, memory, on=7)
    assert (capped["health"].score, capped["health"].band) == (39, "red")
    assert capped["health"].reasons.startswith("Payment overdue: at most 39 · −60 in 28 days: Payment overdue −60")


def test_lifted_cap_gives_the_computed_band_back_at_once() -> None:
    good = mature(seats_used=90, key_events_28d=100)
    memory = score(good | {"days_payment_overdue": 15}).memory
    assert score(good, memory=memory, on=1)["health"].band == "green"


def test_unknown_cap_answer_keeps_the_cap() -> None:
    good = mature(seats_used=90, key_events_28d=100)
    memory = score(good | {"days_payment_overdue": 15}).memory
    unsure = good | {"days_payment_overdue": None}
    assert score(unsure, memory=memory, on=1)["health"].score == 39
    assert score(unsure)["health"].score == 99


def test_change_is_the_sum_of_its_moves() -> None:
    then = mature(seats_used=90, key_events_28d=100, **{"nps.latest": 9, "nps.age_days": 170})
    change = score(mature(), then)["health"].change
    assert change.points == round(sum(move.points for move in change.moves))
    assert [(move.name, move.kind) for move in change.moves] == [
        ("Activity", "moved"),
        ("Seat use", "moved"),
        ("NPS", "left"),
    ]


def test_part_that_stopped_counting_is_told_apart() -> None:
    then = mature(**{"nps.latest": 0, "nps.age_days": 170})
    health = score(mature(**{"nps.latest": 0, "nps.age_days": 198}), then)["health"]
    assert health.change.points == 11
    assert "NPS no longer counted: +11" in health.reasons


def test_part_that_began_to_count_is_told_apart() -> None:
    health = score(mature(**{"nps.latest": 0, "nps.age_days": 1}), mature())["health"]
    assert health.change.points == -11
    assert "NPS now counted: −11" in health.reasons


def test_change_across_profiles_is_unknown_and_said() -> None:
    health = score(mature(), mature(plan="free"))["health"]
    assert health.change.points is None
    assert "Profile changed from new to mature" in health.reasons


@pytest.mark.parametrize(
    ("then", "because"),
    [
        (None, "nothing is known of 28 days ago"),
        ({"account.age_days": 372, "plan": "pro"}, "not enough data 28 days ago"),
    ],
)
def test_change_without_a_past_is_unknown(then: Fields | None, because: str) -> None:
    change = score(mature(), then)["health"].change
    assert (change.points, change.unknown_because) == (None, because)


def test_change_between_unlike_parts_is_unknown() -> None:
    little = settings(health=HEALTH | {"min_coverage": "1%"})
    then: Fields = {"account.age_days": 372, "plan": "pro", "nps.latest": 9, "nps.age_days": 1}
    change = score(mature(), then, using=little)["health"].change
    assert (change.points, change.unknown_because) == (None, "no part is known both now and 28 days ago")


def test_an_account_of_no_profile_has_not_enough_data() -> None:
    paying = settings(health=HEALTH | {"profiles": [{**PROFILES[1], "applies": "plan is pro"}]})
    health = score(mature(plan="free"), using=paying)["health"]
    assert (health.status, health.score, health.profile) == ("not_enough_data", None, None)


@pytest.mark.parametrize(("points", "shown"), [(33.5, "+34"), (-9.2, "−9"), (0.4, "±0"), (-0.4, "±0")])
def test_points_are_shown_whole_and_with_their_sign(points: float, shown: str) -> None:
    assert signed(points) == shown


def test_edited_settings_start_a_new_mean() -> None:
    memory = score(mature(seats_used=30)).memory
    edited = settings(health=HEALTH | {"min_coverage": "50%"})
    health = score(mature(), memory=memory, on=1, using=edited)["health"]
    assert (health.days, health.score) == (1, 55)


def test_reasons_fit_a_crm_text_field() -> None:
    parts = [
        {"name": f"Part number {n} with a long name", "weight": 10, "metric": "seats_used", "bad": 0, "good": 100}
        for n in range(10)
    ]
    long = settings(health=HEALTH | {"profiles": [{"name": "all", "parts": parts}]})
    reasons = score(mature(), using=long)["health"].reasons
    assert len(reasons) <= 255
    assert reasons.endswith("(7 of 10) …")


def test_earlier_moment_leaves_the_memory_alone() -> None:
    memory = score(mature(), on=10).memory
    assert score(mature(seats_used=30), memory=memory, on=3).memory == memory


def test_same_moment_twice_is_once() -> None:
    memory = score(mature(seats_used=90, key_events_28d=100)).memory
    once = score(mature(seats_used=30), memory=memory, on=1)
    assert score(mature(seats_used=30), memory=once.memory, on=1) == once
    assert replace(once.memory, as_of=None) != replace(memory, as_of=None)
