"""One destination's budget: windows that all workers share, and its daily quota. See `connectors.base.Budget`."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine

from connectors.base import Bucket, Permit, RateLimitStatus
from connectors.clock import now, stopwatch
from connectors.rate_limiter import InProcess, RateLimiter, Windows
from worker.delivery.budgets.day import Day
from worker.delivery.budgets.purpose import purpose
from worker.settings.crm import Quota


class SharedBudget:
    """Makes every call wait for its window, and counts it for its day."""

    def __init__(self, rate_limiter: RateLimiter, day: Day) -> None:
        self._rate_limiter = rate_limiter
        self._day = day

    def acquire(self, bucket: Bucket) -> Permit:
        """Wait until one call may start. Raises `QuotaExhausted` when the day's share is used up."""
        wanted = purpose()
        self._day.check(wanted)
        permit = self._rate_limiter.acquire(bucket)
        self._day.count(wanted)
        return permit

    def observe(self, permit: Permit, status: RateLimitStatus) -> None:
        """Take the limits of the answer to that call."""
        self._rate_limiter.observe(permit, status)
        self._day.observe(status)

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Let no call of this bucket start for ``seconds``, in any worker."""
        self._day.count_rejected(purpose())
        self._rate_limiter.pause(bucket, seconds)

    def close(self) -> None:
        """Store the counts that are not stored yet."""
        self._day.store()


def open_budget(
    engine: Engine, destination: str, quota: Quota, redis_url: str | None, sleep: Callable[[float], None] = time.sleep
) -> SharedBudget:
    """The budget of one destination, shared with every worker on the same Redis or the same Postgres.

    On SQLite without a Redis one process delivers (`worker.store.engine` is for one machine, and a run has the run
    lock), so the windows are in its memory: a file that is synced to disk at every call would only be slower. If two
    processes deliver there all the same, each treats the calls of the other as those of another app.
    """
    windows = _windows(engine, destination, redis_url)
    return SharedBudget(RateLimiter(windows, stopwatch, sleep), Day(engine, destination, quota, now, stopwatch))


def _windows(engine: Engine, destination: str, redis_url: str | None) -> Windows:
    if redis_url:
        # Imported where it is used: most commands need no Redis, and start sooner without it.
        from worker.delivery.budgets.falling_back import FallingBack
        from worker.delivery.budgets.redis_windows import RedisWindows, open_redis

        return FallingBack(RedisWindows(open_redis(redis_url), destination), destination, stopwatch)
    if engine.dialect.name == "postgresql":
        from worker.delivery.budgets.falling_back import FallingBack
        from worker.delivery.budgets.postgres_windows import PostgresWindows

        return FallingBack(PostgresWindows(engine, destination), destination, stopwatch)
    return InProcess(stopwatch)
