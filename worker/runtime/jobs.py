"""The scheduled jobs as plain functions, shared by Celery, ``plgsync up`` and ``plgsync tick``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Engine

from connectors.base import Connector
from connectors.clock import stopwatch
from worker.alerts.notify import raise_alerts
from worker.delivery.side_by_side import deliver_all
from worker.delivery.stop import CancelToken
from worker.pipeline import run as pipeline
from worker.planning.lost_state import refuse_to_deliver, refuse_unadopted
from worker.runtime.job_result import JobResult, finishing, for_operator
from worker.settings.project import Project
from worker.settings.schedule import Schedule
from worker.store.engine import database_moment, look_through
from worker.store.job_results import load_job_results
from worker.store.lock import Busy, StillLocked, exclusive_run
from worker.store.retention import prune
from worker.store.schedules import DueJob, next_due, put_off, release_slot, take_due_now
from worker.telemetry.steps import report_step

log = structlog.get_logger()

_DRAIN_S = 60.0
"""A delivery stops after this time, well before the time limits of `worker.app`."""
_BUSY_S = 30.0
_BREATH_S = 0.02  # between two batches of old rows, so that on SQLite a delivery that waits gets its turn


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of one project, with its settings, database and connectors."""

    project: Project
    engine: Engine
    connectors: Mapping[str, Connector]
    stop: CancelToken = field(default_factory=CancelToken)
    owner: str = ""

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        return self.project.schedule.schedules

    def take_due(self, name: str = "") -> list[DueJob]:
        """Lease the jobs that are due now, or that of one schedule; the caller has to do them."""
        wanted = {name: self.schedules[name]} if name else self.schedules
        with self.engine.begin() as connection:
            return take_due_now(connection, wanted, owner=self.owner)

    @property
    def delivers(self) -> bool:
        """Whether a schedule for deliveries is on; without one nothing is sent."""
        return any(one.enabled and one.job == "deliver" for one in self.schedules.values())

    def release_slots(self, undone: Iterable[DueJob]) -> None:
        """Make jobs that no worker took due again at once."""
        for due in undone:
            with self.engine.begin() as connection:
                release_slot(connection, due)

    def start(self, due: DueJob) -> None:
        """Do one due job here and now."""
        work = {"run": self.compute, "deliver": self.deliver, "read_back": self.read_back, "prune": self.prune}
        work[due.job](due)

    def do_due(self) -> list[DueJob]:
        """Do every due job in this process. A job that fails does not stop the others; its error is raised last.

        Each is leased when its turn comes, so that another process may do it meanwhile.
        """
        broken: Exception | None = None
        done: list[DueJob] = []
        for name in sorted(self.schedules):
            for due in self.take_due(name):
                done.append(due)
                try:
                    self.start(due)
                except Exception as error:  # noqa: BLE001 - raised below, once the others are done
                    broken = broken or error
        if broken:
            raise broken
        return done

    def failures(self, done: Iterable[DueJob]) -> list[str]:
        """Of the jobs that were done just now, those that failed, each with the reason as far as it may be shown."""
        names = {due.schedule for due in done}
        with self.engine.begin() as connection:
            failed = [row for row in load_job_results(connection) if row["kind"] and row["name"] in names]
        return [f"{row['name']}: {row['problem'] or row['kind']}" for row in failed]

    def next_due(self) -> tuple[str, datetime] | None:
        """The schedule that is due next, and when in UTC by the database's clock; None when every one is off."""
        with self.engine.begin() as connection:
            following = next_due(connection, self.schedules, database_moment(connection))
        return min(following.items(), key=_by_time, default=None)

    def compute(self, due: DueJob | None) -> None:
        """Fill the outbox as of now. An error on which an operator acts is logged and stored, and ends the slot.

        While another run is in progress it does nothing: the slot may be of that run, and is due again if it is not.
        """
        try:
            with (
                structlog.contextvars.bound_contextvars(run_id=pipeline.new_run_id()),
                exclusive_run(self.engine) as still_locked,
                finishing(self.engine, due, "run") as result,
            ):
                if result.due:
                    self._compute(result, still_locked)
        except Busy as error:
            log.info("not computed", reason=str(error))
            if due:
                with self.engine.begin() as connection:
                    put_off(connection, due, _BUSY_S)
        finally:
            self.update_alerts()

    def _compute(self, result: JobResult, still_locked: StillLocked) -> None:
        with for_operator(result, "nothing queued"):
            pipeline.compute_and_commit(
                self.project,
                self.engine,
                self.connectors,
                self._moment().replace(microsecond=0),
                run_id=structlog.contextvars.get_contextvars()["run_id"],
                still_locked=still_locked,
            )

    def _moment(self) -> datetime:
        """The present by the database's clock, which is the same for every worker."""
        with self.engine.begin() as connection:
            return database_moment(connection)

    def deliver(self, due: DueJob | None) -> None:
        """Send what is due to every destination in parallel, for a minute at most."""
        with finishing(self.engine, due, "deliver") as result, for_operator(result, "nothing sent"):
            with self.engine.begin() as connection:
                refuse_to_deliver(connection)
            deliveries = deliver_all(
                self.engine, self.connectors, now=self._moment, stop=self.stop, owner=self.owner, at_most_s=_DRAIN_S
            )
            result.trouble = _joined({one.destination: one.stopped for one in deliveries if one.stopped})
        self.update_alerts()  # after the slot has ended, so that a channel that is down does not delay it

    def read_back(self, due: DueJob | None) -> None:
        """Store what people changed in the CRMs since the last read-back."""
        with finishing(self.engine, due, "read_back") as result:
            if not result.due:
                return
            try:
                with exclusive_run(self.engine), for_operator(result, "not read back"):
                    with self.engine.begin() as connection:
                        refuse_unadopted(connection)
                    result.trouble = _joined(
                        pipeline.read_back(self.project, self.engine, self.connectors, self._moment())
                    )
            except Busy:
                log.info("not read back", reason="a run is in progress; it reads back too")

    def prune(self, due: DueJob | None) -> None:
        """Remove what is old from the state database, for a minute at most; what is left then goes the next time.

        A damaged SQLite file is the failure of this job, and nothing is removed.
        """
        until = stopwatch() + _DRAIN_S

        def goes_on() -> bool:
            self.stop.wait(_BREATH_S)
            return not self.stop.cancelled and stopwatch() < until

        with finishing(self.engine, due, "prune") as result:
            if not result.due:
                return
            with for_operator(result, "not pruned"):
                look_through(self.engine.url)
                removed = prune(self.engine, self.project.schedule.retention, goes_on)
                log.info("pruned", rows=removed)

    def update_alerts(self) -> None:
        """Open and close alerts and send their messages, as config/alerts.yaml says. Never raises because of a channel.

        A worker that is stopping leaves this to the next job.
        """
        if self.stop.cancelled:
            return
        report_step("updating the alerts")
        raise_alerts(self.engine, self.project.alerts, self.project.root, self.project)


def _by_time(slot: tuple[str, datetime]) -> datetime:
    return slot[1]


def _joined(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {problem}" for name, problem in problems.items())
