"""The state database of a project as jobs open it: a process upgrades the schema once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from worker.settings.environment import database_url
from worker.store.engine import connect_store, open_store
from worker.store.marks import refuse_moved

_migrated: set[str] = set()
"""The URLs of the state databases that this process has brought up to date."""


def make_ready(project: Path) -> None:
    """Upgrade the schema of the state database, once per process; later `open_database` does not look at the schema.

    Neither do processes forked from this one. So a running worker goes on while the next version upgrades the schema.
    Raises `StoreError`, also when the schema is newer than this version or the state has moved: then no worker starts.
    """
    url = database_url(project)
    engine = open_store(url)
    try:
        refuse_moved(engine)
    finally:
        engine.dispose()
    _migrated.add(url)


@contextmanager
def open_database(project: Path) -> Iterator[Engine]:
    """The state database of a project, and the end of its connections afterwards. Raises `StoreError`."""
    url = database_url(project)
    engine = connect_store(url) if url in _migrated else open_store(url)
    try:
        refuse_moved(engine)
        yield engine
    finally:
        engine.dispose()
