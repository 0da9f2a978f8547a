"""The scheduled jobs as plain functions: the same for Celery, for ``plgsync tick`` and for cron."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Engine

from connectors.base import AccessDenied, Connector, QuotaExhausted, Unavailable
from worker import pipeline
from worker.alerts.facts import SETTINGS
from worker.alerts.raising import raise_alerts
from worker.computing import BackInTime
from worker.delivery.guard import UnsafePlan
from worker.pipeline import PlanMoved
from worker.settings.clock import now, stopwatch
from worker.settings.environment import database_url, project_dir
from worker.settings.problems import ConfigError
from worker.settings.project import Project, load_alerts, load_project
from worker.signals.errors import SourceError, StaleData
from worker.store.endings import load_endings, note_ending
from worker.store.engine import open_store
from worker.store.lock import Busy, exclusive_run
from worker.store.schedules import DueJob, finish, give_back, is_over, take_due

log = structlog.get_logger()

_OPERATOR_ACTS = (UnsafePlan, StaleData, SourceError, BackInTime)
_SAID = (UnsafePlan, StaleData, BackInTime, PlanMoved, Busy, AccessDenied, QuotaExhausted, Unavailable)
"""Errors whose words hold counts, names of fields and of CRMs, and never a value."""
_DRAIN_S = 60.0
"""A delivery stops by itself after this long, far from the time limits of `worker.app`."""
_BUSY_S = 30.0


@contextmanager
def open_jobs(project: Path | None = None, *, tell: bool = False) -> Iterator[Jobs]:
    """The jobs of one project, with its settings freshly read; connections are closed afterwards.

    ``tell``: nobody looks on, so settings that cannot be read are told to the channels of config/alerts.yaml.
    """
    root = project_dir(project)
    try:
        settings = load_project(root)
    except ConfigError as error:
        if tell:
            _tell_of_settings(root, error)
        raise
    engine = open_store(database_url(root))
    if tell:
        _settings_are_right(engine)
    connectors = pipeline.connect_all(settings, engine)
    try:
        yield Jobs(settings, engine, connectors)
    finally:
        for connector in connectors.values():
            connector.close()
        engine.dispose()


def _tell_of_settings(root: Path, error: ConfigError) -> None:
    engine = open_store(database_url(root))
    with engine.begin() as connection:
        problem = f"{len(error.problems)} problems in the settings, nothing runs; plgsync check shows them"
        note_ending(connection, SETTINGS, "run", ConfigError.__name__, problem)
    raise_alerts(engine, load_alerts(root), root, None)
    engine.dispose()


def _settings_are_right(engine: Engine) -> None:
    """The settings can be read again, if they could not before."""
    with engine.begin() as connection:
        if any(row["kind"] for row in load_endings(connection) if row["name"] == SETTINGS):
            note_ending(connection, SETTINGS, "run")


@dataclass(slots=True)
class Ending:
    """How a job ends. ``wanted``: it has still to be done; ``kind`` and ``problem`` are empty when all went well."""

    wanted: bool = True
    kind: str = ""
    problem: str = ""

    def failed(self, error: BaseException) -> None:
        """Keep what went wrong; the words of an error that is not one of ours may hold values, and are left out."""
        self.kind = next((kind.__name__ for kind in type(error).__mro__ if kind in _SAID), type(error).__name__)
        self.problem = str(error) if isinstance(error, _SAID) else ""


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
        """Fill the outbox as of now; what an operator has to decide is logged, noted and ends the slot.

        While another run is under way nothing is done: the slot may be that run's own, and comes again if it is not.
        """
        try:
            with (
                structlog.contextvars.bound_contextvars(run_id=pipeline.new_run_id()),
                exclusive_run(self.engine),
                self._ending(due, "run") as ending,
            ):
                if ending.wanted:
                    self._compute(ending)
        except Busy as error:
            log.info("not computed", reason=str(error))
            if due:
                with self.engine.begin() as connection:
                    give_back(connection, due, after_s=_BUSY_S)
        finally:
            self.watch()

    def _compute(self, ending: Ending) -> None:
        try:
            pipeline.compute_and_commit(
                self.project,
                self.engine,
                self.connectors,
                now().replace(microsecond=0),
                run_id=structlog.contextvars.get_contextvars()["run_id"],
            )
        except _OPERATOR_ACTS as error:
            ending.failed(error)
            log.error("nothing queued", reason=str(error), kind=type(error).__name__)

    def deliver(self, due: DueJob | None) -> None:
        """Send what is due, to every destination side by side, for a minute at most."""
        started = stopwatch()
        with self._ending(due, "deliver"):
            pipeline.deliver_all(
                self.engine,
                self.connectors,
                now=now,
                wait=time.sleep,
                go_on=lambda: stopwatch() - started < _DRAIN_S,
            )
        self.watch()  # after the slot has ended: a channel that is down must not hold it up

    def read_back(self, due: DueJob | None) -> None:
        """Store what people changed in the CRMs since the last look."""
        with self._ending(due, "read_back") as ending:
            if not ending.wanted:
                return
            try:
                with exclusive_run(self.engine):
                    pipeline.read_back(self.project, self.engine, self.connectors, now())
            except Busy:
                log.info("not read back", reason="a run is under way, and it reads back itself")

    def watch(self) -> None:
        """Tell people what has begun and what is over, as config/alerts.yaml says; never stops the work."""
        raise_alerts(self.engine, self.project.alerts, self.project.root, self.project)

    @contextmanager
    def noting(self, name: str, job: str) -> Iterator[Ending]:
        """Note how some work ends, also when it raises, and watch what follows from it."""
        ending = Ending()
        try:
            yield ending
        except BaseException as error:
            ending.wanted &= isinstance(error, Exception)  # a person who stops it knows that it did not end
            ending.failed(error)
            raise
        finally:
            if ending.wanted:
                with self.engine.begin() as connection:
                    note_ending(connection, name, job, ending.kind, ending.problem)

    @contextmanager
    def _ending(self, due: DueJob | None, job: str) -> Iterator[Ending]:
        """Ends the slot of a job once it is done; says whether it has still to be done."""
        with self.noting(due.schedule if due else job, job) as ending:
            if due is None:
                yield ending
                return
            with self.engine.begin() as connection:
                ending.wanted = not is_over(connection, due)
            yield ending
            with self.engine.begin() as connection:
                finish(connection, due)
