"""One run at a time: an exclusive lock that is released when its process ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

_RUN_LOCK = 7_352_190_115  # any constant: the Postgres advisory lock of `plgsync run`
_MACHINE_DIED = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
"""The server drops the connection, and with it the lock, of a machine that has been away for 25 seconds."""

StillLocked = Callable[[], None]
"""Raises the driver's error when the lock is lost, as after a restart of the database."""


class Busy(Exception):
    """Another run is in progress on this state database."""


@contextmanager
def exclusive_run(engine: Engine) -> Iterator[StillLocked]:
    """Take the run lock of the state database; raises `Busy` at once when another process has it.

    Whoever works for long without the database calls what this yields, in the transaction that stores the work.
    """
    hold = _file_lock if engine.dialect.name == "sqlite" else _advisory_lock
    with hold(engine) as still_locked:
        yield still_locked


@contextmanager
def _file_lock(engine: Engine) -> Iterator[StillLocked]:
    path = Path(f"{engine.url.database}.lock")
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("another plgsync run is in progress in this project; wait for it to end") from None
        yield lambda: None


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[StillLocked]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": _RUN_LOCK}).scalar():
            raise Busy("another plgsync run is in progress on this state database; wait for it to end")
        for setting, value in _MACHINE_DIED.items():
            connection.execute(text(f"set {setting} = {value}"))
        try:
            yield lambda: connection.execute(text("select 1")).close()
        finally:
            with suppress(SQLAlchemyError):  # the lock has ended with its connection
                connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _RUN_LOCK})
