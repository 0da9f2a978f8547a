"""The scheduled jobs as plain functions: the same for Celery, for ``plgsync tick`` and for cron."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Engine

from connectors.base import Connector
from worker import pipeline
from worker.computing import BackInTime
from worker.delivery.guard import UnsafePlan
from worker.settings.clock import now, stopwatch
from worker.settings.environment import database_url, project_dir
from worker.settings.project import Project, load_project
from worker.signals.errors import SourceError, StaleData
from worker.store.engine import open_store
from worker.store.lock import Busy, exclusive_run
from worker.store.schedules import DueJob, finish, give_back, is_over, take_due

log = structlog.get_logger()

_OPERATOR_ACTS = (UnsafePlan, StaleData, SourceError, BackInTime)
_DRAIN_S = 60.0
"""A delivery stops by itself after this long, far from the time limits of `worker.app`."""
_BUSY_S = 30.0


@contextmanager
def open_jobs(project: Path | None = None) -> Iterator[Jobs]:
    """The jobs of one project, with its settings freshly read; connections are closed afterwards."""
    root = project_dir(project)
    settings = load_project(root)
    engine = open_store(database_url(root))
    connectors = pipeline.connect_all(settings, engine)
    try:
        yield Jobs(settings, engine, connectors)
    finally:
        for connector in connectors.values():
            connector.close()
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Jobs:
    """One project's work, ready to start."""

    project: Project
    engine: Engine
    connectors: Mapping[str, Connector]

    def take_due(self) -> list[DueJob]:
        """The jobs that are due now and now ours to do."""
        with self.engine.begin() as connection:
            return take_due(connection, self.project.schedule.schedules, now())

    def give_back(self, undone: Iterable[DueJob]) -> None:
        """Let jobs that could not be handed to anybody be due again at once."""
        for due in undone:
            with self.engine.begin() as connection:
                give_back(connection, due)

    def start(self, due: DueJob) -> None:
        """Do one due job here and now."""
        {"run": self.compute, "deliver": self.deliver, "read_back": self.read_back}[due.job](due)

    def compute(self, due: DueJob | None) -> None:
        """Fill the outbox as of now; what an operator has to decide is logged and ends the slot.

        While another run is under way nothing is done: the slot may be that run's own, and comes again if it is not.
        """
        try:
            with exclusive_run(self.engine), self._ending(due) as wanted:
                if wanted:
                    self._compute()
        except Busy as error:
            log.info("not computed", reason=str(error))
            if due:
                with self.engine.begin() as connection:
                    give_back(connection, due, after_s=_BUSY_S)

    def _compute(self) -> None:
        try:
            pipeline.compute_and_commit(self.project, self.engine, self.connectors, now().replace(microsecond=0))
        except _OPERATOR_ACTS as error:
            log.error("nothing queued", reason=str(error), kind=type(error).__name__)

    def deliver(self, due: DueJob | None) -> None:
        """Send what is due, to every destination side by side, for a minute at most."""
        started = stopwatch()
        with self._ending(due):
            pipeline.deliver_all(
                self.engine,
                self.connectors,
                now=now,
                wait=time.sleep,
                go_on=lambda: stopwatch() - started < _DRAIN_S,
            )

    def read_back(self, due: DueJob | None) -> None:
        """Store what people changed in the CRMs since the last look."""
        with self._ending(due) as wanted:
            if not wanted:
                return
            try:
                with exclusive_run(self.engine):
                    pipeline.read_back(self.project, self.engine, self.connectors, now())
            except Busy:
                log.info("not read back", reason="a run is under way, and it reads back itself")

    @contextmanager
    def _ending(self, due: DueJob | None) -> Iterator[bool]:
        """Ends the slot of a job once it is done; answers whether it has still to be done."""
        if due is None:
            yield True
            return
        with self.engine.begin() as connection:
            over = is_over(connection, due)
        yield not over
        with self.engine.begin() as connection:
            finish(connection, due)
