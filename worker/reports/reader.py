"""What every report opens: the state database, and the settings as far as they can be read. No connector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from worker.settings.alerts import AlertSettings
from worker.settings.environment import database_url, project_dir
from worker.settings.problems import ConfigError, Problem
from worker.settings.project import Project, load_alerts, load_project
from worker.store.engine import database_exists, open_store, read_store
from worker.store.marks import refuse_moved
from worker.store.state import load_playbook_texts
from worker.telemetry.steps import report_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A state database, and the settings beside it or the problems with them.

    ``project`` is None while the settings are invalid. A report shows what the store holds all the same.
    """

    root: Path
    engine: Engine
    project: Project | None
    alerts: AlertSettings
    invalid: tuple[Problem, ...] = ()

    @property
    def problem(self) -> str:
        """Why there is no ``project``, in one line; empty while there is one."""
        return "" if self.project else _in_one_line(self.invalid)

    def reread(self) -> Reader:
        """The same database with the settings as they are now."""
        return _reader(self.root, self.engine, _load(self.root))


@contextmanager
def open_reader(option: Path | None = None, *, to_change: bool = False) -> Iterator[Reader]:
    """Open a project for reports, or ``to_change`` rows of the outbox; closes the database afterwards.

    Raises `StoreError`, and `ConfigError` where there is neither a valid project nor a state database.
    """
    root = project_dir(option)
    loaded, url = _load(root), database_url(root)
    if isinstance(loaded, ConfigError) and not database_exists(url):
        raise loaded
    report_step("reading the state database")
    engine = open_store(url) if to_change else read_store(url)
    try:
        refuse_moved(engine)
        yield _reader(root, engine, loaded)
    finally:
        engine.dispose()


def settings_problems(option: Path | None) -> list[str]:
    """What is wrong with the settings of a project, one line each, without its state database."""
    loaded = _load(project_dir(option))
    if isinstance(loaded, ConfigError):
        return [_in_one_line(loaded.problems)]
    files = sorted({problem.file for problem in loaded.invalid})
    return [f"{file} is invalid; plgsync check --offline shows why" for file in files]


def _load(root: Path, last_good: Mapping[str, str] | None = None) -> Project | ConfigError:
    try:
        return load_project(root, last_good)
    except ConfigError as error:
        return error


def _reader(root: Path, engine: Engine, loaded: Project | ConfigError) -> Reader:
    if isinstance(loaded, Project) and loaded.invalid:
        loaded = _load(root, _last_good(engine))
    if isinstance(loaded, ConfigError):
        return Reader(root=root, engine=engine, project=None, alerts=load_alerts(root), invalid=loaded.problems)
    return Reader(root=root, engine=engine, project=loaded, alerts=loaded.alerts, invalid=loaded.invalid)


def _last_good(engine: Engine) -> Mapping[str, str]:
    with engine.begin() as connection:
        return load_playbook_texts(connection)


def _in_one_line(problems: Sequence[Problem]) -> str:
    errors = [problem for problem in problems if problem.severity == "error"]
    first = errors[0]
    where = f"{first.file}:{first.line}: {' '.join(first.message.split())}"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"the settings are invalid and nothing runs: {where}{more}; plgsync check --offline shows all"
