"""The only place that reads the environment, and the files secrets are kept in."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from connectors.base import AccessDenied, Secret

PROJECT = "PLGSYNC_PROJECT"
DATABASE = "PLGSYNC_DATABASE_URL"
DEPLOYMENT = "PLGSYNC_PROJECT_ID"
BROKER = "PLGSYNC_BROKER_URL"
CRM_URL = "PLGSYNC_URL_"
HEARTBEAT = "PLGSYNC_HEARTBEAT"
LEASE = "PLGSYNC_LEASE_S"
STOP = "PLGSYNC_STOP_S"
_OTEL = ("SDK_DISABLED", "TRACES_EXPORTER", "EXPORTER_OTLP_ENDPOINT", "EXPORTER_OTLP_TRACES_ENDPOINT")

DEFAULT_STOP_S = 3.0
PROJECT_ID = r"^[a-z0-9][a-z0-9-]{0,19}$"
UNNAMED_PROJECT = "plgsync"
"""The id of a project that has none in its settings."""

_LARGEST_SECRET = 64 * 1024
_PEM = "-----BEGIN"
_DEFAULT_LEASE_S = 120.0
_SHORTEST_LEASE_S, _LONGEST_LEASE_S = 1.0, 3600.0
_LONGEST_STOP_S = 600.0

_REDIS, _RABBITMQ = "redis://, rediss://", "amqp://, amqps://"
_BROKERS = {"redis", "rediss", "amqp", "amqps"}


class InvalidEnvironment(Exception):
    """A variable has an invalid value. The message names it and omits the value, which may contain a password."""


class SecretMissing(AccessDenied):
    """A credential is not where the settings say it is. The message names the place, never a value."""


def project_dir(option: str | Path | None = None) -> Path:
    """The project folder, absolute: what ``--project`` gave, else PLGSYNC_PROJECT, else the current folder."""
    return Path(option or os.environ.get(PROJECT) or ".").expanduser().resolve()


def database_url(project: Path) -> str:
    """Where state is kept: PLGSYNC_DATABASE_URL, else a SQLite file inside the project."""
    return os.environ.get(DATABASE) or f"sqlite:///{project.resolve().as_posix()}/.plgsync/state.db"


def broker_url() -> str:
    """Where Celery's wake-up messages travel: PLGSYNC_BROKER_URL, else a local Redis. Raises `InvalidEnvironment`.

    Only brokers that were measured are valid: some others lost every message at a restart, one crashed its worker.
    """
    url = os.environ.get(BROKER) or "redis://127.0.0.1:6379/0"
    scheme, separator, rest = url.partition("://")
    if separator and scheme not in _BROKERS:
        raise InvalidEnvironment(
            f"{BROKER} begins with {scheme}://; only Redis ({_REDIS}) and RabbitMQ ({_RABBITMQ}) are supported"
        )
    if not rest.strip("/"):
        raise InvalidEnvironment(
            f"{BROKER} is not an address such as redis://HOST:6379/0 or amqp://USER:PASSWORD@HOST//"
        )
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidEnvironment(f"{BROKER} names no host, or a port that is no number")
    return url


def broker_named() -> bool:
    """Whether this installation names a broker."""
    return bool(os.environ.get(BROKER))


def project_id() -> str | None:
    """PLGSYNC_PROJECT_ID: the id of this deployment, instead of the one in config/crm.yaml; `InvalidEnvironment`."""
    given = os.environ.get(DEPLOYMENT)
    if given and not re.fullmatch(PROJECT_ID, given):
        raise InvalidEnvironment(f"{DEPLOYMENT} is not 1 to 20 small letters, digits and dashes, such as acme-staging")
    return given or None


def crm_url(destination: str) -> str | None:
    """PLGSYNC_URL_<NAME>: the address of a destination, instead of the one in config/crm.yaml."""
    return os.environ.get(f"{CRM_URL}{destination.upper().replace('-', '_')}") or None


def heartbeat_file() -> Path | None:
    """PLGSYNC_HEARTBEAT: the file a Celery worker touches while it lives."""
    named = os.environ.get(HEARTBEAT)
    return Path(named) if named else None


def columns() -> int | None:
    """COLUMNS: how wide printed text may be; None when it is not set."""
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else None


def traces_wanted() -> bool:
    """Whether OpenTelemetry's own variables name a collector for traces, and none of them disables traces."""
    otel = {name: os.environ.get(f"OTEL_{name}", "").strip() for name in _OTEL}
    off = otel["SDK_DISABLED"].lower() == "true" or otel["TRACES_EXPORTER"].lower() == "none"
    return not off and bool(otel["EXPORTER_OTLP_ENDPOINT"] or otel["EXPORTER_OTLP_TRACES_ENDPOINT"])


def with_variables(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process and these variables, for a process it starts."""
    return {**os.environ, **more}


def shared_redis_url() -> str | None:
    """The Redis that workers share: PLGSYNC_BROKER_URL where it names one; nothing is assumed."""
    url = os.environ.get(BROKER, "")
    return url if url.startswith(("redis://", "rediss://")) else None


def lease_s() -> float:
    """The lease on rows in delivery, in seconds; other workers take them over afterwards. PLGSYNC_LEASE_S, else 120.

    The worker renews the leases of a batch in flight. Less than the default is for tests and small installations: the
    work of a dead worker is sent sooner, but a CRM may still process an abandoned request.
    Raises `InvalidEnvironment`.
    """
    return _seconds(LEASE, _DEFAULT_LEASE_S, _SHORTEST_LEASE_S, _LONGEST_LEASE_S)


def stop_s() -> float:
    """How many seconds a stopping process may continue with the batch in flight: PLGSYNC_STOP_S, else 3.

    The next process sends again what was cut off. Raises `InvalidEnvironment`.
    """
    return _seconds(STOP, DEFAULT_STOP_S, 0.0, _LONGEST_STOP_S)


def _seconds(name: str, default: float, shortest: float, longest: float) -> float:
    given = os.environ.get(name)
    try:
        seconds = float(given) if given else default
    except ValueError:
        seconds = math.nan
    if not shortest <= seconds <= longest:
        raise InvalidEnvironment(
            f"{name} is not a number of seconds from {shortest:.0f} to {longest:.0f}; "
            f"set it to one, or unset it for {default:.0f}"
        )
    return seconds


def check_environment() -> None:
    """Raises `InvalidEnvironment` for any variable that a job would only read in the middle of its work."""
    lease_s()
    stop_s()
    project_id()


def secret(ref: str, project: Path) -> Secret:
    """Reads ``env:NAME`` or ``file:PATH`` (counted from the project folder) again at each call.

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
    return _checked(value, f"the environment variable {name}")


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
    return _checked(value, f"the secret file {path}")


def _checked(value: str, place: str) -> str:
    """What no header and no form would carry as it is; only a key in PEM form has several lines."""
    text = "".join(value.splitlines()) if value.startswith(_PEM) else value
    if not text.isascii():
        raise SecretMissing(f"{place} holds a character that is not ASCII, which no credential has: copy it again")
    if not text.isprintable():
        raise SecretMissing(f"{place} holds a line break or another control character: copy it again, in one line")
    return value
