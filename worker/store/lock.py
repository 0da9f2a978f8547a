"""One run at a time: an exclusive lock that is released when its process ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

_RUN_LOCK = 7_352_190_115  # any constant: the Postgres advisory lock of `plgsync run`


class Busy(Exception):
    """Another run is in progress on this state database."""


@contextmanager
def exclusive_run(engine: Engine) -> Iterator[None]:
    """Take the run lock of the state database; raises `Busy` at once when another process has it."""
    hold = _file_lock if engine.dialect.name == "sqlite" else _advisory_lock
    with hold(engine):
        yield


@contextmanager
def _file_lock(engine: Engine) -> Iterator[None]:
    path = Path(f"{engine.url.database}.lock")
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("another plgsync run is in progress in this project; wait for it to end") from None
        yield


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": _RUN_LOCK}).scalar():
            raise Busy("another plgsync run is in progress on this state database; wait for it to end")
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _RUN_LOCK})
