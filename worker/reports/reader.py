"""What every report opens: the state database, and the settings as far as they can be read. No connector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from worker.settings.alerts import AlertSettings
from worker.settings.environment import database_url, project_dir
from worker.settings.problems import ConfigError
from worker.settings.project import Project, load_alerts, load_project
from worker.store.engine import open_store, parse_url, read_store
from worker.store.state import load_playbook_texts


@dataclass(frozen=True, slots=True)
class Reader:
    """A state database, and the settings beside it or the problem with them.

    ``project`` is None while the settings are invalid; ``problem`` then says so in one line. A report shows what the
    store holds all the same.
    """

    engine: Engine
    project: Project | None
    alerts: AlertSettings
    problem: str = ""


@contextmanager
def open_reader(option: Path | None = None, *, to_change: bool = False) -> Iterator[Reader]:
    """Open a project for reports, or ``to_change`` rows of the outbox; closes the database afterwards.

    Raises `StoreError`, and `ConfigError` where there is neither a valid project nor a state database.
    """
    root = project_dir(option)
    try:
        project, error = load_project(root), None
    except ConfigError as invalid:
        project, error = None, invalid
    url = database_url(root)
    if error and not _exists(url):
        raise error
    engine = open_store(url) if to_change else read_store(url)
    try:
        if error:
            yield Reader(engine, None, load_alerts(root), _in_one_line(error))
        elif project:
            project = load_project(root, _last_good(engine)) if project.invalid else project
            yield Reader(engine, project, project.alerts)
    finally:
        engine.dispose()


def _exists(url: str) -> bool:
    """Whether there may be a database; a server is asked when it is opened."""
    parsed = parse_url(url)
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").exists()


def _last_good(engine: Engine) -> Mapping[str, str]:
    with engine.begin() as connection:
        return load_playbook_texts(connection)


def _in_one_line(error: ConfigError) -> str:
    count, first = len(error.problems), error.problems[0]
    where = f"{first.file}:{first.line}: {' '.join(first.message.split())}"
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"the settings are invalid and nothing runs: {where}{more}; plgsync check --offline shows all"
