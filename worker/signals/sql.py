"""SQLite and PostgreSQL through SQLAlchemy."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from worker.signals.constructs import Kind
from worker.signals.engines import Rows, first_line
from worker.signals.errors import SourceError
from worker.signals.reading.numbers import read_number
from worker.signals.reading.texts import trim_text
from worker.signals.reading.times import sqlite_time


@dataclass(slots=True)
class SqlEngine:
    """SQLite or PostgreSQL through SQLAlchemy, one read-only connection."""

    engine: sa.Engine
    connection: sa.Connection
    name: str
    member_first: bool = False

    def run(self, statement: sa.Select[Any]) -> Rows:
        try:
            return [tuple(row) for row in self.connection.execute(statement)]
        except sa.exc.SQLAlchemyError as error:
            self.connection.rollback()
            raise SourceError(first_line(error)) from error

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        statement = sa.select(sa.text("*")).select_from(rows).limit(sa.literal_column("0"))
        try:
            description = self.connection.execute(statement).cursor.description
        except sa.exc.SQLAlchemyError as error:
            self.connection.rollback()
            raise SourceError(first_line(error)) from error
        if self.name == "sqlite":
            return {column[0]: "any" for column in description}
        return {column[0]: self._postgres_kind(int(str(column[1]))) for column in description}

    def _postgres_kind(self, type_id: int) -> Kind:
        """Also of enums, and of types made by the database's owner that are text."""
        if type_id in _POSTGRES_KINDS:
            return _POSTGRES_KINDS[type_id]
        found = self.connection.execute(sa.text("SELECT typcategory FROM pg_type WHERE oid = :oid"), {"oid": type_id})
        return "text" if found.scalar() in {"S", "E"} else "other"

    def tables(self) -> list[str]:
        inspector = sa.inspect(self.connection)
        if self.name == "sqlite":
            return sorted([*inspector.get_table_names(), *inspector.get_view_names()])
        found = self.connection.execute(
            sa.text(
                "SELECT CASE table_schema WHEN current_schema() THEN '' ELSE table_schema || '.' END || table_name"
                " FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
                " ORDER BY 1"
            )
        )
        return [row[0] for row in found]

    def close(self) -> None:
        self.connection.close()
        self.engine.dispose()


def open_sqlite(path: Path) -> SqlEngine:
    """A SQLite file, read-only."""
    if not path.is_file():
        raise SourceError(f"there is no SQLite file at {path}")
    uri = f"{path.resolve().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=30)
        # SQLite's own lower() leaves É as it is.
        connection.create_function("lower", 1, _lower, deterministic=True)
        # Not every SQLite is built with the functions of mathematics.
        connection.create_function("power", 2, math.pow, deterministic=True)
        connection.create_function("plgsync_trim", 1, trim_text, deterministic=True)
        connection.create_function("plgsync_time", 4, sqlite_time, deterministic=True)
        connection.create_function("plgsync_number", 4, read_number, deterministic=True)
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    return _connected(engine, f"the SQLite file {path}", "sqlite")


def _lower(text: object) -> str | None:
    return None if text is None else str(text).lower()


def open_postgres(url: str) -> SqlEngine:
    """A PostgreSQL database: session in UTC, transactions read-only. The URL never appears in a message."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise SourceError("the PostgreSQL URL cannot be read: expected postgresql://user@host/database") from error
    if parsed.get_backend_name() not in {"postgres", "postgresql"}:
        raise SourceError(f"expected a postgresql:// URL, not {parsed.get_backend_name()}://")
    options = "-c timezone=UTC -c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
    engine = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        connect_args={"options": options, "connect_timeout": 10},
        poolclass=StaticPool,
    )
    return _connected(engine, f"PostgreSQL at {parsed.host or 'the local socket'}", "postgresql")


def _connected(engine: sa.Engine, what: str, name: str) -> SqlEngine:
    try:
        connection = engine.connect()
        connection.execute(sa.text("SELECT count(*) FROM sqlite_master" if name == "sqlite" else "SELECT 1"))
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        raise SourceError(f"cannot open {what}: {first_line(error)}") from error
    return SqlEngine(engine, connection, name)


_POSTGRES_KINDS: Mapping[int, Kind] = {
    16: "flag",
    20: "number",
    21: "number",
    23: "number",
    1700: "number",
    700: "float",
    701: "float",
    1082: "naive",
    1114: "naive",
    1184: "time",
    114: "json",
    3802: "json",
    25: "text",
    1043: "text",
    1042: "text",
    2950: "text",
}
"""Type ids of PostgreSQL's catalogue (pg_type.dat)."""
