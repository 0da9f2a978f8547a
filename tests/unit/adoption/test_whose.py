"""Whose a task is, is read off its key alone: of any project, day and case, and of the keys that count entries."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from connectors.base import OurTask
from tests.unit.rules.playbook_stage import TASK, make_playbook
from worker.adoption.whose import by_enrollment, tasks_in_crm
from worker.rules.task_keys import counted_key_of, task_key_of

PLAYBOOK = make_playbook(do=[{"create_task": TASK}, {"wait": "2d"}, {"create_task": {**TASK, "key": "again"}}])
ACCOUNTS = [f"a{number}" for number in range(20)]
DAY = date(2026, 3, 2)


def task(key: str, day: int = 2, **more: Any) -> OurTask:
    made = {"task_id": "1", "record_ids": (), "status": "open", "owner_id": None, **more}
    return OurTask(key=key, created_at=datetime(2026, 3, day, 1, tzinfo=UTC), **made)


def test_tasks_are_ours_nobodys_or_of_another_project() -> None:
    ours, others = (task_key_of(project, DAY, "flags", "a7", "again") for project in ("acme", "other"))
    gone = task_key_of("acme", DAY, "flags", "removed", "call")
    texts = ["", "a person's own text", "0" * 40]
    found = tasks_in_crm(
        "crm", [task(key) for key in (ours.upper(), others, gone, *texts)], ("acme",), [PLAYBOOK], ACCOUNTS
    )
    assert [(one.playbook_id, one.account_id, one.action, one.day, one.entry) for one in found.adopted] == [
        ("flags", "a7", "again", DAY, 0)
    ]
    assert [one.key for one in found.unclaimed] == [gone]
    assert found.of_others == {"other": 1}


def test_tasks_under_a_former_id_of_the_project_are_ours() -> None:
    keys = [task_key_of(project, DAY, "flags", "a7", "again") for project in ("acme", "acme-eu", "other")]
    found = tasks_in_crm("crm", map(task, keys), ("acme-eu", "acme"), [PLAYBOOK], ACCOUNTS)
    assert [one.task.key for one in found.adopted] == keys[:2]
    assert found.of_others == {"other": 1}


def test_the_tasks_of_one_counted_entry_are_one_entry_whenever_the_crm_got_them() -> None:
    keys = [("call", 3, 2), ("again", 3, 11), ("call", 4, 12)]
    tasks = [task(counted_key_of("flags", "a7", entry, action).upper(), day) for action, entry, day in keys]
    found = tasks_in_crm("crm", tasks, ("acme",), [PLAYBOOK], ACCOUNTS)
    [of_account] = by_enrollment(found.adopted).values()
    assert [(one.action, one.entry, one.day.day) for one in of_account] == [
        ("call", 3, 2),
        ("again", 3, 2),
        ("call", 4, 12),
    ]


@pytest.mark.parametrize("entry", [1, 40, 41])
def test_a_counted_key_is_found_up_to_its_fortieth_entry(entry: int) -> None:
    found = tasks_in_crm("crm", [task(counted_key_of("flags", "a7", entry, "call"))], ("acme",), [PLAYBOOK], ACCOUNTS)
    assert [one.entry for one in found.adopted] == ([entry] if entry <= 40 else [])
