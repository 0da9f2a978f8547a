"""Runs, how much product data each of them read, and what was found by those that refused it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, Table, Text

from worker.store.tables.schema import Json, metadata

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
    Column("report", Json),
)

refused_reports = Table(
    "refused_reports",
    metadata,
    Column("as_of", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("report", Json, nullable=False),
)
