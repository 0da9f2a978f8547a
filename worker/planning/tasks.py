"""The task part of a plan: which CRM tasks to create, update or close, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import CloseTask, CreateTask, UpdateTask
from worker.delivery.backlog import WaitingTask
from worker.delivery.payload import to_payload
from worker.language.values import Fields
from worker.planning.crm_view import CrmView
from worker.planning.plan import Plan, TaskChange
from worker.planning.task_people import TaskPeople, find_people
from worker.rules.actions import Contact, MakeTask
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
    ready = (
        []
        if view.readings.problem
        else [(row, record) for row in view.stored.waiting if (record := view.record_of(row.account_id))]
    )
    new = [task for task in sorted(tasks, key=lambda task: (-task.rank, task.key)) if not _is_settled(plan, view, task)]
    people = _people(view, [row for row, _ in ready], new)
    plan.tasks += [_with_record(view, row, record, accounts.get(row.account_id, {}), people) for row, record in ready]
    plan.tasks += [_new_task(plan, view, task, accounts[task.account_id], people) for task in new]
    for open_row in view.readings.tasks.values():
        over = (open_row.playbook_id, open_row.account_id) in left and open_row.key not in view.stored.closing
        if over and open_row.status == "open" and open_row.close_when_leaves:
            plan.tasks.append(_closing(view, open_row.key))


def _people(view: CrmView, waiting: Sequence[WaitingTask], new: Sequence[MakeTask]) -> TaskPeople:
    """The people of the tasks that can be made now; the others ask again when their record is known."""
    contacts = [contact for row in waiting if (contact := _contact_of(row))]
    if not view.readings.problem:
        contacts += [task.contact for task in new if task.contact and view.record_of(task.account_id)]
    return find_people(view.connector, contacts)


def _contact_of(row: WaitingTask) -> Contact | None:
    contact = row.context.get("contact")
    return Contact(contact["field"], contact["email"]) if contact else None


def _with_record(view: CrmView, row: WaitingTask, record: Record, fields: Fields, people: TaskPeople) -> TaskChange:
    """A task that waited for its account to be matched, with its record, the owner that follows, and its person."""
    wishes = [Assignee(wish["kind"], wish["name"]) for wish in row.context["wishes"]]
    person_id, no_person = people.person_of(_contact_of(row))
    owner_id = _owner_id(view, wishes, fields, record.owner_id)
    return TaskChange(
        view.name,
        "task_create",
        row.key,
        row.account_id,
        record.record_id,
        row.playbook_id,
        {**row.payload, "owner_id": owner_id, "person_id": person_id},
        row.context,
        row.rank,
        row.id,
        no_person,
    )


def _is_settled(plan: Plan, view: CrmView, task: MakeTask) -> bool:
    """Whether the task of an earlier entry is open, so that it is left as it is or gets the new words."""
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
    wishes = [wish for wish in (task.to, task.if_no_owner) if wish]
    owner_id = _owner_id(view, wishes, fields, record.owner_id) if record else None
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
    record_id = record.record_id if record else None
    return _change(plan, view, "task_create", task, record_id, to_payload(create), wishes, no_person)


def _change(
    plan: Plan,
    view: CrmView,
    kind: str,
    task: MakeTask,
    record_id: str | None,
    payload: Mapping[str, Any],
    wishes: Sequence[Assignee] = (),
    no_person: str = "",
) -> TaskChange:
    context: dict[str, Any] = {
        "task_key": task.task_key,
        "entry": task.entry,
        "close_when_leaves": task.close_when_leaves,
        "day": plan.as_of[:10],
        "wishes": [{"kind": wish.kind, "name": wish.name} for wish in wishes],
    }
    if task.contact and kind == "task_create":
        email = None if task.contact.email is None else str(task.contact.email)
        context |= {"contact": {"field": task.contact.field, "email": email}, "no_person": no_person}
    return TaskChange(
        view.name,
        kind,
        task.key,
        task.account_id,
        record_id,
        task.playbook_id,
        payload,
        context,
        task.rank,
        no_person=no_person,
    )


def _closing(view: CrmView, key: str) -> TaskChange:
    row = view.readings.tasks[key]
    payload = to_payload(CloseTask(key, row.task_id))
    return TaskChange(view.name, "task_close", key, row.account_id, row.task_id, row.playbook_id, payload, {}, 0.0)


def _owner_id(view: CrmView, wishes: Sequence[Assignee], fields: Fields, record_owner: str | None) -> str | None:
    owner = view.readings.people.choose(wishes, fields, record_owner)
    if owner:
        view.readings.people.load[owner.id] += 1
    return owner.id if owner else None
