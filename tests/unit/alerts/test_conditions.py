"""What is worth a message: each condition from its facts alone, and silence while the machine goes on by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.alerts.conditions import Answers, Condition, Ended, Facts, Quota, find_conditions
from worker.settings.alerts import Thresholds

NORMAL = Facts(
    endings=(Ended("daily", "run", 100.0), Ended("send", "deliver", 100.0), Ended("hubspot", "crm", 100.0)),
    committed_at=100.0,
    waiting={("hubspot", "waiting"): 500, ("hubspot", "parked"): 3, ("hubspot", "unmatched"): 3},
    answers={"hubspot": Answers(1000, 50)},
    quotas={"hubspot": Quota(10, 100)},
)


def kinds(facts: Facts, thresholds: Thresholds | None = None) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in find_conditions(facts, thresholds or Thresholds())]


def test_nothing_is_said_while_all_goes_well() -> None:
    assert kinds(NORMAL) == []
    assert kinds(Facts()) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("StaleData", "stale_data"),
        ("UnsafePlan", "guard_tripped"),
        ("AccessDenied", "access_denied"),
        ("SourceError", "run_failed"),
        ("ZeroDivisionError", "run_failed"),
        ("ConfigError", "run_failed"),
    ],
)
def test_a_run_that_ended_early_is_told_by_who_acts_next(error: str, kind: str) -> None:
    assert kinds(Facts(endings=(Ended("daily", "run", 100.0, error, "why"),), committed_at=99.0)) == [(kind, "daily")]


@pytest.mark.parametrize("error", ["Busy", "Unavailable", "QuotaExhausted"])
def test_what_the_machine_mends_by_itself_is_not_told(error: str) -> None:
    assert kinds(Facts(endings=(Ended("daily", "run", 100.0, error), Ended("crm", "crm", 100.0, error)))) == []


def test_a_run_that_was_committed_later_by_whomever_mends_it() -> None:
    failed = Ended("daily", "run", 100.0, "UnsafePlan", "too much")
    assert kinds(Facts(endings=(failed,), committed_at=101.0)) == []
    assert kinds(Facts(endings=(replace(failed, job="deliver"),), committed_at=101.0)) == [("guard_tripped", "daily")]


def test_a_crm_that_denies_access_is_told_once_whether_reading_or_writing() -> None:
    facts = Facts(
        endings=(Ended("hubspot", "crm", 1.0, "AccessDenied", "the token is refused"),),
        waiting={("hubspot", "denied"): 7},
    )
    assert kinds(facts) == [("access_denied", "hubspot")]


def test_a_share_of_refused_records_counts_from_a_number_on() -> None:
    assert kinds(Facts(answers={"crm": Answers(94, 6)})) == [("rejected", "crm")]
    assert kinds(Facts(answers={"crm": Answers(95, 5)})) == []
    assert kinds(Facts(answers={"crm": Answers(0, 19)})) == []
    assert kinds(Facts(answers={"crm": Answers(0, 19)}), Thresholds(rejected_of_at_least=19)) == [("rejected", "crm")]


def test_dead_letters_and_quota_follow_the_thresholds() -> None:
    assert kinds(Facts(waiting={("crm", "dead"): 1})) == [("dead_letters", "crm")]
    assert kinds(Facts(waiting={("crm", "dead"): 1}), Thresholds(dead_letters=2)) == []
    assert kinds(Facts(waiting={("crm", "quota"): 1})) == [("quota_short", "crm")]
    assert kinds(Facts(quotas={"crm": Quota(9, 100)})) == [("quota_short", "crm")]
    assert kinds(Facts(quotas={"crm": Quota(9, 100)}), Thresholds(quota_left=0.05)) == []


def test_a_playbook_that_fires_three_times_its_usual_is_told() -> None:
    (condition,) = find_conditions(Facts(paused=frozenset({"pql-to-task"})), Thresholds())
    assert condition == Condition("playbook_paused", "pql-to-task", condition.text)
    assert "three times" in condition.text
