"""Rate windows in Postgres: one row per bucket, locked for the length of a booking, on the database's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, select, text, update
from sqlalchemy.dialects.postgresql import insert

from connectors.base import Bucket
from connectors.pace import Booking, Log, Rate
from worker.store.engine import database_time
from worker.store.tables import call_windows

T = TypeVar("T")


class PostgresWindows:
    """One destination's windows. Raises `sqlalchemy.exc.SQLAlchemyError` when the database is away."""

    def __init__(self, engine: Engine, destination: str) -> None:
        self._engine = engine
        self._destination = destination

    def book(self, bucket: Bucket, rate: Rate) -> Booking:
        """Log a call if one may start now."""

        def booked(log: Log, now: float) -> Booking:
            wait_s, used = log.book(now, rate)
            return Booking(wait_s, used, repr(now))

        return self._change(bucket, booked)

    def late(self, bucket: Bucket, booking_id: str) -> None:
        """The answer to a call took longer than the margin."""
        self._change(bucket, lambda log, now: log.move(float(booking_id), now))

    def crowd(self, bucket: Bucket, others: int, seconds: float) -> None:
        """Other apps took at least so much of the window."""
        self._change(bucket, lambda log, now: log.crowd(now, others, seconds))

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Nobody starts a call for so long."""
        self._change(bucket, lambda log, now: log.pause(now, seconds))

    def _change(self, bucket: Bucket, change: Callable[[Log, float], T]) -> T:
        with self._engine.begin() as connection:
            # A booking that a crash of the server takes with it costs nothing; waiting for its disk costs room.
            connection.execute(text("set local synchronous_commit = off"))
            log = self._locked(connection, bucket)
            result = change(log, database_time(connection))
            connection.execute(update(call_windows).where(*self._is(bucket)).values(log=asdict(log)))
        return result

    def _locked(self, connection: Connection, bucket: Bucket) -> Log:
        row = select(call_windows.c.log).where(*self._is(bucket)).with_for_update()
        found = connection.execute(row).scalar_one_or_none()
        if found is None:
            first = {"destination": self._destination, "bucket": bucket.name, "log": asdict(Log())}
            connection.execute(insert(call_windows).values(first).on_conflict_do_nothing())
            found = connection.execute(row).scalar_one()
        return Log(**found)

    def _is(self, bucket: Bucket) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return call_windows.c.destination == self._destination, call_windows.c.bucket == bucket.name
