"""API calls by destination, day and purpose, and what a CRM said was left of its day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connectors.base import Usage
from worker.store.engine import database_time
from worker.store.tables import crm_calls, crm_quota
from worker.store.upsert import upsert

DAY_S = 86_400.0
READ = "read"
"""The kind of all calls that were not made to write operations."""


def day_of(at: float) -> str:
    """The UTC day of a moment on the database's clock."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def count_calls(connection: Connection, destination: str, kind: str, before: Usage, after: Usage) -> None:
    """Add the calls made between two readings to the day's count, and keep what the CRM says is left."""
    at = database_time(connection)
    if after.left is not None and after.limit is not None:
        quota = {"destination": destination, "calls_left": after.left, "calls_limit": after.limit, "seen_at": at}
        upsert(connection, crm_quota, [quota])
    spent = {
        "calls": after.calls - before.calls,
        "write_calls": after.write_calls - before.write_calls,
        "refused_429": after.refused - before.refused,
    }
    if not any(spent.values()):
        return
    fresh = (postgres_insert if connection.dialect.name == "postgresql" else sqlite_insert)(crm_calls)
    more = {name: crm_calls.c[name] + fresh.excluded[name] for name in spent}
    row = {"destination": destination, "day": day_of(at), "kind": kind, **spent}
    connection.execute(fresh.on_conflict_do_update(index_elements=["destination", "day", "kind"], set_=more), [row])


def calls_of(connection: Connection, day: str) -> Sequence[Mapping[str, Any]]:
    """A day's calls by destination and kind."""
    rows = select(crm_calls).where(crm_calls.c.day == day).order_by(crm_calls.c.destination, crm_calls.c.kind)
    return [dict(row) for row in connection.execute(rows).mappings()]


def quotas(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """What each CRM said last of its day's calls, and when (seconds since 1970)."""
    return [dict(row) for row in connection.execute(select(crm_quota).order_by(crm_quota.c.destination)).mappings()]
