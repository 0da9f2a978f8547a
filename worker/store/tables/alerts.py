"""Alerts that are open or over, and their messages."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, PrimaryKeyConstraint, Table, Text

from worker.store.tables.schema import Serial, metadata

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
