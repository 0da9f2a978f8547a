"""What is read from each CRM for adoption: everything afresh, and whose it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, update

from connectors.base import OurTask, Scalar
from worker.adoption.whose import AdoptedTask, TasksInCrm, tasks_in_crm
from worker.delivery.row_state import UNSETTLED, StoredState
from worker.planning.crm_view import CrmView, StoredCrm, crm_view, save_view
from worker.rules.adopted import entry_on
from worker.rules.enrollment import Enrollments
from worker.settings.playbook import Playbook
from worker.settings.project import Project
from worker.store.crm import GONE, unmatched
from worker.store.ledger import record_effects
from worker.store.tables import crm_deals, crm_tasks, outbox
from worker.store.upsert import insert_into, upsert
from worker.telemetry.steps import report_step

ADOPTED = "ADOPTED"
"""The ledger's code of a task that was found in the CRM, by a state that had lost it."""


_EMPTIED = ""
"""What we wrote last into a field that a person has emptied since: no CRM shows it, so that the field is not ours."""
_EMPTY = (None, "")
_NOBODYS = {"account_id": "", "playbook_id": "", "task_key": "", "entry": 0, "close_when_leaves": False, "day": ""}
"""Of a task whose playbook or account is gone; what the state knows of it already stays."""


@dataclass(slots=True, kw_only=True)
class CrmContents:
    """What of ours is in one CRM. ``unsure``: fields of which the CRM does not say who wrote them, by CRM field."""

    view: CrmView
    tasks: TasksInCrm
    deleted: int = 0
    ours: int = 0
    unsure: Mapping[str, int]

    @property
    def records(self) -> int:
        """How many accounts have a record there."""
        return sum(1 for record in self.view.readings.records.values() if record.record_id)

    def set_by_playbooks(self, accounts: Iterable[str]) -> dict[str, dict[str, Scalar]]:
        """By account, what is in the fields that only playbooks fill; nothing of empty ones.

        Where accounts share a record, None stands for what it holds: it may be of another account of the company.
        """
        names = {name: one.field for name, one in self.view.settings.fields.items() if one.from_ is None}
        shared, found = self.view.settings.account.record == "parent", dict[str, dict[str, Scalar]]()
        for account_id in accounts:
            record = self.view.record_of(account_id)
            values = self.view.readings.snapshot.get(record.record_id or "", {}) if record else {}
            filled = {name: values[own] for name, own in names.items() if values.get(own) not in _EMPTY}
            if filled:
                found[account_id] = dict.fromkeys(filled) if shared else filled
        return found


def afresh(view: CrmView) -> CrmView:
    """The view of a CRM of which nothing is known but what we wrote, so that reading it reads everything."""
    was = view.stored
    stored = StoredCrm(written=was.written, shares=was.shares, attempted=was.attempted, unanswered=was.unanswered)
    return crm_view(
        view.name, view.settings, view.connector, stored, view.readings.people, view.shared_domains, view.project_ids
    )


def read_contents(
    view: CrmView, project: Project, playbooks: Iterable[Playbook], accounts: Collection[str]
) -> CrmContents:
    """What of ours is in a CRM whose records have been read; notes in the view which values and records are ours.

    Raises `CallFailed`, also where our user may not see our tasks.
    """
    has_tasks = view.settings.tasks is not None and view.settings.tasks.enabled
    report_step(f"reading our tasks in {view.name}")
    tasks: Iterable[OurTask] = view.connector.our_tasks() if has_tasks else ()
    found = tasks_in_crm(view.name, tasks, project.crm.project_ids, playbooks, accounts)
    ours, unsure = _note_writers(view)
    return CrmContents(view=view, tasks=found, deleted=_note_deleted(view), ours=ours, unsure=unsure)


def _note_writers(view: CrmView) -> tuple[int, dict[str, int]]:
    """Note what we wrote of the fields that stop being written once a person changes or empties them."""
    guarded = [one.field for one in view.settings.fields.values() if one.write == "if_ours"]
    guarded = [name for name in guarded if name in view.readings.specs]
    if not guarded or not view.readings.snapshot:
        return 0, {}
    report_step(f"reading who wrote our fields in {view.name}")
    writers = view.connector.field_writers(sorted(view.readings.snapshot), guarded)
    ours, unsure = 0, dict.fromkeys(guarded, 0)
    for record_id, values in view.readings.snapshot.items():
        written = dict(view.readings.written.get(record_id, {}))
        for name in guarded:
            value, by_us = values.get(name), writers.get(record_id, {}).get(name)
            if by_us or (value is not None and value in _unanswered(view, record_id, name)):
                written[name], ours = value, ours + 1
            elif value is None and by_us is False:
                written[name] = _EMPTIED
            elif value is not None and by_us is None and written.get(name) != value:
                unsure[name] += 1
        view.readings.written[record_id] = written
    return ours, {name: count for name, count in unsure.items() if count}


def _unanswered(view: CrmView, record_id: str, name: str) -> list[Scalar]:
    """The values that an older state had sent without an answer."""
    sent = (view.stored.attempted, view.stored.unanswered)
    return [value for one in sent for value in one.get(record_id, {}).get(name, ())]


def _note_deleted(view: CrmView) -> int:
    """Note the records that a person deleted, so that none is made again; answers how many."""
    noted = 0
    report_step(f"reading deleted records in {view.name}")
    deleted = {one.account_id: one.record_id for one in view.connector.deleted_records()}
    for account_id, record_id in deleted.items():
        if view.record_of(account_id) is None:
            gone = replace(unmatched(account_id), matched_by=GONE, candidates=(record_id,))
            view.readings.records[account_id], noted = gone, noted + 1
    return noted


def save_contents(
    connection: Connection, contents: CrmContents, playbooks: Iterable[Playbook], enrollments: Enrollments, run_id: str
) -> None:
    """Replace what the state holds of one CRM by what is there; writes that the CRM has already are done."""
    name = contents.view.name
    connection.execute(delete(crm_deals).where(crm_deals.c.destination == name))
    save_view(connection, contents.view)
    rows = _task_rows(contents, playbooks, enrollments)
    upsert(connection, crm_tasks, rows)
    if unclaimed := [{**_task_row(name, one), **_NOBODYS} for one in contents.tasks.unclaimed]:
        connection.execute(insert_into(connection, crm_tasks).on_conflict_do_nothing(), unclaimed)
    record_effects(connection, [_effect(name, one, run_id) for one in contents.tasks.adopted])
    _finish_rows(connection, name, [str(row["key"]) for row in rows])


def _task_rows(
    contents: CrmContents, playbooks: Iterable[Playbook], enrollments: Enrollments
) -> list[dict[str, object]]:
    closes = {(p.id, task.key): task.close_when_leaves for p in playbooks for _, task in p.tasks()}
    return [
        {
            **_task_row(contents.view.name, one.task),
            "account_id": one.account_id,
            "playbook_id": one.playbook_id,
            "task_key": one.action,
            "entry": one.entry or entry_on(enrollments.get(one.playbook_id, {}).get(one.account_id), one.day),
            "close_when_leaves": closes.get((one.playbook_id, one.action), False),
            "day": one.day.isoformat(),
        }
        for one in contents.tasks.adopted
    ]


def _task_row(destination: str, task: OurTask) -> dict[str, object]:
    completed = task.completed_at.isoformat() if task.completed_at else None
    return {
        "destination": destination,
        "key": task.key.lower(),
        "task_id": task.task_id,
        "status": task.status,
        "owner_id": task.owner_id,
        "completed_at": completed,
        "close_sent_at": task.completed_at.timestamp() if task.completed_at and task.completed_by_us else None,
    }


def _effect(destination: str, one: AdoptedTask, run_id: str) -> dict[str, object]:
    return {
        "run_id": run_id,
        "destination": destination,
        "kind": "task_create",
        "idem_key": f"task_create:{destination}:{one.task.key.lower()}",
        "account_id": one.account_id,
        "record_id": next(iter(one.task.record_ids), None),
        "playbook_id": one.playbook_id,
        "operation": {},
        "reasons": {},
        "crm_id": one.task.task_id,
        "status": "applied",
        "code": ADOPTED,
        "reason": "found in the CRM by plgsync adopt",
    }


def _finish_rows(connection: Connection, destination: str, keys: Collection[str]) -> None:
    """Creations of tasks that are there are done.

    Older values and texts are not sent, nor are records created that nobody has tried to create: the next run plans
    them.
    """
    unsettled = (outbox.c.destination == destination, outbox.c.state.in_(UNSETTLED))
    untried = (outbox.c.kind == "record_create") & outbox.c.attempted.is_(None)
    connection.execute(delete(outbox).where(*unsettled, outbox.c.kind.in_(["fields", "task_update"]) | untried))
    done = update(outbox).values(state=StoredState.DONE, last_code=ADOPTED, last_reason="", attempted=None)
    for key in keys:
        connection.execute(done.where(*unsettled, outbox.c.idem_key == f"task_create:{destination}:{key}"))
