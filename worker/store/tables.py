"""The tables, in the order of the story: runs, what was computed, what a CRM told, what is sent.

Leases and due times are seconds since 1970 on the database's own clock (`worker.store.engine.db_now`);
everything else that is a moment is an ISO text in UTC, so that SQLite and Postgres read the same.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
Serial = BigInteger().with_variant(Integer, "sqlite")

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("as_of", Text, nullable=False),
    Column("config_version", Text, nullable=False),
    Column("committed_at", Double, nullable=False),
)

source_volumes = Table(
    "source_volumes",
    metadata,
    Column("as_of", Text, primary_key=True),
    Column("accounts", Integer, nullable=False),
    Column("events", BigInteger, nullable=False),
)

score_memory = Table(
    "score_memory",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("memory", Json, nullable=False),
)

score_history = Table(
    "score_history",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("health_score", Double),
    Column("health_band", Text),
    Column("health_status", Text),
    Column("onboarding_score", Double),
    Column("onboarding_status", Text),
    Column("pql_score", Double),
    Column("pql_status", Text),
    Column("config_version", Text, nullable=False),
    PrimaryKeyConstraint("account_id", "day"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("playbook_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("state", Json, nullable=False),
    PrimaryKeyConstraint("playbook_id", "account_id"),
)

playbook_texts = Table(
    "playbook_texts",
    metadata,
    Column("file", Text, primary_key=True),
    Column("text", Text, nullable=False),
)

playbook_runs = Table(
    "playbook_runs",
    metadata,
    Column("playbook_id", Text, nullable=False),
    Column("as_of", Text, nullable=False),
    Column("counts", Json, nullable=False),
    PrimaryKeyConstraint("playbook_id", "as_of"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False),
    Column("playbook_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("because", Text, nullable=False),
    Index(None, "account_id", "playbook_id"),
)

crm_records = Table(
    "crm_records",
    metadata,
    Column("destination", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("record_id", Text),
    Column("matched_by", Text, nullable=False, server_default=""),
    Column("candidates", Json, nullable=False),
    Column("owner_id", Text),
    Column("values", Json, nullable=False),
    Column("object", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("destination", "account_id"),
    Index(None, "destination", "record_id"),
)

crm_deals = Table(
    "crm_deals",
    metadata,
    Column("destination", Text, nullable=False),
    Column("deal_id", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("won", Boolean, nullable=False),
    Column("amount", Double),
    PrimaryKeyConstraint("destination", "deal_id"),
)

crm_tasks = Table(
    "crm_tasks",
    metadata,
    Column("destination", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("playbook_id", Text, nullable=False),
    Column("task_key", Text, nullable=False),
    Column("entry", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner_id", Text),
    Column("completed_at", Text),
    Column("close_when_leaves", Boolean, nullable=False),
    PrimaryKeyConstraint("destination", "key"),
    Index(None, "destination", "account_id"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("cursor", Json, nullable=False),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("destination", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("acked", Json, nullable=False),
    Column("written", Json, nullable=False, server_default="{}"),
    PrimaryKeyConstraint("destination", "record_id"),
)

connector_journal = Table(
    "connector_journal",
    metadata,
    Column("destination", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("destination", "name"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("destination", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("idem_key", Text, nullable=False, unique=True),
    Column("account_id", Text, nullable=False),
    Column("record_id", Text),
    Column("playbook_id", Text, nullable=False, server_default=""),
    Column("payload", Json, nullable=False),
    Column("payload_hash", Text, nullable=False),
    Column("context", Json, nullable=False),
    Column("attempted", Json),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("state", Text, nullable=False),
    Column("rank", Double, nullable=False, server_default="0"),
    Column("due_at", Double, nullable=False),
    Column("lease_token", Text),
    Column("claims", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_code", Text, nullable=False, server_default=""),
    Column("last_reason", Text, nullable=False, server_default=""),
    Column("run_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(
        "ix_outbox_due",
        "destination",
        "due_at",
        sqlite_where=text("state in ('pending', 'leased')"),
        postgresql_where=text("state in ('pending', 'leased')"),
    ),
    Index(None, "destination", "account_id"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("idem_key", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("record_id", Text),
    Column("playbook_id", Text, nullable=False, server_default=""),
    Column("operation", Json, nullable=False),
    Column("status", Text, nullable=False),
    Column("code", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("reasons", Json, nullable=False, server_default="{}"),
    Column("crm_id", Text),
    Index(None, "destination", "record_id"),
    Index(None, "account_id"),
    Index(None, "record_id"),
    Index(None, "crm_id"),
    Index(None, "idem_key"),
    Index(None, "at"),
)

schedule_slots = Table(
    "schedule_slots",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("finished_slot", Text, nullable=False, server_default=""),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_token", Text, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("last_error_at", Double),
    Column("last_good_at", Double),
)

call_windows = Table(
    "call_windows",
    metadata,
    Column("destination", Text, nullable=False),
    Column("bucket", Text, nullable=False),
    Column("log", Json, nullable=False),
    PrimaryKeyConstraint("destination", "bucket"),
)

call_counts = Table(
    "call_counts",
    metadata,
    Column("destination", Text, nullable=False),
    Column("quarter", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("playbook_id", Text, nullable=False),
    Column("calls", Double, nullable=False),
    Column("refused", Double, nullable=False, server_default="0"),
    PrimaryKeyConstraint("destination", "quarter", "kind", "playbook_id"),
)

quotas = Table(
    "quotas",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("day_limit", BigInteger),
    Column("day_used", BigInteger),
    Column("day_ends", Double),
    Column("told_at", Double, nullable=False),
)

endings = Table(
    "endings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("job", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("ok_at", Double),
    Column("kind", Text, nullable=False, server_default=""),
    Column("problem", Text, nullable=False, server_default=""),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("open_key", Text, unique=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("recovered_at", Double),
    Index(None, "kind", "subject"),
)

alert_messages = Table(
    "alert_messages",
    metadata,
    Column("alert_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("lease_token", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("alert_id", "channel", "phase"),
)
