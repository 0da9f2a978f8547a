"""The first tables: runs, scores, playbook state, what the CRMs told, outbox, snapshot and ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "crm_deals",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("won", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("destination", "deal_id", name=op.f("pk_crm_deals")),
    )
    op.create_table(
        "crm_records",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("matched_by", sa.Text(), server_default="", nullable=False),
        sa.Column("candidates", JSON, nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("values", JSON, nullable=False),
        sa.PrimaryKeyConstraint("destination", "account_id", name=op.f("pk_crm_records")),
    )
    op.create_index(
        op.f("ix_crm_records_destination_record_id"), "crm_records", ["destination", "record_id"], unique=False
    )
    op.create_table(
        "crm_tasks",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("playbook_id", sa.Text(), nullable=False),
        sa.Column("task_key", sa.Text(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("completed_at", sa.Text(), nullable=True),
        sa.Column("close_when_leaves", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "key", name=op.f("pk_crm_tasks")),
    )
    op.create_index(
        op.f("ix_crm_tasks_destination_account_id"), "crm_tasks", ["destination", "account_id"], unique=False
    )
    op.create_table(
        "cursors",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("cursor", JSON, nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_cursors")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("playbook_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(
        op.f("ix_decisions_account_id_playbook_id"), "decisions", ["account_id", "playbook_id"], unique=False
    )
    op.create_table(
        "ledger",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("idem_key", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("playbook_id", sa.Text(), server_default="", nullable=False),
        sa.Column("operation", JSON, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
    )
    op.create_index(op.f("ix_ledger_account_id"), "ledger", ["account_id"], unique=False)
    op.create_index(op.f("ix_ledger_destination_record_id"), "ledger", ["destination", "record_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("playbook_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("state", JSON, nullable=False),
        sa.PrimaryKeyConstraint("playbook_id", "account_id", name=op.f("pk_memberships")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("idem_key", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("playbook_id", sa.Text(), server_default="", nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("payload_hash", sa.Text(), nullable=False),
        sa.Column("context", JSON, nullable=False),
        sa.Column("attempted", JSON, nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rank", sa.Double(), server_default="0", nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("claims", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_code", sa.Text(), server_default="", nullable=False),
        sa.Column("last_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("idem_key", name=op.f("uq_outbox_idem_key")),
    )
    op.create_index(op.f("ix_outbox_destination_account_id"), "outbox", ["destination", "account_id"], unique=False)
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["destination", "due_at"],
        unique=False,
        sqlite_where=sa.text("state in ('pending', 'leased')"),
        postgresql_where=sa.text("state in ('pending', 'leased')"),
    )
    op.create_table(
        "playbook_runs",
        sa.Column("playbook_id", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Text(), nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.PrimaryKeyConstraint("playbook_id", "as_of", name=op.f("pk_playbook_runs")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Text(), nullable=False),
        sa.Column("config_version", sa.Text(), nullable=False),
        sa.Column("committed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_table(
        "schedule_slots",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("finished_slot", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.Double(), server_default="0", nullable=False),
        sa.Column("lease_token", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("schedule", name=op.f("pk_schedule_slots")),
    )
    op.create_table(
        "score_history",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("health_score", sa.Double(), nullable=True),
        sa.Column("health_band", sa.Text(), nullable=True),
        sa.Column("health_status", sa.Text(), nullable=True),
        sa.Column("onboarding_score", sa.Double(), nullable=True),
        sa.Column("onboarding_status", sa.Text(), nullable=True),
        sa.Column("pql_score", sa.Double(), nullable=True),
        sa.Column("pql_status", sa.Text(), nullable=True),
        sa.Column("config_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_score_history")),
    )
    op.create_table(
        "score_memory",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("memory", JSON, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_score_memory")),
    )
    op.create_table(
        "snapshot",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("acked", JSON, nullable=False),
        sa.PrimaryKeyConstraint("destination", "record_id", name=op.f("pk_snapshot")),
    )
    op.create_table(
        "source_volumes",
        sa.Column("as_of", sa.Text(), nullable=False),
        sa.Column("accounts", sa.Integer(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("as_of", name=op.f("pk_source_volumes")),
    )
