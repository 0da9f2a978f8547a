"""Onboarding says who is on track, who is behind and who needs help."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.scores.scores_kit import ONBOARDING, START, day, settings
from worker.language.values import Fields
from worker.scores import Scored, ScoreMemory, score_account

SETTINGS = settings(onboarding=ONBOARDING)


def account(*done: str, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"account.created_at": START, "account.tz": "UTC", "count(Signed In, 14d)": 3}
    for milestone in ("invite", "import", "report", "integration"):
        fields[f"{milestone}s"] = int(milestone in done)
    return fields | changes


def score(
    now: Fields, on: float, memory: ScoreMemory | None = None, then: Fields | None = None, using: Any = SETTINGS
) -> Scored:
    return score_account(using, now, then, memory or ScoreMemory(), day(on))


def after_first_week() -> ScoreMemory:
    """Invited on day 2 and imported on day 6."""
    return score(account("invite", "import"), 6, score(account("invite"), 2).memory).memory


def test_day_12_with_two_done_is_behind() -> None:
    steps = score(account("invite", "import"), 12, after_first_week())["onboarding"]
    assert (steps.score, steps.expected, steps.status) == (50, 70, "behind")
    assert (steps.done, steps.next_milestone, steps.days_stuck) == ("2 of 4: invite, import", "report", 0)


def test_day_18_with_nothing_since_is_stuck() -> None:
    steps = score(account("invite", "import"), 18, after_first_week())["onboarding"]
    assert (steps.status, steps.days_stuck, steps.next_milestone) == ("stuck", 12, "report")


def test_exactly_seven_days_overdue_is_not_yet_stuck() -> None:
    assert score(account("invite", "import"), 17, after_first_week())["onboarding"].status == "behind"


def test_recent_progress_is_not_stuck() -> None:
    memory = score(account("invite", "import"), 18 - 6, after_first_week()).memory
    moved = score(account("invite", "import", "integration"), 12, memory=after_first_week()).memory
    assert score(account("invite", "import", "integration"), 18, moved)["onboarding"].status == "behind"
    assert score(account("invite", "import"), 18, memory)["onboarding"].status == "stuck"


def test_stuck_without_a_soul_is_dormant() -> None:
    dormant = account("invite", "import", **{"count(Signed In, 14d)": 0})
    assert score(dormant, 18, after_first_week())["onboarding"].status == "dormant"
    unsure = account("invite", "import", **{"count(Signed In, 14d)": None})
    assert score(unsure, 18, after_first_week())["onboarding"].status == "stuck"


def test_all_required_done_is_complete() -> None:
    steps = score(account("invite", "import", "report", "integration"), 9)["onboarding"]
    assert (steps.status, steps.score, steps.next_milestone) == ("complete", 100, None)


def test_optional_milestone_does_not_hold_up_completion() -> None:
    milestones = [m | {"required": m["name"] != "report"} for m in ONBOARDING["milestones"]]
    using = settings(onboarding=ONBOARDING | {"milestones": milestones})
    steps = score(account("invite", "import", "integration"), 30, using=using)["onboarding"]
    assert (steps.status, steps.score) == ("complete", 80)


def test_done_stays_done() -> None:
    steps = score(account(), 7, after_first_week())["onboarding"]
    assert (steps.score, steps.done) == (50, "2 of 4: invite, import")


def test_new_account_is_on_track_until_the_first_deadline_has_passed() -> None:
    assert score(account(), 3)["onboarding"].status == "on_track"
    assert score(account(), 4)["onboarding"].status == "behind"


def test_deadline_falls_in_the_accounts_own_day() -> None:
    evening = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)  # still the first of March in Los Angeles
    here, there = (
        account(**{"account.created_at": evening, "account.tz": tz}) for tz in ("UTC", "America/Los_Angeles")
    )
    assert score(here, 3)["onboarding"].status == "on_track"
    assert score(there, 3.2)["onboarding"].status == "behind"
    assert score(account(**{"account.tz": "Mars/Olympus"}), 3)["onboarding"].status == "on_track"


@pytest.mark.parametrize("missing", [{"account.created_at": None}, {"imports": None, "integrations": None}])
def test_too_little_known_has_no_status_to_act_on(missing: Fields) -> None:
    steps = score(account("invite") | dict(missing), 18)["onboarding"]
    assert (steps.status, steps.score) == ("not_enough_data", None)


def test_unknown_milestone_is_neither_done_nor_overdue() -> None:
    steps = score(account("invite", "import", reports=None), 12)["onboarding"]
    assert (steps.score, steps.expected, steps.status) == (63, 63, "on_track")
    assert [step.missing for step in steps.milestones] == ["", "", "not known", ""]


def test_unknown_required_milestone_is_never_complete() -> None:
    steps = score(account("invite", "import", "integration", reports=None), 12)["onboarding"]
    assert (steps.score, steps.status) == (100, "on_track")


def test_milestone_that_does_not_apply_does_not_exist() -> None:
    milestones = [
        m | ({"applies_when": "plan is pro"} if m["name"] == "report" else {}) for m in ONBOARDING["milestones"]
    ]
    using = settings(onboarding=ONBOARDING | {"milestones": milestones})
    steps = score(account("invite", "import", plan="free"), 12, using=using)["onboarding"]
    assert (steps.score, steps.expected, steps.done) == (63, 63, "2 of 3: invite, import")


def test_first_run_dates_milestones_by_the_signal_that_knows() -> None:
    milestones = [m | {"done_at": f"{m['name']}_days"} for m in ONBOARDING["milestones"]]
    using = settings(onboarding=ONBOARDING | {"milestones": milestones})
    steps = score(account("invite", "import", invite_days=16, import_days=12), 18, using=using)["onboarding"]
    assert (steps.status, steps.days_stuck) == ("stuck", 12)


@pytest.mark.parametrize("signal", [day(6), day(6).date(), 12])
def test_moment_of_a_milestone_can_be_a_date_or_a_number_of_days(signal: Any) -> None:
    milestones = [m | {"done_at": "done"} for m in ONBOARDING["milestones"]]
    using = settings(onboarding=ONBOARDING | {"milestones": milestones})
    steps = score(account("invite", "import", done=signal), 18, using=using)["onboarding"]
    assert (steps.status, steps.days_stuck) == ("stuck", 12)


def test_first_run_takes_what_was_done_28_days_ago_for_old() -> None:
    done = account("invite", "import")
    assert score(done, 40, then=done)["onboarding"].status == "stuck"
    assert score(done, 40, then=account())["onboarding"].status == "behind"


def test_milestone_is_never_older_than_its_account() -> None:
    milestones = [m | {"done_at": "days"} for m in ONBOARDING["milestones"]]
    using = settings(onboarding=ONBOARDING | {"milestones": milestones})
    steps = score(account("invite", days=400), 18, using=using)["onboarding"]
    assert steps.milestones[0].done_at == START
    assert steps.days_stuck == 18


def test_a_milestone_is_dated_by_the_first_event_whatever_was_remembered() -> None:
    milestones = [m | {"done_at": "first(Data Imported)"} for m in ONBOARDING["milestones"]]
    using = settings(onboarding=ONBOARDING | {"milestones": milestones})
    imported = {"first(Data Imported)": day(4)}
    wrong = ScoreMemory(milestones=(("import", day(18)),))
    for memory in (ScoreMemory(), wrong):
        after = score(account("import", **imported), 20, memory, using=using).memory
        assert dict(after.milestones)["import"] == day(4)
    later = score(account("import", **{"first(Data Imported)": day(19)}), 20, after, using=using).memory
    assert dict(later.milestones)["import"] == day(4)


def test_remembered_moment_survives_reruns() -> None:
    memory = after_first_week()
    later = score(account("invite", "import"), 20, memory).memory
    assert dict(later.milestones) == {"invite": START + timedelta(days=2), "import": START + timedelta(days=6)}
