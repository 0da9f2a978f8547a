"""Notices that a CRM has tasks of this project that the state database does not know: it is lost, or older."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from connectors.base import OurTask
from worker.language.plural import counted
from worker.planning.crm_view import CrmView
from worker.rules.task_keys import parts_of
from worker.store.engine import StoreError
from worker.store.marks import UNADOPTED, adoption_required, may_deliver
from worker.store.state import last_as_of
from worker.store.tables import crm_tasks, outbox

NEWEST = 50
"""So many of the newest tasks of the project are looked at in a run: in one call, or two."""
_REMEDY = (
    "this state database is new, or older than what was written; run plgsync adopt, which takes over what is there. If "
    "another deployment has made them, give this one an id of its own: PLGSYNC_PROJECT_ID"
)


class LostState(StoreError):
    """The CRMs know more of this project than its state database: nothing is scored or sent before adoption."""


def refuse_lost_state(connection: Connection, views: Sequence[CrmView]) -> None:
    """Raise `LostState` when a CRM has, or may have, tasks of ours that this state does not know."""
    _refuse_unread(connection, views)
    found = {view.name: unknown_tasks(connection, view.name, view.readings.newest_tasks) for view in views}
    if unknown := {name: tasks for name, tasks in found.items() if tasks}:
        named = ", ".join(
            f"{name} ({counted(len(tasks), 'task')}, such as {tasks[0].key})" for name, tasks in unknown.items()
        )
        raise LostState(f"there are tasks of this project that its state database does not know, in {named}: {_REMEDY}")


def _refuse_unread(connection: Connection, views: Sequence[CrmView]) -> None:
    """Without a run before this one, a CRM that does not answer may hold all of our tasks."""
    problems = {one.name: one.readings.problem for one in views if one.settings.tasks and one.settings.tasks.enabled}
    if problems and all(problems.values()) and last_as_of(connection) is None:
        unread = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        raise LostState(f"this state database has no run yet, and no CRM says whether it has tasks of ours: {unread}")


def refuse_unadopted(connection: Connection) -> None:
    """Raise `LostState` when the state was restored and not adopted yet."""
    if adoption_required(connection):
        raise LostState(UNADOPTED)


def refuse_to_deliver(connection: Connection) -> None:
    """Raise `LostState` until adoption, where it is needed, and the run after it have taken place."""
    refuse_unadopted(connection)
    if not may_deliver(connection):
        raise LostState("the state database was adopted: what it had queued before is sent after the next run")


def unknown_tasks(connection: Connection, destination: str, tasks: Sequence[OurTask]) -> list[OurTask]:
    """Those of the tasks that this state has neither made nor queued. What has no key of ours is left out."""
    keys = [task.key.lower() for task in tasks if parts_of(task.key)]
    made = select(crm_tasks.c.key).where(crm_tasks.c.destination == destination, crm_tasks.c.key.in_(keys))
    idem_keys = {f"task_create:{destination}:{key}": key for key in keys}
    queued = select(outbox.c.idem_key).where(outbox.c.idem_key.in_(idem_keys))
    known = set(connection.execute(made).scalars())
    known |= {idem_keys[one] for one in connection.execute(queued).scalars()}
    return [task for task in tasks if task.key.lower() in set(keys) - known]
