"""The ledger: every effect ever attempted, with the run behind it and the CRM's answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, insert

from worker.store.engine import database_time
from worker.store.tables import ledger


def record_effects(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append effects; nothing in the ledger is ever changed."""
    appended = list(rows)
    if appended:
        at = database_time(connection)
        connection.execute(insert(ledger), [{**row, "at": at} for row in appended])
