"""An outbox on SQLite, and a scripted CRM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.unit.delivery.scripted import ScriptedConnector
from worker.store.tables import outbox


@pytest.fixture
def crm() -> ScriptedConnector:
    return ScriptedConnector()


@pytest.fixture
def rows(store: Engine) -> Callable[[], dict[str, dict[str, Any]]]:
    """Every outbox row by its key, as it rests in the database now."""

    def read() -> dict[str, dict[str, Any]]:
        with store.begin() as connection:
            return {row["idem_key"]: dict(row) for row in connection.execute(select(outbox)).mappings()}

    return read
