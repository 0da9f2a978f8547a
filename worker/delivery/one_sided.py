"""Tasks that were withdrawn before they reached one CRM while another CRM has them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from worker.delivery.outbox import WITHDRAWN
from worker.delivery.row_state import StoredState
from worker.language.plural import counted
from worker.store.crm import OPEN_STATUSES
from worker.store.tables import crm_tasks, outbox
from worker.store.tables.outbox import operation_key_in_sql


@dataclass(frozen=True, slots=True)
class OneSided:
    """How many tasks ``destination`` never got because they were withdrawn, while they are open in ``there``."""

    destination: str
    there: str
    tasks: int

    def __str__(self) -> str:
        never = f"{self.destination} never got {counted(self.tasks, 'task')} open in {self.there}"
        return f"{never}: withdrawn before delivery (once_decided: withdraw)"


def one_sided(connection: Connection, since: float = 0.0) -> list[OneSided]:
    """The tasks that are open in one CRM and were withdrawn, since then, before they reached another."""
    rows = connection.execute(
        select(outbox.c.destination, crm_tasks.c.destination, func.count())
        .join(
            crm_tasks,
            (crm_tasks.c.key == operation_key_in_sql()) & (crm_tasks.c.destination != outbox.c.destination),
        )
        .where(
            outbox.c.kind == "task_create",
            outbox.c.state == StoredState.DROPPED,
            outbox.c.last_code == WITHDRAWN,
            outbox.c.due_at >= since,
            crm_tasks.c.status.in_(OPEN_STATUSES),
        )
        .group_by(outbox.c.destination, crm_tasks.c.destination)
        .order_by(outbox.c.destination, crm_tasks.c.destination)
    )
    return [OneSided(destination, there, tasks) for destination, there, tasks in rows]
