"""What was read from a CRM, what it confirmed, and where reading continues."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Index, Integer, PrimaryKeyConstraint, Table, Text

from worker.store.tables.schema import Json, metadata

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

record_shares = Table(
    "record_shares",
    metadata,
    Column("destination", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("counts", Boolean, nullable=False),
    Column("values", Json, nullable=False),
    PrimaryKeyConstraint("destination", "account_id"),
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
    Column("close_sent_at", Double),
    Column("day", Text, nullable=False, server_default=""),
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
