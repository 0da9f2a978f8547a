"""What the CRMs say of an account: the newest entry counts, whichever playbook it was into."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.unit.planning.test_make_plan import record, view
from worker.planning.crm_facts import CrmFacts
from worker.rules.enrollment import Enrollment
from worker.store.crm import TaskRow


def task(playbook: str, entry: int, status: str) -> TaskRow:
    key = f"{playbook}-{entry}-{status}"
    return TaskRow(
        destination="crm",
        key=key,
        task_id=f"T-{key}",
        account_id="a",
        playbook_id=playbook,
        task_key="first-touch",
        entry=entry,
        status=status,
        owner_id=None,
        close_when_leaves=True,
    )


def member(*entered: int) -> dict[str, Enrollment]:
    """An account that entered on these days of March."""
    entries = tuple(datetime(2026, 3, day, tzinfo=UTC) for day in entered)
    return {"a": Enrollment(phase="in", entry=len(entries), entries=entries, entered_at=entries[-1])}


def status(enrollments: dict[str, dict[str, Enrollment]], *tasks: TaskRow) -> object:
    made = view(record("a"), tasks={one.key: one for one in tasks})
    return CrmFacts([made], frozenset({"trial", "usage"}), enrollments).fields("a")["crm.task_status"]


def test_a_task_completed_in_an_older_entry_into_another_playbook_says_nothing_of_the_newer() -> None:
    done = [task("trial", n, "completed") for n in (1, 2, 3)]
    enrollments = {"trial": member(1, 2, 3), "usage": member(20)}
    assert status(enrollments, *done, task("usage", 1, "open")) == "open"


@pytest.mark.parametrize(("days", "said"), [((1, 30), "in_progress"), ((1, 10), "completed")])
def test_entries_are_compared_by_when_they_began_not_by_their_number(days: tuple[int, int], said: str) -> None:
    enrollments = {"trial": member(*days), "usage": member(3, 5, 20)}
    assert status(enrollments, task("trial", 2, "in_progress"), task("usage", 3, "completed")) == said


def test_of_one_entry_the_most_advanced_task_counts_and_other_playbooks_do_not() -> None:
    enrollments = {"trial": member(1), "other": member(9)}
    tasks = [task("trial", 1, "open"), task("trial", 1, "in_progress"), task("other", 1, "completed")]
    assert status(enrollments, *tasks) == "in_progress"
    assert status(enrollments) is None


def test_tasks_of_a_playbook_whose_enrollments_are_gone_come_last() -> None:
    assert status({"usage": member(1)}, task("trial", 1, "completed"), task("usage", 1, "open")) == "open"
    assert status({}, task("trial", 1, "completed")) == "completed"
