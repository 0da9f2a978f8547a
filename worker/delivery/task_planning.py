"""The task part of a plan: which CRM tasks to create, update or close, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import CloseTask, CreateTask, UpdateTask
from worker.delivery.backlog import WaitingTask
from worker.delivery.payload import to_payload
from worker.delivery.plan import Plan, TaskChange
from worker.delivery.reading import CrmView
from worker.language.values import Fields
from worker.rules.actions import MakeTask
from worker.settings.playbook import Assignee
from worker.store.crm import Record


def plan_tasks(
    plan: Plan,
    view: CrmView,
    tasks: Sequence[MakeTask],
    accounts: Mapping[str, Fields],
    left: frozenset[tuple[str, str]],
) -> None:
    """Add one destination's task changes: those that waited for a match, the new ones, and those to close.

    A CRM that could not be read gets its tasks all the same; they wait there until their record is known.
    """
    plan.tasks += [
        _with_record(view, row, record, accounts.get(row.account_id, {}))
        for row in view.waiting
        if not view.problem and (record := view.record_of(row.account_id))
    ]
    for task in sorted(tasks, key=lambda task: (-task.rank, task.key)):
        _plan_task(plan, view, task, accounts[task.account_id])
    for open_row in view.tasks.values():
        over = (open_row.playbook_id, open_row.account_id) in left and open_row.key not in view.closing
        if over and open_row.status == "open" and open_row.close_when_leaves:
            plan.tasks.append(_closing(view, open_row.key))


def _with_record(view: CrmView, row: WaitingTask, record: Record, fields: Fields) -> TaskChange:
    """A task that waited for its account to be matched, with its record and the owner that follows from it."""
    wishes = [Assignee(wish["kind"], wish["name"]) for wish in row.context["wishes"]]
    payload = {**row.payload, "owner_id": _owner_id(view, wishes, fields, record.owner_id)}
    return TaskChange(
        view.name,
        "task_create",
        row.key,
        row.account_id,
        record.record_id,
        row.playbook_id,
        payload,
        row.context,
        row.rank,
        row.id,
    )


def _plan_task(plan: Plan, view: CrmView, task: MakeTask, fields: Fields) -> None:
    record = None if view.problem else view.record_of(task.account_id)
    already = next(
        (
            row
            for row in view.tasks.values()
            if row.is_open
            and (row.account_id, row.playbook_id, row.task_key) == (task.account_id, task.playbook_id, task.task_key)
        ),
        None,
    )
    if already and task.if_open_task == "skip":
        plan.skipped_open[view.name] = plan.skipped_open.get(view.name, 0) + 1
        return
    if already and task.if_open_task == "update":
        update = UpdateTask(task.key, already.task_id, task.subject, task.body)
        plan.tasks.append(_change(plan, view, "task_update", task, already.task_id, to_payload(update)))
        return
    wishes = [wish for wish in (task.to, task.if_no_owner) if wish]
    owner_id = _owner_id(view, wishes, fields, record.owner_id) if record else None
    create = CreateTask(task.key, "", task.subject, task.body, task.due, task.priority, owner_id)
    record_id = record.record_id if record else None
    plan.tasks.append(_change(plan, view, "task_create", task, record_id, to_payload(create), wishes))


def _change(
    plan: Plan,
    view: CrmView,
    kind: str,
    task: MakeTask,
    record_id: str | None,
    payload: Mapping[str, Any],
    wishes: Sequence[Assignee] = (),
) -> TaskChange:
    context = {
        "task_key": task.task_key,
        "entry": task.entry,
        "close_when_leaves": task.close_when_leaves,
        "day": plan.as_of[:10],
        "wishes": [{"kind": wish.kind, "name": wish.name} for wish in wishes],
    }
    return TaskChange(
        view.name, kind, task.key, task.account_id, record_id, task.playbook_id, payload, context, task.rank
    )


def _closing(view: CrmView, key: str) -> TaskChange:
    row = view.tasks[key]
    payload = to_payload(CloseTask(key, row.task_id))
    return TaskChange(view.name, "task_close", key, row.account_id, row.task_id, row.playbook_id, payload, {}, 0.0)


def _owner_id(view: CrmView, wishes: Sequence[Assignee], fields: Fields, record_owner: str | None) -> str | None:
    owner = view.people.choose(wishes, fields, record_owner)
    if owner:
        view.people.load[owner.id] += 1
    return owner.id if owner else None
