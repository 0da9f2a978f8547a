"""When we sent the close of a CRM task, so that it does not count as a person's work; and the day of each task.

Tasks of earlier releases get both from the ledger. A worker of the version before goes on beside this one: a task that
it closes meanwhile counts as completed by a person.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TASKS = sa.table("crm_tasks", *(sa.column(name) for name in ("destination", "key", "close_sent_at", "day")))
LEDGER = sa.table("ledger", *(sa.column(name) for name in ("destination", "kind", "idem_key", "status", "at")))


def upgrade() -> None:
    op.add_column("crm_tasks", sa.Column("close_sent_at", sa.Double(), nullable=True))
    op.add_column("crm_tasks", sa.Column("day", sa.Text(), server_default="", nullable=False))
    for destination, key, at in _first("task_close", ("applied", "unknown")):
        _set(destination, key, close_sent_at=at)
    for destination, key, at in _first("task_create", ("applied",)):
        _set(destination, key, day=datetime.fromtimestamp(at, UTC).date().isoformat())


def _first(kind: str, statuses: tuple[str, ...]) -> list[tuple[str, str, float]]:
    """By destination and task key, when the first of these effects was recorded."""
    found = op.get_bind().execute(
        sa.select(LEDGER.c.destination, LEDGER.c.idem_key, sa.func.min(LEDGER.c.at))
        .where(LEDGER.c.kind == kind, LEDGER.c.status.in_(statuses))
        .group_by(LEDGER.c.destination, LEDGER.c.idem_key)
    )
    return [(destination, key.removeprefix(f"{kind}:{destination}:"), at) for destination, key, at in found]


def _set(destination: str, key: str, **values: object) -> None:
    op.execute(sa.update(TASKS).where(TASKS.c.destination == destination, TASKS.c.key == key).values(**values))
