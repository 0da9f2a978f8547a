"""The enrollments of accounts in playbooks, the decisions, and the last valid text of each playbook."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from worker.store.tables.schema import Json, Serial, metadata

enrollments = Table(
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
