"""Opening the store: one engine per process, the database's own clock, and migrations.

SQLite runs in WAL with ``synchronous=FULL`` and ``BEGIN IMMEDIATE``, so that writers queue instead of
failing and a commit survives a power cut.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    String,
    column,
    create_engine,
    inspect,
    make_url,
    select,
    table,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Double
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random

from worker.settings.environment import DATABASE
from worker.store.errors import StoreError as StoreError
from worker.store.errors import damage
from worker.store.sqlite_file import LOCK_WAIT_S, REVISION, begin_file, refuse_damaged, sqlite_engine
from worker.store.waiting_message import BUSY, WaitingMessage

if TYPE_CHECKING:
    from alembic.config import Config

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
SCHEMA_REVISION = "0013"
"""The newest migration: a process that finds it in the database need not import alembic."""
_REVISION = table(REVISION, column("version_num", String))
_UPGRADE_S = 600
_TABLE_WAIT_S = 2
"""While an upgrade waits for a table, all others wait for the upgrade, so it does not wait long."""
SESSION = f"plgsync {secrets.token_hex(4)}"
"""By this name PostgreSQL lists the connections of this process and of those it forks."""
_MIGRATION_LOCK = 7_352_190_114  # any constant: the Postgres advisory lock that serialises migrations


class db_now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock in seconds since 1970; workers' clocks may jump, this one is shared."""

    type = Double()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite_now(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now, "postgresql")
def _postgres_now(*_: Any, **__: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


def database_time(connection: Connection) -> float:
    """Seconds since 1970 on the database's clock."""
    return float(connection.execute(select(db_now())).scalar_one())


def database_moment(connection: Connection) -> datetime:
    """The present moment on the database's clock, aware, in UTC: the same for workers whose own clocks differ."""
    return datetime.fromtimestamp(database_time(connection), UTC)


def transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Do ``work`` in one transaction, and again when the database rolled it back to resolve a deadlock.

    Workers lock rows of the outbox in different orders; Postgres then rolls one of them back.
    """
    again = Retrying(
        retry=retry_if_exception(_gave_way), stop=stop_after_attempt(6), wait=wait_random(0.01, 0.2), reraise=True
    )

    def once() -> T:
        with engine.begin() as connection:
            return work(connection)

    return again(once)


def _gave_way(error: BaseException) -> bool:
    """Rolled back by a deadlock, a serialization failure or a lock timeout; each may be tried again."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in {"40P01", "40001", "55P03"}


def _is_locked(error: BaseException) -> bool:
    """Another process holds the lock of the database that is needed now."""
    orig = getattr(error, "orig", None)
    return isinstance(error, DBAPIError) and (
        getattr(orig, "sqlstate", None) == "55P03" or getattr(orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    )


def open_store(url: str) -> Engine:
    """The engine on an up-to-date schema; creates or upgrades the tables first.

    While another process upgrades the tables this one waits, for ten minutes at most, and says so. Raises `StoreError`
    when the database cannot be reached, stays locked, is damaged or was written by a newer version.
    """
    look_through(parse_url(url))
    engine = connect_store(url)
    try:
        if engine.dialect.name == "sqlite":
            begin_file(engine.url.database)
        upgrade(engine)
    except DBAPIError as error:
        engine.dispose()
        if _is_locked(error):
            raise StoreError(f"{BUSY} for {_UPGRADE_S} seconds; end it or wait, then try again") from None
        raise StoreError(damage(error) or f"the state database cannot be used: {_first_line(error)}") from None
    return engine


def look_through(url: URL) -> None:
    """Read the whole of a SQLite file and raise `StoreError` when it is damaged; nothing is written to it.

    PostgreSQL looks at each page when it reads it.
    """
    if url.get_backend_name() == "sqlite":
        refuse_damaged(url.database)


def parse_url(url: str) -> URL:
    """The parts of PLGSYNC_DATABASE_URL. Raises `StoreError`, which never repeats the value: it may hold a password."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(f"{DATABASE} is not an address such as postgresql://USER:PASSWORD@HOST/DATABASE") from None


def database_exists(url: str) -> bool:
    """Whether there may be a state database: a server is asked only when it is opened. Raises `StoreError`."""
    parsed = parse_url(url)
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").exists()


def read_store(url: str) -> Engine:
    """The engine for a reader: waits for no writer, and needs the right to write only where the schema is behind.

    Raises `StoreError` as `open_store` does.
    """
    engine = connect_store(url, read_only=True)
    try:
        current = _is_current(engine)
    except DBAPIError:
        current = False  # open_store finds out why, and tells
    if not current:
        try:
            open_store(url).dispose()
        except StoreError:
            engine.dispose()
            raise
    return engine


def connect_store(url: str, *, read_only: bool = False) -> Engine:
    """The engine, without a check of the schema; for a process that checked it when it started.

    So a running worker goes on while the next version adds tables and columns. A ``read_only`` engine cannot write to a
    SQLite file, and waits for no writer. Raises `StoreError`.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite_engine(url, parsed.database, read_only=read_only)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"application_name": SESSION},
        )
    raise StoreError(f"{DATABASE} must start with sqlite: or postgresql:")


def upgrade(engine: Engine, to: str = "head") -> None:
    """Bring the schema to this version's revision; concurrent callers wait for each other.

    A running worker never waits long: while it has a table locked, the upgrade rolls back and tries again.
    Raises `StoreError` when the database is at a revision this version does not know.
    """
    again = Retrying(
        retry=retry_if_exception(lambda error: _gave_way(error) or _is_locked(error)),
        stop=stop_after_delay(_UPGRADE_S),
        wait=wait_random(0.1, 1.0),
        before_sleep=WaitingMessage(),
        reraise=True,
    )

    def once() -> None:
        with _begin_upgrade(engine) as connection:
            current = _revision(connection)
            if current == SCHEMA_REVISION:
                return
            _refuse_newer(current)
            from alembic import command

            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, to)

    again(once)


@contextmanager
def _begin_upgrade(engine: Engine) -> Iterator[Connection]:
    """A transaction that waits two seconds for others, not longer: so that the wait can be announced."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            driver.execute(f"PRAGMA busy_timeout = {_TABLE_WAIT_S * 1000}")  # type: ignore[union-attr]
        try:
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text(f"set local lock_timeout = '{_TABLE_WAIT_S}s'"))
                    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                yield connection
        finally:
            if connection.dialect.name == "sqlite":
                driver.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_S * 1000}")  # type: ignore[union-attr]


def check_schema(engine: Engine) -> None:
    """Whether the database answers and holds a schema that this version knows; changes nothing.

    Raises `StoreError` or the driver's own error.
    """
    with engine.connect() as connection:
        _refuse_newer(_revision(connection))


def _is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        return _revision(connection) == SCHEMA_REVISION


def _alembic() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _refuse_newer(current: str | None) -> None:
    if current in {None, SCHEMA_REVISION}:
        return
    from alembic.script import ScriptDirectory

    if current not in {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}:
        raise StoreError("the state database was written by a newer plgsync; upgrade plgsync before using it")


def _revision(connection: Connection) -> str | None:
    """The migration that the database is at; None for a new one."""
    if not inspect(connection).has_table(_REVISION.name):
        return None
    return connection.execute(select(_REVISION.c.version_num)).scalar()


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else "unknown database error"
