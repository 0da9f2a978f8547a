"""Each alert condition follows from its facts alone; what the next job retries raises no alert."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.alerts.conditions import Answers, Condition, Facts, LastResult, Quota, find_conditions
from worker.settings.alerts import Thresholds

NORMAL = Facts(
    job_results=(
        LastResult("daily", "run"),
        LastResult("send", "deliver"),
        LastResult("hubspot", "crm"),
    ),
    waiting={("hubspot", "waiting"): 500, ("hubspot", "parked"): 3, ("hubspot", "unmatched"): 3},
    answers={"hubspot": Answers(1000, 50)},
    quotas={"hubspot": Quota(10, 100)},
)


def kinds(facts: Facts, thresholds: Thresholds | None = None) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in find_conditions(facts, thresholds or Thresholds())]


def test_no_condition_holds_while_all_goes_well() -> None:
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
def test_the_kind_of_a_failed_run_follows_from_its_error(error: str, kind: str) -> None:
    assert kinds(Facts(job_results=(LastResult("daily", "run", error, "why"),))) == [(kind, "daily")]


@pytest.mark.parametrize(
    ("error", "problem", "text"),
    [
        ("StaleData", "too old", "daily ended early: too old"),
        ("SourceError", "", "daily ended early: the product data cannot be read; plgsync check says why"),
        ("KeyError", "", "daily ended early: KeyError; the log of the worker says where"),
    ],
)
def test_an_alert_on_a_failed_run_says_why_or_where_to_look(error: str, problem: str, text: str) -> None:
    (found,) = find_conditions(Facts(job_results=(LastResult("daily", "run", error, problem),)), Thresholds())
    assert found.text == text


@pytest.mark.parametrize("error", ["Busy", "Unavailable", "QuotaExhausted"])
def test_an_error_that_the_next_job_retries_is_no_condition(error: str) -> None:
    assert kinds(Facts(job_results=(LastResult("daily", "run", error), LastResult("crm", "crm", error)))) == []


def test_a_run_committed_later_by_any_job_ends_the_condition_of_a_failed_run() -> None:
    failed = LastResult("daily", "run", "UnsafePlan", "too much")
    assert kinds(Facts(job_results=(replace(failed, recovered=True),))) == []
    assert kinds(Facts(job_results=(failed,))) == [("guard_tripped", "daily")]


def test_denied_access_is_one_condition_for_reads_and_writes() -> None:
    facts = Facts(
        job_results=(LastResult("hubspot", "crm", "AccessDenied", "the token is refused"),),
        waiting={("hubspot", "denied"): 7},
    )
    assert kinds(facts) == [("access_denied", "hubspot")]


def test_the_share_of_rejected_records_counts_from_a_minimum_on() -> None:
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


def test_a_playbook_that_fires_three_times_as_often_as_usual_is_a_condition() -> None:
    (condition,) = find_conditions(Facts(paused=frozenset({"pql-to-task"})), Thresholds())
    assert condition == Condition("playbook_paused", "pql-to-task", condition.text)
    assert "three times" in condition.text


@pytest.mark.parametrize(
    ("before", "now", "alerted"), [(0.02, 0.04, True), (0.0, 0.02, True), (0.02, 0.039, False), (0.001, 0.01, False)]
)
def test_a_column_of_which_twice_as_much_cannot_be_read_raises_an_alert(
    before: float, now: float, alerted: bool
) -> None:
    found = kinds(Facts(unreadable={"events.occurred_at": (before, now)}))
    assert found == [("unreadable_data", "events.occurred_at")] * alerted
