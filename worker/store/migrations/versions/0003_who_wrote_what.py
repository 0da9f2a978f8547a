"""Why each effect was made, how jobs ended, and the alerts about all that.

Effects of earlier releases get what is known of them: a field its value before, a task the decision behind it and
its id in the CRM.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_ROWS_AT_ONCE = 500


def upgrade() -> None:
    op.add_column("ledger", sa.Column("reasons", JSON, server_default="{}", nullable=False))
    op.add_column("ledger", sa.Column("crm_id", sa.Text(), nullable=True))
    for column in ("record_id", "crm_id", "idem_key", "at"):
        op.create_index(op.f(f"ix_ledger_{column}"), "ledger", [column], unique=False)
    op.create_table(
        "endings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("ok_at", sa.Double(), nullable=True),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_endings")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("recovered_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("open_key", name=op.f("uq_alerts_open_key")),
    )
    op.create_index(op.f("ix_alerts_kind_subject"), "alerts", ["kind", "subject"], unique=False)
    op.create_table(
        "alert_messages",
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "channel", "phase", name=op.f("pk_alert_messages")),
    )
    _fill_reasons(op.get_bind())


LEDGER = sa.table(
    "ledger",
    sa.column("id", sa.BigInteger),
    sa.column("destination", sa.Text),
    sa.column("record_id", sa.Text),
    sa.column("account_id", sa.Text),
    sa.column("run_id", sa.Text),
    sa.column("playbook_id", sa.Text),
    sa.column("kind", sa.Text),
    sa.column("status", sa.Text),
    sa.column("operation", JSON),
    sa.column("reasons", JSON),
    sa.column("idem_key", sa.Text),
    sa.column("crm_id", sa.Text),
)
TASKS = sa.table(
    "crm_tasks", sa.column("destination", sa.Text), sa.column("key", sa.Text), sa.column("task_id", sa.Text)
)
DECISIONS = sa.table(
    "decisions",
    sa.column("id", sa.BigInteger),
    sa.column("run_id", sa.Text),
    sa.column("playbook_id", sa.Text),
    sa.column("account_id", sa.Text),
    sa.column("because", sa.Text),
)


def _fill_reasons(connection: sa.Connection) -> None:
    _write(connection, [*_values_before(connection), *_decisions_behind(connection)])
    task_id = (
        sa.select(TASKS.c.task_id)
        .where(
            TASKS.c.destination == LEDGER.c.destination,
            LEDGER.c.idem_key == "task_create:" + LEDGER.c.destination + ":" + TASKS.c.key,
        )
        .scalar_subquery()
    )
    made = (LEDGER.c.kind == "task_create", LEDGER.c.status == "applied")
    connection.execute(sa.update(LEDGER).where(*made).values(crm_id=task_id))


def _values_before(connection: sa.Connection) -> list[dict[str, object]]:
    """For each field written, the value that the same record had confirmed before; unknown where there is none."""
    written = (
        sa.select(LEDGER.c.id, LEDGER.c.destination, LEDGER.c.record_id, LEDGER.c.status, LEDGER.c.operation)
        .where(LEDGER.c.kind == "fields")
        .order_by(LEDGER.c.destination, LEDGER.c.record_id, LEDGER.c.id)
    )
    rows: list[dict[str, object]] = []
    here: tuple[str, str] | None = None
    shown: dict[str, object] = {}
    for row_id, destination, record_id, status, operation in connection.execute(written):
        if here != (destination, record_id):
            here, shown = (destination, record_id), {}
        values = operation["values"]
        fields = {name: {"old": shown[name]} if name in shown else {} for name in values}
        rows.append({"of": row_id, "because": {"fields": fields}})
        if status == "applied":
            shown = {**shown, **values}
    return rows


def _decisions_behind(connection: sa.Connection) -> list[dict[str, object]]:
    """For each task, why its playbook decided on it in that run."""
    behind = (
        sa.select(LEDGER.c.id, sa.func.max(DECISIONS.c.because))
        .join(
            DECISIONS,
            (DECISIONS.c.run_id == LEDGER.c.run_id)
            & (DECISIONS.c.playbook_id == LEDGER.c.playbook_id)
            & (DECISIONS.c.account_id == LEDGER.c.account_id),
        )
        .where(LEDGER.c.kind != "fields")
        .group_by(LEDGER.c.id)
    )
    return [{"of": row_id, "because": {"because": because}} for row_id, because in connection.execute(behind)]


def _write(connection: sa.Connection, rows: list[dict[str, object]]) -> None:
    fill = sa.update(LEDGER).where(LEDGER.c.id == sa.bindparam("of")).values(reasons=sa.bindparam("because", type_=JSON))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(fill, rows[start : start + _ROWS_AT_ONCE])
