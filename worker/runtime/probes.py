"""Liveness and readiness probes: whether the workers here make progress, and whether they could work."""

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
from worker.store.engine import check_schema, connect_store, database_exists
from worker.store.errors import StoreError, damage

_BROKER_S = 5.0


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of one check."""

    name: str
    ok: bool
    detail: str


def liveness(project: Path | None) -> list[Probe]:
    """The age of every heartbeat on this machine: of its Celery worker, or of the processes of ``plgsync up``."""
    file = heartbeat_file()
    root = project_dir(project)
    folder = state_folder(root, database_url(root)) / HEARTBEATS
    files = [file] if file else sorted(folder.glob("*"))
    if not files:
        return [Probe("heartbeat", False, f"no heartbeat: PLGSYNC_HEARTBEAT is not set and {folder} is empty")]
    return [_heartbeat(one) for one in files]


def _heartbeat(file: Path) -> Probe:
    age = age_s(file)
    if age is None:
        return Probe(f"heartbeat {file.name}", False, f"there is no {file}")
    return Probe(f"heartbeat {file.name}", age < DEAD_AFTER_S, f"{age:.0f} s old")


def readiness(project: Path | None) -> list[Probe]:
    """Whether the state database is there and answers, and the broker if PLGSYNC_BROKER_URL names one."""
    return list(_check_servers(project_dir(project)))


def _check_servers(root: Path) -> Iterator[Probe]:
    yield _probe("database", lambda: _ask_database(database_url(root)))
    if broker_named():
        yield _probe("broker", _ask_broker)


def _probe(what: str, ask: Callable[[], None]) -> Probe:
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - any failure means that it did not answer
        return Probe(what, False, describe_failure(error))
    return Probe(what, True, "answers")


def _ask_database(url: str) -> None:
    if not database_exists(url):
        raise StoreError("there is no state database yet; the first worker or plgsync run makes it")
    engine = connect_store(url, read_only=True)
    try:
        check_schema(engine)
    except DBAPIError as error:
        raise StoreError(damage(error) or str(error.orig).strip().splitlines()[0]) from None
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
