"""Words of an earlier version keep their meaning for one release, and `check` names each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.language.values import Value
from worker.settings.base import condition_of
from worker.settings.project import load_project
from worker.settings.shipped import write_project

STATES = ("active", "past_due", "cancelled_at_term_end", "trialing", "ended", None)


@pytest.mark.parametrize(
    ("test", "true_of"),
    [
        ("subscription.status is cancelled", ["cancelled_at_term_end", "ended"]),
        ("subscription.status = Cancelled", ["cancelled_at_term_end", "ended"]),
        ("subscription.status is not cancelled", ["active", "past_due", "trialing"]),
        ("subscription.status in [trial, past_due]", ["past_due", "trialing"]),
        ("subscription.status not in [trial]", ["active", "past_due", "cancelled_at_term_end", "ended"]),
        ("subscription.status is trialing", ["trialing"]),
        ("other.status is cancelled", []),
    ],
)
def test_an_old_word_means_what_it_meant(test: str, true_of: list[str]) -> None:
    condition = condition_of({"any": [test]}, {})
    found: list[Value] = [state for state in STATES if condition.truth({"subscription.status": state}) is True]
    assert found == true_of


def test_a_fact_in_the_old_word_still_matches_itself() -> None:
    assert condition_of("subscription.status is cancelled", {}).truth({"subscription.status": "cancelled"}) is True


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_check_names_every_old_word_with_its_place_and_the_new_one(tmp_path: Path) -> None:
    write_project(tmp_path)
    assert load_project(tmp_path).warnings == ()
    stalled = tmp_path / "playbooks" / "onboarding-stalled.yaml"
    edit(stalled, "in [cancelled_at_term_end, ended]", "in [ended, Trial]")
    edit(tmp_path / "config" / "scores.yaml", "is cancelled_at_term_end", "is cancelled")
    edit(
        tmp_path / "config" / "signals.yaml",
        "from: subscriptions, measure: count}",
        "from: subscriptions, measure: count, where: {state: [active, trial]}}",
    )
    project = load_project(tmp_path)
    assert project.invalid == ()
    places = [
        (warning.file, warning.excerpt[warning.column - 1 :].split("]")[0].split(",")[0], warning.message)
        for warning in project.warnings
    ]
    both = 'write "ended" or "cancelled_at_term_end"'
    assert places == [
        ("config/scores.yaml", "cancelled", f'"cancelled" is a word of an earlier version: {both}'),
        ("config/signals.yaml", "trial", '"trial" is a word of an earlier version: write "trialing"'),
        ("playbooks/onboarding-stalled.yaml", "Trial", '"Trial" is a word of an earlier version: write "trialing"'),
    ]
