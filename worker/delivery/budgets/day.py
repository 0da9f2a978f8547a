"""A CRM's day: how much of it is spent, by us and by others, and who may still spend.

The CRM's own number, which every answer carries, is what counts; it includes other apps. We stop at a share of the
limit (80 %) so that they have the rest, and at ``daily`` calls of our own where the operator sets one. Fields may use
nine tenths of either: the last tenth is kept for tasks, and for reading what they need. Among tasks the outbox sends
the highest rank first, so what is left over when the day ends is what mattered least.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import QuotaExhausted, Told
from worker.delivery.budgets.purpose import Purpose
from worker.settings.crm import Quota
from worker.store.calls import DayTold, For, add_calls, calls_since, day_start, day_told, note_day
from worker.store.engine import database_time, transact

log = structlog.get_logger()

FIELDS_SHARE = 0.9
"""Of what may be spent, so much may go into fields; the rest is kept for tasks."""
MEMORY_S = 600.0
"""So long a reading of a rolling day holds: the highest one, since Salesforce's count wavers between its servers."""
PAUSE = timedelta(minutes=15)
"""A rolling day is looked at again after this long, which is longer than a reading holds."""
WRITE_EVERY_CALLS = 20
WRITE_EVERY_S = 5.0


class Day:
    """One destination's day. Safe between threads.

    Calls are counted here and written down every few seconds; a process that is killed leaves at most
    `WRITE_EVERY_CALLS` uncounted, and the CRM's number has them. A database that is away stops no call.
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
        self._quota = quota
        self._now = now
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._told: DayTold | None = None
        self._told_at = 0.0
        self._heard = False
        self._ours = 0.0
        self._unwritten: dict[For, float] = {}
        self._refused: dict[For, float] = {}
        self._written_at: float | None = None

    def check(self, purpose: Purpose) -> None:
        """Raises `QuotaExhausted` when nothing more may be spent on this today."""
        with self._lock:
            self._write_down_if_time()
            if purpose.begun:
                return
            part = FIELDS_SHARE if purpose.kind == "fields" else 1.0
            told = self._standing()
            spent = self._spent_up(part, told)
            if spent:
                kept = "" if part == 1.0 or self._spent_up(1.0, told) else "; the rest is kept for tasks"
                raise QuotaExhausted(spent + kept, told.ends if told and told.ends else self._now() + PAUSE)
            purpose.begun = True

    def count(self, purpose: Purpose) -> None:
        """One call starts."""
        with self._lock:
            _add(self._unwritten, purpose)

    def count_refused(self, purpose: Purpose) -> None:
        """The CRM called one of the calls too fast."""
        with self._lock:
            _add(self._refused, purpose)

    def learn(self, told: Told) -> None:
        """Take what the CRM says of its day."""
        if told.day_limit is None and told.day_ends is None:
            return
        with self._lock:
            self._take(DayTold(told.day_limit, told.day_used, told.day_ends), self._stopwatch())
            self._heard = True

    def write_down(self) -> None:
        """Put what is known into the database, and take from there what other workers know."""
        with self._lock:
            self._write_down()

    def _spent_up(self, part: float, told: DayTold | None) -> str:
        """Which limit is reached, in words; empty when none is."""
        quota = self._quota
        limit, used = (told.limit, told.used) if told else (None, None)
        if limit is not None and used is not None and used >= round(part * quota.share * limit):
            return f"{used:,} of the CRM's {limit:,} daily calls are used, and our share is {quota.share:.0%}"
        ours = self._ours + sum(self._unwritten.values())
        if quota.daily is not None and ours >= round(part * quota.daily):
            return f"{ours:,.0f} of our own {quota.daily:,} daily calls are used"
        return ""

    def _standing(self) -> DayTold | None:
        """What was told, while it holds."""
        told = self._told
        if told is None:
            return None
        if told.ends is not None:
            return told if told.ends > self._now() else None
        return told if self._stopwatch() - self._told_at < MEMORY_S else None

    def _take(self, told: DayTold, at: float) -> None:
        """The newest reading counts; of a rolling day the highest of those that hold.

        An answer need not tell of the count (a proxy's own, say): such a one leaves what is known of the same day.
        """
        standing = self._standing()
        if standing and standing.ends == told.ends and (standing.used is None) != (told.used is None):
            if standing.used is None:
                self._told, self._told_at = told, at
        elif standing and standing.ends is None and told.ends is None and (standing.used or 0) > (told.used or 0):
            self._told = DayTold(told.limit, standing.used, None)
        elif standing is None or at >= self._told_at:
            self._told, self._told_at = told, at

    # ------------------------------------------------------------------ the database

    def _write_down_if_time(self) -> None:
        waited = None if self._written_at is None else self._stopwatch() - self._written_at
        if waited is None or waited >= WRITE_EVERY_S or sum(self._unwritten.values()) >= WRITE_EVERY_CALLS:
            self._write_down()

    def _write_down(self) -> None:
        self._written_at = self._stopwatch()
        try:
            transact(self._engine, self._exchange)
        except SQLAlchemyError as error:
            log.warning("calls not counted yet", destination=self._destination, problem=type(error).__name__)
            return
        self._unwritten, self._refused = {}, {}
        self._heard = False

    def _exchange(self, connection: Connection) -> None:
        if self._unwritten or self._refused:
            add_calls(connection, self._destination, self._unwritten, self._refused)
        if found := day_told(connection, self._destination):
            others, age_s = found
            self._take(others, self._stopwatch() - age_s)
        if self._heard and self._told:
            note_day(connection, self._destination, self._told, self._stopwatch() - self._told_at)
        ends = self._told.ends if self._told else None
        since = day_start(database_time(connection), ends.timestamp() if ends else None)
        self._ours = sum(calls_since(connection, self._destination, since).values())


def _add(counts: dict[For, float], purpose: Purpose) -> None:
    for playbook, share in purpose.parts.items():
        key = (purpose.kind, playbook)
        counts[key] = counts.get(key, 0.0) + share
