"""The ledger: every effect ever attempted, with the run behind it and the CRM's answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from worker.store.engine import database_time
from worker.store.tables import ledger


def record_effects(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append effects; nothing in the ledger is ever changed."""
    appended = list(rows)
    if appended:
        at = database_time(connection)
        connection.execute(insert(ledger), [{**row, "at": at} for row in appended])


def effects_of(connection: Connection, account_id: str) -> Sequence[Mapping[str, Any]]:
    """All effects on one account, oldest first."""
    rows = connection.execute(select(ledger).where(ledger.c.account_id == account_id).order_by(ledger.c.id))
    return [dict(row) for row in rows.mappings()]
