"""Rate windows in Postgres: one row per bucket, locked for each change, on the clock of the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, select, text, update
from sqlalchemy.dialects.postgresql import insert

from connectors.base import Bucket
from connectors.rate_limiter import Acquisition, Rate, SlidingWindowLog
from worker.store.engine import database_time
from worker.store.tables import call_windows

T = TypeVar("T")


class PostgresWindows:
    """One destination's windows. Raises `sqlalchemy.exc.SQLAlchemyError` when the database is unavailable."""

    def __init__(self, engine: Engine, destination: str) -> None:
        self._engine = engine
        self._destination = destination

    def try_acquire(self, bucket: Bucket, rate: Rate) -> Acquisition:
        """Log a call if one may start now."""

        def acquire(log: SlidingWindowLog, now: float) -> Acquisition:
            wait_s, used = log.try_acquire(now, rate)
            return Acquisition(wait_s, used, repr(now))

        return self._change(bucket, acquire)

    def restamp(self, bucket: Bucket, call_id: str) -> None:
        """The answer to a call took longer than the margin."""
        self._change(bucket, lambda log, now: log.restamp(float(call_id), now))

    def reserve_for_others(self, bucket: Bucket, foreign_calls: int, seconds: float) -> None:
        """Other apps used at least so many calls of the window."""
        self._change(bucket, lambda log, now: log.reserve_for_others(now, foreign_calls, seconds))

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Let no call of this bucket start for ``seconds``."""
        self._change(bucket, lambda log, now: log.pause(now, seconds))

    def _change(self, bucket: Bucket, change: Callable[[SlidingWindowLog, float], T]) -> T:
        with self._engine.begin() as connection:
            # A log entry that is lost in a crash of the server costs nothing; waiting for its disk costs calls.
            connection.execute(text("set local synchronous_commit = off"))
            log = self._locked(connection, bucket)
            result = change(log, database_time(connection))
            connection.execute(update(call_windows).where(*self._is(bucket)).values(log=log.to_json()))
        return result

    def _locked(self, connection: Connection, bucket: Bucket) -> SlidingWindowLog:
        row = select(call_windows.c.log).where(*self._is(bucket)).with_for_update()
        found = connection.execute(row).scalar_one_or_none()
        if found is None:
            first = {"destination": self._destination, "bucket": bucket.name, "log": SlidingWindowLog().to_json()}
            connection.execute(insert(call_windows).values(first).on_conflict_do_nothing())
            found = connection.execute(row).scalar_one()
        return SlidingWindowLog.from_json(found)

    def _is(self, bucket: Bucket) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return call_windows.c.destination == self._destination, call_windows.c.bucket == bucket.name
