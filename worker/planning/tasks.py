"""The CRM tasks of a plan: those to create, update or close, with the owner of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.base import CloseTask, CreateTask, UpdateTask
from worker.delivery.backlog import WaitingTask
from worker.delivery.payload import to_payload
from worker.delivery.task_context import TaskContext
from worker.language.values import Fields
from worker.planning.crm_view import CrmView
from worker.planning.desired import with_workspaces
from worker.planning.plan import Plan, TaskChange
from worker.planning.task_people import TaskPeople, find_people
from worker.rules.actions import Contact, MakeTask
from worker.settings.playbook import Assignee
from worker.settings.playbook_steps import HOLD
from worker.store.crm import Record


def plan_tasks(
    plan: Plan,
    view: CrmView,
    tasks: Sequence[MakeTask],
    accounts: Mapping[str, Fields],
    left: frozenset[tuple[str, str]],
) -> None:
    """Add the task changes of one destination: tasks that waited for a match, new tasks, and tasks to close.

    Tasks for a CRM that could not be read are planned too; the outbox keeps them until their record is known.
    """
    ready = (
        []
        if view.readings.problem
        else [(row, record) for row in view.stored.waiting if (record := view.record_of(row.account_id))]
    )
    ordered = sorted(tasks, key=lambda task: (-task.rank, task.key))
    new = [task for task in with_workspaces(view, ordered, accounts) if not _is_handled(plan, view, task)]
    people = _people(view, [row for row, _ in ready], new)
    plan.tasks += [_with_record(view, row, record, accounts.get(row.account_id, {}), people) for row, record in ready]
    plan.tasks += [_new_task(plan, view, task, accounts[task.account_id], people) for task in new]
    for open_row in view.readings.tasks.values():
        over = (open_row.playbook_id, open_row.account_id) in left and open_row.key not in view.stored.closing
        if over and open_row.status == "open" and open_row.close_when_leaves:
            plan.tasks.append(_closing(view, open_row.key))


def _people(view: CrmView, waiting: Sequence[WaitingTask], new: Sequence[MakeTask]) -> TaskPeople:
    """The people of the tasks that can be created now; the other tasks look theirs up once they have a record."""
    contacts = [row.context.contact for row in waiting if row.context.contact]
    if not view.readings.problem:
        contacts += [task.contact for task in new if task.contact and view.record_of(task.account_id)]
    return find_people(view.connector, contacts)


def _with_record(view: CrmView, row: WaitingTask, record: Record, fields: Fields, people: TaskPeople) -> TaskChange:
    """A task that waited for its account to be matched, with its record, its owner and its person."""
    person_id, no_person = people.person_of(row.context.contact)
    owner_id = _owner_id(view, row.context.assignee_candidates, fields, record.owner_id)
    change = TaskChange(
        destination=view.name,
        kind="task_create",
        key=row.key,
        account_id=row.account_id,
        record_id=record.record_id,
        playbook_id=row.playbook_id,
        payload={**row.payload, "owner_id": owner_id, "person_id": person_id},
        context=replace(row.context, no_person=no_person),
        rank=row.rank,
        waiting_row=row.id,
    )
    return _with_hold(change)


def _is_handled(plan: Plan, view: CrmView, task: MakeTask) -> bool:
    """Whether the task of an earlier entry is open, so that it stays as it is or gets the new text."""
    already = next(
        (
            row
            for row in view.readings.tasks.values()
            if row.is_open
            and (row.account_id, row.playbook_id, row.task_key) == (task.account_id, task.playbook_id, task.task_key)
        ),
        None,
    )
    if already and task.if_open_task == "skip":
        plan.skipped_open[view.name] = plan.skipped_open.get(view.name, 0) + 1
        return True
    if already and task.if_open_task == "update":
        update = UpdateTask(task.key, already.task_id, task.subject, task.body)
        plan.tasks.append(_change(plan, view, "task_update", task, already.task_id, to_payload(update)))
        return True
    return False


def _new_task(plan: Plan, view: CrmView, task: MakeTask, fields: Fields, people: TaskPeople) -> TaskChange:
    record = None if view.readings.problem else view.record_of(task.account_id)
    keeps = view.settings.tasks and view.settings.tasks.if_no_owner == "hold" and task.if_no_owner != HOLD
    candidates = tuple(one for one in (task.to, task.if_no_owner, HOLD if keeps else None) if one)
    owner_id = _owner_id(view, candidates, fields, record.owner_id) if record else None
    person_id, no_person = people.person_of(task.contact) if record else (None, "")
    create = CreateTask(
        key=task.key,
        record_id="",
        subject=task.subject,
        body=task.body,
        due=task.due,
        priority=task.priority,
        owner_id=owner_id,
        person_id=person_id,
    )
    change = _change(plan, view, "task_create", task, record.record_id if record else None, to_payload(create))
    context = replace(
        change.context, assignee_candidates=candidates, no_person=no_person, contact=_stored(task.contact)
    )
    return _with_hold(replace(change, context=context))


def _with_hold(change: TaskChange) -> TaskChange:
    """The task, held where nobody owns it and its playbook or CRM wants that."""
    hold = change.ownerless and HOLD in change.context.assignee_candidates
    return replace(change, no_owner=f"nobody in this CRM is its owner: {change.ownerless}") if hold else change


def _stored(contact: Contact | None) -> Contact | None:
    """The contact with its address as text, which JSON can hold."""
    return contact and replace(contact, email=None if contact.email is None else str(contact.email))


def _change(
    plan: Plan, view: CrmView, kind: str, task: MakeTask, record_id: str | None, payload: Mapping[str, Any]
) -> TaskChange:
    return TaskChange(
        destination=view.name,
        kind=kind,
        key=task.key,
        account_id=task.account_id,
        record_id=record_id,
        playbook_id=task.playbook_id,
        payload=payload,
        context=TaskContext(
            task_key=task.task_key, entry=task.entry, close_when_leaves=task.close_when_leaves, day=plan.as_of[:10]
        ),
        rank=task.rank,
    )


def _closing(view: CrmView, key: str) -> TaskChange:
    row = view.readings.tasks[key]
    return TaskChange(
        destination=view.name,
        kind="task_close",
        key=key,
        account_id=row.account_id,
        record_id=row.task_id,
        playbook_id=row.playbook_id,
        payload=to_payload(CloseTask(key, row.task_id)),
    )


def _owner_id(view: CrmView, candidates: Sequence[Assignee], fields: Fields, record_owner: str | None) -> str | None:
    owner = view.readings.people.choose(candidates, fields, record_owner)
    if owner:
        view.readings.people.load[owner.id] += 1
    return owner.id if owner else None
