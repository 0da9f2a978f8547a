"""One worker process of the tree: does the due jobs of its role until it is stopped."""

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
from connectors.garbage import collect_seldom
from worker.delivery.leases import reclaim_leases
from worker.delivery.stop import CancelToken
from worker.runtime.database import make_ready
from worker.runtime.failures import describe_failure, explain_failure
from worker.runtime.heartbeat import DEAD_AFTER_S, beat_while
from worker.runtime.open_jobs import open_jobs
from worker.runtime.up.parent import die_with_parent
from worker.runtime.up.roles import JOBS, Role, owner_of
from worker.runtime.up.wakeup_pipe import WakeupPipe
from worker.settings.environment import database_url
from worker.settings.problems import ConfigError
from worker.settings.project import load_project
from worker.settings.schedule import Schedule
from worker.store.engine import connect_store
from worker.store.schedules import LONGEST_S, DueJob, reclaim_slots, take_due_now
from worker.telemetry.logs import log_for_machines

log = structlog.get_logger()

POLL_S = 2.0
_KILLED_BY_THEN_S = DEAD_AFTER_S + 10.0
"""Within this time after the last heartbeat the supervisor kills the process."""


class Worker:
    """Looks for due jobs every two seconds, and at once when the pipe wakes it up."""

    def __init__(self, role: Role, project: Path, engine: Engine, wakeup: WakeupPipe, stop: CancelToken) -> None:
        self.role, self.project, self.engine, self.wakeup, self.stop = role, project, engine, wakeup, stop
        self.owner = owner_of(role) if engine.dialect.name == "sqlite" else ""
        self._schedules: dict[str, Schedule] = {}
        self._versions: dict[Path, tuple[int, int]] | None = None
        self._invalid: ConfigError | None = None
        self._job_must_end = float("inf")

    def work(self) -> None:
        """Work until stopped. Work that a killed predecessor had leased comes first."""
        self._reclaim_leases()
        woken = True
        while not self.stop.cancelled:
            self._safely(self._do_due)
            if woken and self.role == "deliver":
                self._safely(self._deliver)
            woken = self.wakeup.wait(POLL_S, self.stop) if self.role == "deliver" else self._pause()

    def is_well(self) -> bool:
        """Whether no job has run for longer than it may."""
        return stopwatch() < self._job_must_end

    def _pause(self) -> bool:
        self.stop.wait(POLL_S)
        return False

    def _reclaim_leases(self) -> None:
        if not self.owner:
            return
        with self.engine.begin() as connection:
            jobs = reclaim_slots(connection, self.owner)
        rows = reclaim_leases(self.engine, self.owner)
        if jobs or rows:
            log.info("leases reclaimed", role=self.role, jobs=jobs, rows=rows)

    def _safely(self, turn: Callable[[], None]) -> None:
        """Log a turn that fails and go on; its work stays in the database and is due again."""
        try:
            turn()
        except Exception as error:  # noqa: BLE001 - a failure of one job must not end the worker
            log.error("turn failed", role=self.role, what=describe_failure(error))
        finally:
            self._job_must_end = float("inf")

    def _do_due(self) -> None:
        for name, schedule in self.schedules().items():
            with self.engine.begin() as connection:
                taken = take_due_now(connection, {name: schedule}, owner=self.owner)
            for due in taken:
                self._do(due)
                if due.job == "run":
                    self.wakeup.notify()
            if self.stop.cancelled:
                return

    def _do(self, due: DueJob) -> None:
        self._job_must_end = stopwatch() + LONGEST_S[due.job] - _KILLED_BY_THEN_S
        log.info("job started", role=self.role, schedule=due.schedule, slot=due.slot)
        with open_jobs(self.project, stop=self.stop, owner=self.owner, notify_admins=True, due=due) as jobs:
            jobs.start(due)
        log.info("job finished", role=self.role, schedule=due.schedule, slot=due.slot)

    def _deliver(self) -> None:
        if not any(schedule.enabled for schedule in self.schedules().values()):
            return
        self._job_must_end = stopwatch() + LONGEST_S["deliver"] - _KILLED_BY_THEN_S
        with open_jobs(self.project, stop=self.stop, owner=self.owner, notify_admins=True) as jobs:
            jobs.deliver(None)

    def schedules(self) -> dict[str, Schedule]:
        """The schedules of this role, loaded again when a file changes; the last good ones while a file is invalid.

        Raises `ConfigError` when no file was valid so far.
        """
        versions = _file_versions(self.project)
        if versions != self._versions:
            self._versions = versions
            self._invalid = self._load()
        if self._invalid and not self._schedules:
            raise ConfigError(self._invalid.problems)
        return self._schedules

    def _load(self) -> ConfigError | None:
        try:
            every = load_project(self.project).schedule.schedules
        except ConfigError as error:
            return error
        self._schedules = {name: one for name, one in every.items() if one.job in JOBS[self.role]}
        return None


def _file_versions(project: Path) -> dict[Path, tuple[int, int]]:
    """Time and size of every file of the settings, to load them only when one has changed."""
    found = {}
    for path in (*project.glob("config/*.yaml"), *project.glob("playbooks/*.yaml")):
        with suppress(FileNotFoundError):
            stat = path.stat()
            found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def main() -> None:
    """``python -m worker.runtime.up.child ROLE --project DIR --parent PID --heartbeat FILE --wakeup FD FD``."""
    parser = argparse.ArgumentParser(prog="python -m worker.runtime.up.child")
    parser.add_argument("role", choices=sorted(JOBS))
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--heartbeat", type=Path, required=True)
    parser.add_argument("--wakeup", type=int, nargs=2, required=True)
    chosen = parser.parse_args()
    die_with_parent(chosen.parent)
    collect_seldom()
    log_for_machines()
    stop = CancelToken()
    _install_signal_handlers(chosen.role, stop)
    try:
        make_ready(chosen.project)
        engine = connect_store(database_url(chosen.project))
        worker = Worker(chosen.role, chosen.project, engine, WakeupPipe(*chosen.wakeup), stop)
        beat_while(chosen.heartbeat, worker.is_well)
        worker.work()
    except Exception as error:
        message = explain_failure(error)
        if message is None:
            raise
        log.error("cannot start", role=chosen.role, reason=message)
        raise SystemExit(1) from None


def _install_signal_handlers(role: Role, stop: CancelToken) -> None:
    """SIGTERM stops a delivery after the batch in flight, and a run at once: nothing of it is stored yet."""

    def end(*_: Any) -> None:
        stop.cancel()
        if role == "compute":
            sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the supervisor sends SIGTERM


if __name__ == "__main__":
    main()
