"""Is this worker alive, and could it work? For liveness and readiness probes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from worker.runtime.failures import describe_failure
from worker.runtime.heartbeat import DEAD_AFTER_S, age_s
from worker.runtime.up.lock import state_folder
from worker.runtime.up.tree import HEARTBEATS
from worker.settings.environment import (
    InvalidEnvironment,
    broker_named,
    broker_url,
    database_url,
    heartbeat_file,
    project_dir,
)
from worker.store.engine import StoreError, check_schema, connect_store

_BROKER_S = 5.0


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing looked at."""

    what: str
    well: bool
    said: str


def signs_of_life(project: Path | None) -> list[Sign]:
    """The age of every heartbeat here: that of this Celery worker, or those of the tree of ``plgsync up``."""
    file = heartbeat_file()
    root = project_dir(project)
    folder = state_folder(root, database_url(root)) / HEARTBEATS
    files = [file] if file else sorted(folder.glob("*"))
    if not files:
        return [
            Sign("heartbeat", False, f"nothing beats: neither PLGSYNC_HEARTBEAT is set nor is anything in {folder}")
        ]
    return [_heartbeat(one) for one in files]


def _heartbeat(file: Path) -> Sign:
    age = age_s(file)
    if age is None:
        return Sign(f"heartbeat {file.name}", False, f"there is no {file}")
    return Sign(f"heartbeat {file.name}", age < DEAD_AFTER_S, f"{age:.0f} s old")


def signs_of_readiness(project: Path | None) -> list[Sign]:
    """Whether the state database answers, and the broker where there is one."""
    return list(_answers(project_dir(project)))


def _answers(root: Path) -> Iterator[Sign]:
    yield _asked("database", lambda: _ask_database(database_url(root)))
    if broker_named():
        yield _asked("broker", _ask_broker)


def _asked(what: str, ask: Callable[[], None]) -> Sign:
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - whatever it is, it did not answer
        return Sign(what, False, describe_failure(error))
    return Sign(what, True, "answers")


def _ask_database(url: str) -> None:
    engine = connect_store(url)
    try:
        check_schema(engine)
    except DBAPIError as error:
        raise StoreError(str(error.orig).strip().splitlines()[0]) from None
    finally:
        engine.dispose()


def _ask_broker() -> None:
    from kombu.connection import Connection
    from kombu.exceptions import OperationalError

    with Connection(broker_url(), connect_timeout=_BROKER_S) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=_BROKER_S)
        except OperationalError as error:
            raise InvalidEnvironment(f"the broker cannot be reached: {error}") from None
