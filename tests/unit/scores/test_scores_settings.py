"""Scores an admin wrote wrong are refused with words and a place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.scores.scores_kit import HEALTH, ONBOARDING, PQL, settings
from worker.language.need import Decay, Need
from worker.scores.parts import score_parts
from worker.settings.base import Finding
from worker.settings.known import Known
from worker.settings.score_specs import spec_of
from worker.settings.scores import ScoresSettings, check_scores, needs
from worker.settings.scores_parts import Part

FIELDS = {need.name for need in needs(settings(HEALTH, ONBOARDING, PQL)) if need.kind == "field"}


def findings(made: ScoresSettings, *missing: str) -> list[Finding]:
    return list(check_scores(made, Known(fields=frozenset(FIELDS - set(missing)))))


def part(**changes: Any) -> dict[str, Any]:
    return {"name": "Seats", "weight": 100, "metric": "seats_used", "bad": 0, "good": 1} | changes


def health_of(*parts: dict[str, Any]) -> dict[str, Any]:
    return HEALTH | {"profiles": [{"name": "all", "parts": list(parts)}], "caps": []}


def test_good_settings_have_no_findings() -> None:
    assert findings(settings(HEALTH, ONBOARDING, PQL)) == []


def test_unknown_name_is_found_where_it_stands() -> None:
    found = findings(settings(health=HEALTH), "seat_limit")
    assert [(f.loc, f.column, f.severity) for f in found] == [
        (("health", "profiles", 1, "parts", 0, "metric"), 13, "error"),
        (("health", "profiles", 2, "parts", 0, "metric"), 13, "error"),
    ]


def test_unknown_name_in_a_condition_has_its_own_line() -> None:
    found = findings(settings(health=HEALTH), "plan")
    assert [f.loc for f in found] == [("health", "profiles", 1, "applies", "all", 1)]


def test_unknown_name_gets_a_suggestion() -> None:
    found = findings(settings(health=health_of(part(metric="seat_used"))))
    assert [f.message for f in found] == ['unknown field "seat_used". Did you mean "seats_used"?']


def test_baseline_and_age_are_checked_though_nobody_wrote_them() -> None:
    found = findings(settings(health=HEALTH), "key_events_prev_28d", "nps.age_days")
    assert [f.message.split('"')[1] for f in found] == ["key_events_prev_28d", "nps.age_days"]


@pytest.mark.parametrize("metric", ["pql.score", "change(mrr, 28d)"])
def test_score_cannot_be_made_of_scores(metric: str) -> None:
    found = findings(settings(health=health_of(part(metric=metric))))
    assert [f.message.split(":")[0] for f in found] == ["a score cannot be made of another score or its change"]


def test_weights_other_than_100_are_a_warning() -> None:
    found = findings(settings(health=health_of(part(weight=60), part(name="Other", weight=80))))
    assert [(f.severity, f.message) for f in found] == [
        ("warning", "the weights add up to 140, not 100; each counts as its share")
    ]


def test_needs_include_the_functions_signals_must_compute() -> None:
    asked = needs(settings(HEALTH, ONBOARDING, PQL))
    faded = Need("decayed", "Pricing Viewed", decay=Decay(timedelta(days=7), 100 / 60))
    assert {faded, Need("days_since", "Pricing Viewed"), Need("days_since", "Contact Sales Clicked")} <= asked
    assert faded.key == "decayed(Pricing Viewed, 7d, 1.66667 per day)"
    assert Need("field", "crm.task_status") in asked


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (part(flag="plan is pro"), "exactly one of"),
        (part(bad=None, good=None), "exactly one of"),
        (part(good=None), "two different values"),
        (part(good=0), "two different values"),
        (part(metric=None), "metric is missing"),
        ({"name": "F", "weight": 1, "flag": "plan is pro", "metric": "mrr"}, "a flag stands alone"),
        (part(compare="previous"), "previous is missing"),
        (part(stale_after="9d"), "age is missing"),
        (part(stale_after="5bd"), "hours, days or weeks"),
        (part(stale_after=9), "expected a length of time"),
        (part(bad=None, good=None, steps=[{"at_least": 2, "points": 9}, {"at_least": 1, "points": 3}]), "rising order"),
        (part(weight=0), "greater than 0"),
    ],
)
def test_part_that_means_nothing_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Part.model_validate(wrong)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ({"health": HEALTH | {"bands": {"yellow": 70, "green": 40}}}, "green must begin above yellow"),
        ({"health": HEALTH | {"bands": {"hold": "5bd"}}}, "not business days"),
        ({"health": HEALTH | {"profiles": []}}, "at least 1"),
        ({"health": HEALTH | {"profiles": [{"name": "empty"}]}}, "parts is missing"),
        ({"health": health_of(part(), part())}, "twice"),
        ({"onboarding": ONBOARDING | {"milestones": ONBOARDING["milestones"][:1] * 2}}, "twice"),
        ({"pql": PQL | {"opens_at": 50, "closes_below": 60}}, "closes_below must not be above opens_at"),
        ({"pql": PQL | {"intent": PQL["intent"] | {"half_life": "0d"}}}, "longer than nothing"),
        (
            {"pql": PQL | {"usage": PQL["usage"] | {"weight": 0}, "intent": PQL["intent"] | {"weight": 0}}},
            "cannot both weigh nothing",
        ),
        ({"health": HEALTH | {"colour": "blue"}}, "Extra inputs"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(pieces: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(**pieces)


def test_version_changes_with_what_is_written_and_only_then() -> None:
    one, same, other = (settings(health=h).health for h in (HEALTH, dict(HEALTH), HEALTH | {"min_coverage": "61%"}))
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.version == same.version != other.version


def test_steps_give_the_points_of_the_highest_reached() -> None:
    stairs = Part.model_validate(
        part(bad=None, good=None, steps=[{"at_least": 1, "points": 20}, {"at_least": 5, "points": 80}])
    )
    assert [score_parts([stairs], {"seats_used": n})[0].points for n in (0, 1, 4, 5, 9)] == [0, 20, 20, 80, 80]


def test_a_flag_gives_all_points_none_or_is_unknown() -> None:
    flag = Part.model_validate({"name": "Paid", "weight": 1, "flag": "plan is pro"})
    scored = [score_parts([flag], {"plan": plan})[0] for plan in ("pro", "free", None)]
    assert [(one.value, one.points, one.missing) for one in scored] == [
        (True, 100, ""),
        (False, 0, ""),
        (None, None, "not known"),
    ]


def test_a_part_of_which_it_is_unknown_whether_it_applies_is_unknown_and_not_absent() -> None:
    made = Part.model_validate(part(applies="plan is pro"))
    assert score_parts([made], {"seats_used": 1, "plan": "free"}) == ()
    (unknown,) = score_parts([made], {"seats_used": 1})
    assert (unknown.weight, unknown.points, unknown.missing) == (100, None, "not known whether it applies")


@pytest.mark.parametrize(
    ("before", "points", "missing"),
    [(10, 50, ""), (0, None, "nothing in the previous period"), (None, None, "the previous period is not known")],
)
def test_a_change_is_compared_with_the_field_that_is_named(
    before: int | None, points: float | None, missing: str
) -> None:
    made = Part.model_validate(part(compare="previous", previous="seats_before", bad="-50%", good="50%"))
    assert [need.name for _, need in made.implied()] == ["seats_before"]
    (scored,) = score_parts([made], {"seats_used": 10, "seats_before": before})
    assert (scored.points, scored.missing) == (points, missing)


def test_the_age_of_a_value_is_read_from_the_field_that_is_named() -> None:
    made = Part.model_validate(part(stale_after="9d", age="seats_age"))
    assert score_parts([made], {"seats_used": 1, "seats_age": 9})[0].points == 100
    assert score_parts([made], {"seats_used": 1, "seats_age": 10})[0].missing == "older than 9 days"


def test_a_reason_of_bad_fit_is_compared_whatever_its_case_and_spaces() -> None:
    pql = settings(pql=PQL | {"bad_fit": [" Bad Fit ", "student"]}).pql
    assert pql is not None
    assert pql.bad_fit == ("bad fit", "student")


def test_a_field_belongs_to_the_score_that_its_prefix_names() -> None:
    assert [spec.name if spec else None for spec in map(spec_of, ("health.score", "fit.score", "plan"))] == [
        "health",
        "pql",
        None,
    ]


def test_a_milestone_dated_by_the_latest_event_is_named() -> None:
    milestone = {"name": "Import", "weight": 100, "due_days": 7, "done_when": "days_since(Data Imported) is known"}
    using = settings(onboarding={"milestones": [milestone | {"done_at": "days_since(Data Imported)"}]})
    words = [finding.message for finding in check_scores(using, Known(fields=frozenset()))]
    assert "when the milestone was done is first(Data Imported)" in " ".join(words)
    better = settings(onboarding={"milestones": [milestone | {"done_at": "first(Data Imported)"}]})
    assert not [one for one in check_scores(better, Known(fields=frozenset())) if "latest" in one.message]
