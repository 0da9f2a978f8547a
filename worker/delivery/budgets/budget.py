"""One destination's budget: windows shared by all workers, and its day. See `connectors.base.Budget`."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine

from connectors.base import Bucket, Permit, Told
from connectors.pace import InProcess, Pace, Windows
from worker.delivery.budgets.day import Day
from worker.delivery.budgets.purpose import purpose
from worker.settings.clock import now, stopwatch
from worker.settings.crm import Quota


class SharedBudget:
    """Every call waits for its window and counts for its day."""

    def __init__(self, pace: Pace, day: Day) -> None:
        self._pace = pace
        self._day = day

    def acquire(self, bucket: Bucket) -> Permit:
        """Wait until one call may start. Raises `QuotaExhausted` when the day's share is used up."""
        wanted = purpose()
        self._day.check(wanted)
        permit = self._pace.acquire(bucket)
        self._day.count(wanted)
        return permit

    def learn(self, permit: Permit, told: Told) -> None:
        """Take what the answer to that call said."""
        self._pace.learn(permit, told)
        self._day.learn(told)

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Nobody starts a call of this bucket for so long."""
        self._day.count_refused(purpose())
        self._pace.pause(bucket, seconds)

    def close(self) -> None:
        """Write down what is not yet."""
        self._day.write_down()


def open_budget(
    engine: Engine, destination: str, quota: Quota, redis_url: str | None, sleep: Callable[[float], None] = time.sleep
) -> SharedBudget:
    """The budget of one destination, shared with every worker on the same Redis or the same Postgres.

    On SQLite without a Redis one process delivers (`worker.store.engine` is for one machine, and a run holds the run
    lock), so the windows are in its memory: a file that is synced to disk at every call would only be slower. Should
    two processes meet there after all, each leaves the other the room of another app.
    """
    windows = _windows(engine, destination, redis_url)
    return SharedBudget(Pace(windows, stopwatch, sleep), Day(engine, destination, quota, now, stopwatch))


def _windows(engine: Engine, destination: str, redis_url: str | None) -> Windows:
    if redis_url:
        # Imported where it is used: most commands need no Redis, and start sooner without.
        from worker.delivery.budgets.falling_back import FallingBack
        from worker.delivery.budgets.redis_windows import RedisWindows, open_redis

        return FallingBack(RedisWindows(open_redis(redis_url), destination), destination, stopwatch)
    if engine.dialect.name == "postgresql":
        from worker.delivery.budgets.falling_back import FallingBack
        from worker.delivery.budgets.postgres_windows import PostgresWindows

        return FallingBack(PostgresWindows(engine, destination), destination, stopwatch)
    return InProcess(stopwatch)
