"""How jobs ended last: one row per schedule, per command and per CRM that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from worker.store.engine import database_time
from worker.store.tables import endings


def note_ending(connection: Connection, name: str, job: str, kind: str = "", problem: str = "") -> None:
    """A job is over. ``kind`` names the error that ended it and is empty when all went well; ``problem`` is its words.

    ``job`` says what was done: ``run``, ``deliver``, ``read_back``, or ``crm`` for one CRM being read.
    """
    at = database_time(connection)
    row = {"name": name, "job": job, "at": at, "kind": kind, "problem": problem, "ok_at": None if kind else at}
    fresh = (postgres_insert if connection.dialect.name == "postgresql" else sqlite_insert)(endings)
    names = ("job", "at", "kind", "problem") if kind else ("job", "at", "kind", "problem", "ok_at")
    newest = {column: fresh.excluded[column] for column in names}
    connection.execute(fresh.on_conflict_do_update(index_elements=["name"], set_=newest), [row])


def load_endings(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """How everything ended last."""
    return [dict(row) for row in connection.execute(select(endings).order_by(endings.c.name)).mappings()]
