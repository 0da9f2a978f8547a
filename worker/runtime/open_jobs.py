"""Opens a project for its jobs: settings, state database and connectors, or the reason why nothing can be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from worker.alerts.facts import SETTINGS
from worker.alerts.notify import raise_alerts
from worker.delivery.stop import CancelToken
from worker.language.plural import counted
from worker.pipeline.run import connect_all
from worker.planning.whose_state import refuse_other_project
from worker.runtime.database import open_database
from worker.runtime.job_result import note_failure
from worker.runtime.jobs import Jobs
from worker.settings.environment import project_dir
from worker.settings.problems import ConfigError
from worker.settings.project import Project, load_alerts, load_project
from worker.store.job_results import load_job_results, record_job_result
from worker.store.schedules import DueJob
from worker.store.state import load_playbook_texts
from worker.telemetry.steps import report_step


@contextmanager
def open_jobs(
    project: Path | None = None,
    *,
    stop: CancelToken | None = None,
    owner: str = "",
    notify_admins: bool = False,
    due: DueJob | None = None,
) -> Iterator[Jobs]:
    """Load the settings of a project, open its database and its connectors; closes them afterwards.

    Once ``stop`` is cancelled, a delivery ends after the batch in flight. ``owner`` marks every lease. While the file
    of a playbook is invalid, its last good version runs. With ``notify_admins`` invalid settings raise an alert on the
    channels of config/alerts.yaml. ``due`` is the job that the caller wants to do: an error that prevents it is stored
    with its slot, which is due again later. Raises `ConfigError`, also where the state is of another project,
    `StoreError` and the errors of connectors.
    """
    root = project_dir(project)
    report_step("opening the project")
    settings = _load_settings(root, due, notify_admins=notify_admins)
    with open_database(root) as engine:
        with _failing(engine, due), _reporting(root, notify_admins=notify_admins):
            with engine.begin() as connection:
                refuse_other_project(connection, settings)
                if settings.invalid:
                    settings = load_project(root, load_playbook_texts(connection))
            if notify_admins:
                _report_valid_settings(engine)
            connectors = connect_all(settings, engine)
        try:
            yield Jobs(settings, engine, connectors, stop or CancelToken(), owner)
        finally:
            for connector in connectors.values():
                connector.close()


def _load_settings(root: Path, due: DueJob | None, *, notify_admins: bool) -> Project:
    try:
        with _reporting(root, notify_admins=notify_admins):
            return load_project(root)
    except ConfigError as error:
        if due:
            with open_database(root) as engine:
                note_failure(engine, due, error)
        raise


@contextmanager
def _reporting(root: Path, *, notify_admins: bool) -> Iterator[None]:
    """Raise an alert about settings that keep every job from being done."""
    try:
        yield
    except ConfigError as error:
        if notify_admins:
            _report_invalid_settings(root, error)
        raise


@contextmanager
def _failing(engine: Engine, due: DueJob | None) -> Iterator[None]:
    """Store an error that prevents the job with its slot."""
    try:
        yield
    except Exception as error:
        if due:
            note_failure(engine, due, error)
        raise


def _report_invalid_settings(root: Path, error: ConfigError) -> None:
    with open_database(root) as engine:
        with engine.begin() as connection:
            problem = (
                f"{counted(len(error.problems), 'problem')} in the settings, nothing runs; plgsync check lists them"
            )
            record_job_result(connection, SETTINGS, "run", ConfigError.__name__, problem)
        raise_alerts(engine, load_alerts(root), root, None)


def _report_valid_settings(engine: Engine) -> None:
    """Store that the settings are valid again, if they were invalid."""
    with engine.begin() as connection:
        if any(row["kind"] for row in load_job_results(connection) if row["name"] == SETTINGS):
            record_job_result(connection, SETTINGS, "run")
