"""Every effect that was sent, by key, with the answer of the CRM."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Table, Text

from worker.store.tables.schema import Json, Serial, metadata

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
