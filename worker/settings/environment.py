"""The only place that reads the environment, and the files secrets are kept in."""

from __future__ import annotations

import os
from pathlib import Path

from connectors.base import AccessDenied, Secret

PROJECT = "PLGSYNC_PROJECT"
DATABASE = "PLGSYNC_DATABASE_URL"
BROKER = "PLGSYNC_BROKER_URL"
LEASE = "PLGSYNC_LEASE_S"

DEFAULT_LEASE_S = 120.0

_LARGEST_SECRET = 64 * 1024
_LONGEST_LEASE_S = 3600.0


class SecretMissing(AccessDenied):
    """A credential is not where the settings say it is. The message names the place, never a value."""


def project_dir(option: str | Path | None = None) -> Path:
    """The project folder, absolute: what ``--project`` gave, else PLGSYNC_PROJECT, else the current folder."""
    return Path(option or os.environ.get(PROJECT) or ".").expanduser().resolve()


def database_url(project: Path) -> str:
    """Where state is kept: PLGSYNC_DATABASE_URL, else a SQLite file inside the project."""
    return os.environ.get(DATABASE) or f"sqlite:///{project.resolve().as_posix()}/.plgsync/state.db"


def broker_url() -> str:
    """Where Celery's wake-up messages travel: PLGSYNC_BROKER_URL, else a local Redis."""
    return os.environ.get(BROKER) or "redis://127.0.0.1:6379/0"


def lease_s() -> float:
    """How many seconds a worker may hold what it sends before others take it over: PLGSYNC_LEASE_S, else 120.

    It must be longer than a CRM call may take (``timeout`` in config/crm.yaml). Shorter than the default is for tests
    and small installations, where work that a dead worker held goes on sooner.
    """
    try:
        given = float(os.environ.get(LEASE) or DEFAULT_LEASE_S)
    except ValueError:
        return DEFAULT_LEASE_S
    return given if 1.0 <= given <= _LONGEST_LEASE_S else DEFAULT_LEASE_S


def secret(ref: str, project: Path) -> Secret:
    """Reads ``env:NAME`` or ``file:PATH`` (counted from the project folder) anew at each call.

    The call raises `SecretMissing` when there is nothing there.
    """
    kind, _, place = ref.partition(":")

    def read() -> str:
        return _from_environment(place) if kind == "env" else _from_file(project / Path(place).expanduser())

    return read


def _from_environment(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise SecretMissing(f"the environment variable {name} is not set")
    return value


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            value = stream.read(_LARGEST_SECRET).decode("utf-8").strip()
    except OSError as error:
        raise SecretMissing(f"the secret file {path} cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise SecretMissing(f"the secret file {path} is not text") from None
    if not value:
        raise SecretMissing(f"the secret file {path} is empty")
    return value
