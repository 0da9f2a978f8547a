"""Stores what adoption found in each CRM: records and values, our tasks, the ledger, and writes that are done."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, update

from connectors.base import OurTask
from worker.adoption.crms import CrmContents
from worker.adoption.whose import AdoptedTask
from worker.delivery.row_state import UNSETTLED, StoredState
from worker.planning.crm_view import save_view
from worker.rules.adopted import entry_on
from worker.rules.enrollment import Enrollments
from worker.settings.playbook import Playbook
from worker.store.ledger import record_effects
from worker.store.tables import crm_deals, crm_tasks, outbox
from worker.store.upsert import insert_into, upsert

ADOPTED = "ADOPTED"
"""The ledger's code of a task that was found in the CRM, by a state that had lost it."""
_NOBODYS = {"account_id": "", "playbook_id": "", "task_key": "", "entry": 0, "close_when_leaves": False, "day": ""}
"""Of a task whose playbook or account is gone; what the state knows of it already stays."""
_KEYS_AT_ONCE = 500


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
    made = [f"task_create:{destination}:{key}" for key in keys]
    for start in range(0, len(made), _KEYS_AT_ONCE):
        connection.execute(done.where(*unsettled, outbox.c.idem_key.in_(made[start : start + _KEYS_AT_ONCE])))
