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


def test_a_row_of_an_older_version_is_read() -> None:
    assert TaskContext.from_json({}) == TaskContext()
    stored = {"task_key": "call", "entry": 2, "close_when_leaves": True, "wishes": [{"kind": "csm", "name": ""}]}
    assert TaskContext.from_json(stored) == TaskContext(
        task_key="call", entry=2, close_when_leaves=True, assignee_candidates=(Assignee("csm"),)
    )


def test_what_a_later_version_adds_is_left_out() -> None:
    assert TaskContext.from_json({**FULL.to_json(), "added": 1}) == FULL
