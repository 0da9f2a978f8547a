"""What is queued for a CRM, one row per effect."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, Double, Index, Integer, Table, Text, func, text

from worker.store.tables.schema import Json, Serial, metadata

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


def operation_key_in_sql() -> ColumnElement[str]:
    """The operation's own key, the last part of ``kind:destination:key`` in ``idem_key``."""
    return func.substr(
        outbox.c.idem_key, func.length(outbox.c.kind) + func.length(outbox.c.destination) + len("::") + 1
    )
