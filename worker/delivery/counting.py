"""Every API call is counted where `plgsync status` finds it, whatever came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from connectors.base import Connector
from worker.store.daily_calls import count_calls
from worker.store.engine import transact


@contextmanager
def counted(engine: Engine, connector: Connector, kind: str) -> Iterator[None]:
    """Count the calls that a connector makes meanwhile under ``kind``: an operation's kind, or ``read``."""
    before = connector.usage()
    try:
        yield
    finally:
        after = connector.usage()
        if after != before:
            transact(engine, lambda connection: count_calls(connection, connector.name, kind, before, after))
