"""A CRM's daily quota: how many calls we and other apps have used, and which calls may still start.

The CRM's own count, which every answer carries, decides; it includes other apps. We stop at a share of the limit
(80 %), which leaves the rest to other apps, and at ``daily`` calls of our own where the operator sets that. Fields may
use nine tenths of either: the last tenth is reserved for tasks, and for the reads that tasks need. The outbox sends the
tasks of the highest rank first, so the tasks that wait when the day ends are those of the lowest rank.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import QuotaExhausted, RateLimitStatus
from worker.delivery.budgets.purpose import Purpose
from worker.settings.crm import Quota
from worker.store.calls import DailyQuota, For, add_calls, calls_since, daily_quota, day_start, record_daily_quota
from worker.store.engine import database_time, transact

log = structlog.get_logger()

FIELDS_SHARE = 0.9
"""The share of our calls that fields may use; the rest is reserved for tasks."""
READING_VALID_S = 600.0
"""How long a reading of a rolling day is valid. The highest one counts: Salesforce's servers differ in their counts."""
PAUSE = timedelta(minutes=15)
"""How long nothing is sent once a rolling day is used up; longer than a reading is valid."""
STORE_EVERY_CALLS = 20
STORE_EVERY_S = 5.0


class Day:
    """One destination's daily quota. Safe to share between threads.

    It counts calls in memory and stores the counts every few seconds. A process that is killed loses at most
    `STORE_EVERY_CALLS` of them, which the CRM's count includes. An unavailable database stops no call.
    """

    def __init__(
        self,
        engine: Engine,
        destination: str,
        quota: Quota,
        now: Callable[[], datetime],
        stopwatch: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._destination = destination
        self._settings = quota
        self._now = now
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._reading: DailyQuota | None = None
        self._read_at = 0.0
        self._observed = False
        self._ours = 0.0
        self._unstored: dict[For, float] = {}
        self._rejected: dict[For, float] = {}
        self._stored_at: float | None = None

    def check(self, purpose: Purpose) -> None:
        """Raises `QuotaExhausted` when no more calls may start for this purpose today."""
        with self._lock:
            self._store_if_due()
            if purpose.started:
                return
            part = FIELDS_SHARE if purpose.kind == "fields" else 1.0
            quota = self._valid()
            used_up = self._used_up(part, quota)
            if used_up:
                reserve = "" if part == 1.0 or self._used_up(1.0, quota) else "; the rest is reserved for tasks"
                raise QuotaExhausted(used_up + reserve, quota.ends if quota and quota.ends else self._now() + PAUSE)
            purpose.started = True

    def count(self, purpose: Purpose) -> None:
        """Count a call that starts."""
        with self._lock:
            _add(self._unstored, purpose)

    def count_rejected(self, purpose: Purpose) -> None:
        """Count a call that the CRM rejected as too fast."""
        with self._lock:
            _add(self._rejected, purpose)

    def observe(self, status: RateLimitStatus) -> None:
        """Take what an answer says of the day."""
        if status.day_limit is None and status.day_ends is None:
            return
        with self._lock:
            self._merge(DailyQuota(status.day_limit, status.day_used, status.day_ends), self._stopwatch())
            self._observed = True

    def store(self) -> None:
        """Store the counts and the newest reading, and take the reading that other workers stored."""
        with self._lock:
            self._store_counts()

    def _used_up(self, part: float, quota: DailyQuota | None) -> str:
        """Which limit is reached, in words; empty when none is."""
        settings = self._settings
        limit, used = (quota.limit, quota.used) if quota else (None, None)
        if limit is not None and used is not None and used >= round(part * settings.share * limit):
            return f"{used:,} of the CRM's {limit:,} daily calls are used, and our share is {settings.share:.0%}"
        ours = self._ours + sum(self._unstored.values())
        if settings.daily is not None and ours >= round(part * settings.daily):
            return f"{ours:,.0f} of our own {settings.daily:,} daily calls are used"
        return ""

    def _valid(self) -> DailyQuota | None:
        """The reading, while it is valid."""
        quota = self._reading
        if quota is None:
            return None
        if quota.ends is not None:
            return quota if quota.ends > self._now() else None
        return quota if self._stopwatch() - self._read_at < READING_VALID_S else None

    def _merge(self, quota: DailyQuota, at: float) -> None:
        """Keep the newest reading; of a rolling day the highest valid one.

        An answer may carry no count (one of a proxy, for example): it does not replace a count of the same day.
        """
        valid = self._valid()
        if valid and valid.ends == quota.ends and (valid.used is None) != (quota.used is None):
            if valid.used is None:
                self._reading, self._read_at = quota, at
        elif valid and valid.ends is None and quota.ends is None and (valid.used or 0) > (quota.used or 0):
            self._reading = DailyQuota(quota.limit, valid.used, None)
        elif valid is None or at >= self._read_at:
            self._reading, self._read_at = quota, at

    # ------------------------------------------------------------------ the database

    def _store_if_due(self) -> None:
        waited = None if self._stored_at is None else self._stopwatch() - self._stored_at
        if waited is None or waited >= STORE_EVERY_S or sum(self._unstored.values()) >= STORE_EVERY_CALLS:
            self._store_counts()

    def _store_counts(self) -> None:
        self._stored_at = self._stopwatch()
        try:
            transact(self._engine, self._exchange)
        except SQLAlchemyError as error:
            log.warning("call counts not stored yet", destination=self._destination, problem=type(error).__name__)
            return
        self._unstored, self._rejected = {}, {}
        self._observed = False

    def _exchange(self, connection: Connection) -> None:
        if self._unstored or self._rejected:
            add_calls(connection, self._destination, self._unstored, self._rejected)
        if found := daily_quota(connection, self._destination):
            others, age_s = found
            self._merge(others, self._stopwatch() - age_s)
        if self._observed and self._reading:
            record_daily_quota(connection, self._destination, self._reading, self._stopwatch() - self._read_at)
        ends = self._reading.ends if self._reading else None
        since = day_start(database_time(connection), ends.timestamp() if ends else None)
        self._ours = sum(calls_since(connection, self._destination, since).values())


def _add(counts: dict[For, float], purpose: Purpose) -> None:
    for playbook, share in purpose.shares.items():
        key = (purpose.kind, playbook)
        counts[key] = counts.get(key, 0.0) + share
