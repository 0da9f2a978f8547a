"""The context of a queued CRM task survives its JSON form, also that of older versions."""

from __future__ import annotations

import json

from worker.delivery.task_context import TaskContext
from worker.rules.actions import Contact
from worker.settings.playbook import Assignee

FULL = TaskContext(
    task_key="call",
    entry=2,
    close_when_leaves=True,
    day="2026-07-01",
    assignee_candidates=(Assignee("account_owner"), Assignee("queue", "sales")),
    contact=Contact("account.admin_email", "ann@example.com"),
    no_person="nobody has the address of account.admin_email",
    reasons={"because": "usage fell"},
)


def test_a_context_comes_back_from_json_as_it_was() -> None:
    for context in (FULL, TaskContext(), TaskContext(contact=Contact("account.admin_email", None))):
        assert TaskContext.from_json(json.loads(json.dumps(context.to_json()))) == context


def test_a_row_of_0_1_0_is_read_and_written_as_it_was() -> None:
    wishes = [{"kind": "csm", "name": ""}, {"kind": "queue", "name": "sales"}]
    stored = {"task_key": "call", "entry": 2, "close_when_leaves": True, "day": "2026-11-23", "wishes": wishes}
    context = TaskContext(
        task_key="call",
        entry=2,
        close_when_leaves=True,
        day="2026-11-23",
        assignee_candidates=(Assignee("csm"), Assignee("queue", "sales")),
    )
    assert TaskContext.from_json(stored) == context
    assert context.to_json() == stored
    assert TaskContext.from_json({}) == TaskContext(), "what closes a task has no context"


def test_what_a_later_version_adds_is_left_out() -> None:
    assert TaskContext.from_json({**FULL.to_json(), "added": 1}) == FULL
