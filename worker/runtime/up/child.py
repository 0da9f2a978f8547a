"""One working process of the tree: does what is due of its role until it is told to end."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Engine

from connectors.clock import stopwatch
from worker.delivery.leases import reclaim_leases
from worker.delivery.stop import CancelToken
from worker.runtime.failures import describe_failure, explain_failure
from worker.runtime.heartbeat import DEAD_AFTER_S, beat_while
from worker.runtime.jobs import make_ready, open_jobs
from worker.runtime.up.bell import Bell
from worker.runtime.up.parent import die_with_parent
from worker.runtime.up.roles import JOBS, Role, owner_of
from worker.settings.environment import database_url
from worker.settings.problems import ConfigError
from worker.settings.project import load_project
from worker.settings.schedule import Schedule
from worker.store.engine import connect_store, database_moment
from worker.store.schedules import LEASE_S, DueJob, reclaim_slots, take_due
from worker.telemetry.logs import log_for_machines

log = structlog.get_logger()

POLL_S = 2.0
_KILLED_BY_THEN_S = DEAD_AFTER_S + 10.0
"""From the last heartbeat until the supervisor has surely killed us; then the lease may end."""


class Worker:
    """Looks every two seconds what is due, and at once when the bell rings."""

    def __init__(self, role: Role, project: Path, engine: Engine, bell: Bell, stop: CancelToken) -> None:
        self.role, self.project, self.engine, self.bell, self.stop = role, project, engine, bell, stop
        self.owner = owner_of(role) if engine.dialect.name == "sqlite" else ""
        self._schedules: dict[str, Schedule] = {}
        self._seen = -1.0
        self._job_must_end = float("inf")

    def work(self) -> None:
        """Go on until told to stop. What a predecessor had begun goes on first."""
        self._take_back()
        woken = True
        while not self.stop.cancelled:
            self._safely(self._do_due)
            if woken and self.role == "deliver":
                self._safely(self._deliver)
            woken = self.bell.rings_within(POLL_S, self.stop) if self.role == "deliver" else self._pause()

    def is_well(self) -> bool:
        """Whether the job under way, if there is one, has not hung."""
        return stopwatch() < self._job_must_end

    def _pause(self) -> bool:
        self.stop.wait(POLL_S)
        return False

    def _take_back(self) -> None:
        if not self.owner:
            return
        with self.engine.begin() as connection:
            jobs = reclaim_slots(connection, self.owner)
        rows = reclaim_leases(self.engine, self.owner)
        if jobs or rows:
            log.info("taken back from a process that died", role=self.role, jobs=jobs, rows=rows)

    def _safely(self, turn: Callable[[], None]) -> None:
        """A turn that breaks is said, and the next one tried; what it was about stands in the database."""
        try:
            turn()
        except Exception as error:  # noqa: BLE001 - a worker goes on, whatever one job does
            log.error("turn failed", role=self.role, what=describe_failure(error))
        finally:
            self._job_must_end = float("inf")

    def _do_due(self) -> None:
        for name, schedule in self.schedules().items():
            with self.engine.begin() as connection:
                taken = take_due(connection, {name: schedule}, database_moment(connection), owner=self.owner)
            for due in taken:
                self._do(due)
                if due.job == "run":
                    self.bell.ring()
            if self.stop.cancelled:
                return

    def _do(self, due: DueJob) -> None:
        self._job_must_end = stopwatch() + LEASE_S[due.job] - _KILLED_BY_THEN_S
        log.info("job begins", role=self.role, schedule=due.schedule, slot=due.slot)
        with (
            suppress(ConfigError),
            open_jobs(self.project, stop=self.stop, owner=self.owner, tell=True, due=due) as jobs,
        ):
            jobs.start(due)
        log.info("job ended", role=self.role, schedule=due.schedule, slot=due.slot)

    def _deliver(self) -> None:
        if not any(schedule.enabled for schedule in self.schedules().values()):
            return
        self._job_must_end = stopwatch() + LEASE_S["deliver"] - _KILLED_BY_THEN_S
        with open_jobs(self.project, stop=self.stop, owner=self.owner, tell=True) as jobs:
            jobs.deliver(None)

    def schedules(self) -> dict[str, Schedule]:
        """The schedules of this role, read again when their file changes; while they cannot be, the last good ones.

        Raises `ConfigError` where there are none yet.
        """
        changed = (self.project / "config" / "schedule.yaml").stat().st_mtime
        if changed != self._seen:
            try:
                every = load_project(self.project).schedule.schedules
            except ConfigError:
                if not self._schedules:
                    raise
                return self._schedules
            self._schedules = {name: one for name, one in every.items() if one.job in JOBS[self.role]}
            self._seen = changed
        return self._schedules


def main() -> None:
    """``python -m worker.runtime.up.child ROLE --project DIR --parent PID --heartbeat FILE --bell FD FD``."""
    parser = argparse.ArgumentParser(prog="python -m worker.runtime.up.child")
    parser.add_argument("role", choices=sorted(JOBS))
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--heartbeat", type=Path, required=True)
    parser.add_argument("--bell", type=int, nargs=2, required=True)
    chosen = parser.parse_args()
    die_with_parent(chosen.parent)
    log_for_machines()
    stop = CancelToken()
    _heed_signals(chosen.role, stop)
    try:
        make_ready(chosen.project)
        engine = connect_store(database_url(chosen.project))
        worker = Worker(chosen.role, chosen.project, engine, Bell(*chosen.bell), stop)
        beat_while(chosen.heartbeat, worker.is_well)
        worker.work()
    except Exception as error:
        message = explain_failure(error)
        if message is None:
            raise
        log.error("cannot work", role=chosen.role, reason=message)
        raise SystemExit(1) from None


def _heed_signals(role: Role, stop: CancelToken) -> None:
    """SIGTERM ends a delivery after the batch under way, and a run, of which nothing is kept yet, where it stands."""

    def end(*_: Any) -> None:
        stop.cancel()
        if role == "compute":
            sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor tells us


if __name__ == "__main__":
    main()
