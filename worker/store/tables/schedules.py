"""The slot of each schedule with its lease, and the last result of each job."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, Table, Text

from worker.store.tables.schema import metadata

schedule_slots = Table(
    "schedule_slots",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("finished_slot", Text, nullable=False, server_default=""),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_token", Text, nullable=False, server_default=""),
    Column("sent", Integer, nullable=False, server_default="0"),
    Column("started", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("last_error_at", Double),
    Column("last_good_at", Double),
)

job_results = Table(
    "endings",  # a rename would stop the workers of the version before
    metadata,
    Column("name", Text, primary_key=True),
    Column("job", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("ok_at", Double),
    Column("kind", Text, nullable=False, server_default=""),
    Column("problem", Text, nullable=False, server_default=""),
    Column("recovered_by", Text, nullable=False, server_default=""),
)
