"""Calls made and calls left, by destination."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, PrimaryKeyConstraint, Table, Text

from worker.store.tables.schema import Json, metadata

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
