"""The memory of the scores, and the scores of every day."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, PrimaryKeyConstraint, Table, Text

from worker.store.tables.schema import Json, metadata

score_memory = Table(
    "score_memory",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("memory", Json, nullable=False),
)

score_values = Table(
    "score_values",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Double),
    Column("text", Text),
    Column("config_version", Text, nullable=False),
    PrimaryKeyConstraint("account_id", "day", "name"),
    Index(None, "day"),
)

wide_score_history = Table(
    "score_history",  # a worker of the version before writes here; the next release drops it
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
