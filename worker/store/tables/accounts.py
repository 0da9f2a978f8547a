"""When each account was seen in the product data, and who it was."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Table, Text

from worker.store.tables.schema import Json, metadata

account_sightings = Table(
    "account_sightings",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("first_seen", Text, nullable=False),
    Column("name_hash", Text, nullable=False, server_default=""),
    Column("domain_hash", Text, nullable=False, server_default=""),
    Column("missing_since", Text),
    Column("missing_days", Json, nullable=False),
    Column("gone", Boolean, nullable=False),
)
