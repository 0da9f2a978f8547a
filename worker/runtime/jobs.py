"""The scheduled jobs as plain functions: the same for Celery, for ``plgsync tick`` and for cron."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from connectors.base import Connector
from connectors.clock import now
from worker.alerts.facts import SETTINGS
from worker.alerts.notify import raise_alerts
from worker.delivery.stop import CancelToken
from worker.pipeline import run as pipeline
from worker.pipeline.compute import AsOfTooOld
from worker.planning.guard import UnsafePlan
from worker.runtime.job_result import Ending, note_failure
from worker.settings.environment import database_url, project_dir
from worker.settings.problems import ConfigError
from worker.settings.project import Project, load_alerts, load_project
from worker.signals.errors import SourceError, StaleData
from worker.store.engine import connect_store, database_moment, open_store
from worker.store.job_results import load_job_results, record_job_result
from worker.store.lock import Busy, exclusive_run
from worker.store.schedules import DueJob, finish, is_over, release_slot, take_due
from worker.store.state import load_playbook_texts

log = structlog.get_logger()

_OPERATOR_ACTS = (UnsafePlan, StaleData, SourceError, AsOfTooOld)
_DRAIN_S = 60.0
"""A delivery stops by itself after this long, far from the time limits of `worker.app`."""
_BUSY_S = 30.0


_looked_at: set[str] = set()


def make_ready(project: Path) -> None:
    """Bring the state database up to date once, when a worker starts; from then on this process takes it as it is.

    Processes forked from this one do too, so that a running worker goes on while the next version upgrades.
    Raises `StoreError`: on a newer schema no worker starts.
    """
    url = database_url(project)
    open_store(url).dispose()
    _looked_at.add(url)


@contextmanager
def open_jobs(
    project: Path | None = None,
    *,
    stop: CancelToken | None = None,
    owner: str = "",
    tell: bool = False,
    due: DueJob | None = None,
) -> Iterator[Jobs]:
    """The jobs of one project, with its settings freshly read; connections are closed afterwards.

    Once ``stop`` is cancelled, deliveries end after the batch under way. Every lease is marked with ``owner``.
    Of a playbook whose file is wrong the version that ran last keeps running.
    ``tell``: nobody looks on, so settings that cannot be read are told to the channels of config/alerts.yaml.
    ``due`` is the job it is opened for: what prevents that is kept with its slot, which comes again.
    """
    root = project_dir(project)
    try:
        settings = load_project(root)
    except ConfigError as error:
        if tell:
            _tell_of_settings(root, error)
        if due:
            engine = _open_store(root)
            note_failure(engine, due, error)
            engine.dispose()
        raise
    engine = _open_store(root)
    try:
        if settings.invalid:
            with engine.begin() as connection:
                settings = load_project(root, load_playbook_texts(connection))
        if tell:
            _settings_are_right(engine)
        connectors = pipeline.connect_all(settings, engine)
    except Exception as error:
        if due:
            note_failure(engine, due, error)
        engine.dispose()
        raise
    try:
        yield Jobs(settings, engine, connectors, stop or CancelToken(), owner)
    finally:
        for connector in connectors.values():
            connector.close()
        engine.dispose()


def _open_store(root: Path) -> Engine:
    url = database_url(root)
    return connect_store(url) if url in _looked_at else open_store(url)


def _tell_of_settings(root: Path, error: ConfigError) -> None:
    engine = _open_store(root)
    with engine.begin() as connection:
        problem = f"{len(error.problems)} problems in the settings, nothing runs; plgsync check shows them"
        record_job_result(connection, SETTINGS, "run", ConfigError.__name__, problem)
    raise_alerts(engine, load_alerts(root), root, None)
    engine.dispose()


def _settings_are_right(engine: Engine) -> None:
    """The settings can be read again, if they could not before."""
    with engine.begin() as connection:
        if any(row["kind"] for row in load_job_results(connection) if row["name"] == SETTINGS):
            record_job_result(connection, SETTINGS, "run")


@dataclass(frozen=True, slots=True)
class Jobs:
    """One project's work, ready to start."""

    project: Project
    engine: Engine
    connectors: Mapping[str, Connector]
    stop: CancelToken = field(default_factory=CancelToken)
    owner: str = ""

    def take_due(self) -> list[DueJob]:
        """The jobs that are due now and now ours to do."""
        with self.engine.begin() as connection:
            return take_due(connection, self.project.schedule.schedules, database_moment(connection), owner=self.owner)

    @property
    def delivers(self) -> bool:
        """Whether anything is sent at all: without a schedule for it, nothing is."""
        return any(one.enabled and one.job == "deliver" for one in self.project.schedule.schedules.values())

    def give_back(self, undone: Iterable[DueJob]) -> None:
        """Let jobs that could not be handed to anybody be due again at once."""
        for due in undone:
            with self.engine.begin() as connection:
                release_slot(connection, due)

    def start(self, due: DueJob) -> None:
        """Do one due job here and now."""
        {"run": self.compute, "deliver": self.deliver, "read_back": self.read_back}[due.job](due)

    def do_due(self) -> list[DueJob]:
        """Do every job that is due, here and now; one that breaks holds up none of the others, and is raised last."""
        broken: Exception | None = None
        taken = self.take_due()
        for place, due in enumerate(taken):
            try:
                self.start(due)
            except Exception as error:  # noqa: BLE001 - raised below, once the others are done
                broken = broken or error
            except BaseException:
                self.give_back(taken[place + 1 :])
                raise
        if broken:
            raise broken
        return taken

    def next_due(self) -> tuple[str, datetime] | None:
        """The schedule that comes next, and when; None when every one is off."""
        moment = now()
        enabled = {name: one for name, one in self.project.schedule.schedules.items() if one.enabled}
        return min(((name, one.next_slot(moment)) for name, one in enabled.items()), key=_by_time, default=None)

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
                    release_slot(connection, due, after_s=_BUSY_S)
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
            ending.trouble = f"{type(error).__name__}: {error}"

    def deliver(self, due: DueJob | None) -> None:
        """Send what is due, to every destination side by side, for a minute at most."""
        with self._ending(due, "deliver") as ending:
            deliveries = pipeline.deliver_all(
                self.engine, self.connectors, now=now, stop=self.stop, owner=self.owner, at_most_s=_DRAIN_S
            )
            ending.trouble = _said({one.destination: one.stopped for one in deliveries if one.stopped})
        self.watch()  # after the slot has ended: a channel that is down must not hold it up

    def read_back(self, due: DueJob | None) -> None:
        """Store what people changed in the CRMs since the last look."""
        with self._ending(due, "read_back") as ending:
            if not ending.wanted:
                return
            try:
                with exclusive_run(self.engine):
                    ending.trouble = _said(pipeline.read_back(self.project, self.engine, self.connectors, now()))
            except Busy:
                log.info("not read back", reason="a run is under way, and it reads back itself")

    def watch(self) -> None:
        """Tell people what has begun and what is over, as config/alerts.yaml says; never stops the work.

        A worker that is told to end leaves it to whoever watches next.
        """
        if self.stop.cancelled:
            return
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
            if ending.wanted:  # a database that is away has broken the work itself, and only hears of it later
                with suppress(DBAPIError), self.engine.begin() as connection:
                    record_job_result(connection, name, job, ending.kind, ending.problem)

    @contextmanager
    def _ending(self, due: DueJob | None, job: str) -> Iterator[Ending]:
        """Ends the slot of a job once it is done. One that breaks is done again later, and that is said and kept."""
        with self.noting(due.schedule if due else job, job) as ending:
            if due is None:
                yield ending
                return
            try:
                with self.engine.begin() as connection:
                    ending.wanted = not is_over(connection, due)
                yield ending
            except Exception as error:
                note_failure(self.engine, due, error)
                raise
            except BaseException:  # told to end: whoever comes next begins at once
                self.give_back([due])
                raise
            with self.engine.begin() as connection:
                if ending.wanted:
                    finish(connection, due, trouble=ending.trouble)
                else:
                    release_slot(connection, due)


def _by_time(slot: tuple[str, datetime]) -> datetime:
    return slot[1]


def _said(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {problem}" for name, problem in problems.items())
