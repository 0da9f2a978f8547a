"""Opening product data read-only: DuckDB (its own file, or Parquet and CSV), SQLite, PostgreSQL."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import StaticPool

from worker.settings.problems import excerpt_of
from worker.signals.constructs import Kind
from worker.signals.errors import SourceError

Rows = Sequence[Sequence[Any]]


class Engine(Protocol):
    """One open database. Every problem is raised as SourceError in the database's own words."""

    name: str
    member_first: bool
    """Count members in two plain steps: column stores take half the time of COUNT(DISTINCT) that way."""

    def run(self, statement: sa.Select[Any]) -> Rows:
        """All rows of ``statement``."""
        ...

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        """The columns of a table or query, by their exact names; raises SourceError if it cannot be read."""
        ...

    def tables(self) -> list[str]:
        """The names a mapping can use as ``table:``."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class DuckDialect(PGDialect):
    """SQL as DuckDB reads it; DuckDB's own connection runs it."""

    name = "duckdb"
    supports_statement_cache = False

    def __init__(self) -> None:
        super().__init__(paramstyle="qmark")  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class DuckEngine:
    """DuckDB: its own connection, locked down to reading ``folder``."""

    connection: duckdb.DuckDBPyConnection
    files: tuple[str, ...] | None = None
    name: str = "duckdb"
    member_first: bool = True

    def run(self, statement: sa.Select[Any]) -> Rows:
        sql, parameters = render(statement, DuckDialect())
        try:
            rows: Rows = self.connection.execute(sql, parameters).fetchall()
        except duckdb.Error as error:
            raise SourceError(_first_line(error)) from error
        return rows

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        sql, _ = render(sa.select(sa.text("*")).select_from(rows).limit(sa.literal_column("0")), DuckDialect())
        try:
            cursor = self.connection.execute(sql)
        except duckdb.Error as error:
            raise SourceError(_first_line(error)) from error
        return {column[0]: _duck_kind(str(column[1])) for column in cursor.description or ()}

    def tables(self) -> list[str]:
        if self.files is not None:
            return list(self.files)
        found = self.connection.execute(
            "SELECT CASE table_schema WHEN 'main' THEN '' ELSE table_schema || '.' END || table_name"
            " FROM information_schema.tables ORDER BY 1"
        )
        return [row[0] for row in found.fetchall()]

    def close(self) -> None:
        self.connection.close()


def open_duckdb_file(path: Path, memory: str) -> DuckEngine:
    """A DuckDB file, read-only. Other processes may read it at the same time, none may be writing."""
    if not path.is_file():
        raise SourceError(f"there is no DuckDB file at {path}")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_duck_config(memory))
    except duckdb.Error as error:
        raise SourceError(f"cannot open the DuckDB file {path}: {_first_line(error)}") from error
    _lock_down(connection, path.parent)
    return DuckEngine(connection)


def open_folder(folder: Path, memory: str, queries: Sequence[str] = ()) -> DuckEngine:
    """A folder of Parquet and CSV files, read by DuckDB. ``queries`` may name a file without its ending as a table."""
    if not folder.is_dir():
        raise SourceError(f"there is no folder at {folder}")
    connection = duckdb.connect(":memory:", config=_duck_config(memory))
    _lock_down(connection, folder.resolve())
    names = sorted(path.name for path in folder.iterdir() if _reader(path.name) or path.is_dir())
    words = {word for query in queries for word in re.findall(r"\w+", query)}
    for name in {name.partition(".")[0]: name for name in names}:
        if name in words:
            _view(connection, folder, name)
    return DuckEngine(connection, files=tuple(names))


def _view(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> None:
    quoted = name.replace('"', '""')
    try:
        connection.execute(f'CREATE VIEW "{quoted}" AS {files_relation(folder, name)}')
    except duckdb.Error as error:
        raise SourceError(f"cannot read {name} in {folder}: {_first_line(error)}") from error


def files_relation(folder: Path, table: str) -> str:
    """SQL that reads the files ``table`` stands for: a file with or without its ending, a folder, or a pattern."""
    folder = folder.resolve()
    candidates = [table, *(f"{table}{ending}" for ending in (".parquet", ".csv", ".csv.gz", "/*.parquet", "/*.csv"))]
    for candidate in candidates:
        reader = _reader(candidate)
        if reader is None or Path(candidate).is_absolute() or ".." in Path(candidate).parts:
            continue
        if any(path.is_file() for path in folder.glob(candidate)):
            pattern = str(folder / candidate).replace("'", "''")
            return f"SELECT * FROM {reader}('{pattern}'{_READ_OPTIONS[reader]})"  # noqa: S608 - quotes are doubled
    raise SourceError(f'there is no Parquet or CSV file for "{table}" in {folder}')


_READ_OPTIONS = {"read_parquet": ", union_by_name = true", "read_csv": ", union_by_name = true, sample_size = -1"}


def _reader(name: str) -> str | None:
    if name.endswith(".parquet"):
        return "read_parquet"
    return "read_csv" if name.endswith((".csv", ".csv.gz")) else None


def _duck_config(memory: str) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": memory,
        "temp_directory": str(Path(tempfile.gettempdir()) / "plgsync-duckdb"),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }


def _lock_down(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    quoted = str(folder.resolve()).replace("'", "''")
    for statement in (
        "SET TimeZone = 'UTC'",
        f"SET allowed_directories = ['{quoted}/']",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)


def _duck_kind(name: str) -> Kind:
    if name.startswith(("TIMESTAMP", "DATE")):
        return "time"
    if name in {"DOUBLE", "FLOAT"}:
        return "float"
    if name.endswith("INT") or name in {"INTEGER", "UINTEGER", "BIGNUM"} or name.startswith("DECIMAL"):
        return "number"
    named: dict[str, Kind] = {"VARCHAR": "text", "UUID": "text", "BOOLEAN": "flag", "JSON": "json"}
    return "text" if name.startswith("ENUM") else named.get(name, "other")


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
            raise SourceError(_first_line(error)) from error

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        statement = sa.select(sa.text("*")).select_from(rows).limit(sa.literal_column("0"))
        try:
            description = self.connection.execute(statement).cursor.description
        except sa.exc.SQLAlchemyError as error:
            self.connection.rollback()
            raise SourceError(_first_line(error)) from error
        if self.name == "sqlite":
            return {column[0]: "any" for column in description}
        return {column[0]: _POSTGRES_KINDS.get(int(str(column[1])), "other") for column in description}

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
    options = "-c timezone=UTC -c default_transaction_read_only=on"
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
        raise SourceError(f"cannot open {what}: {_first_line(error)}") from error
    return SqlEngine(engine, connection, name)


_POSTGRES_KINDS: Mapping[int, Kind] = {
    16: "flag",
    20: "number",
    21: "number",
    23: "number",
    1700: "number",
    700: "float",
    701: "float",
    1082: "time",
    1114: "time",
    1184: "time",
    114: "json",
    3802: "json",
    25: "text",
    1043: "text",
    1042: "text",
    2950: "text",
}
"""Type ids of PostgreSQL's catalogue (pg_type.dat)."""


def render(statement: sa.Select[Any], dialect: Dialect) -> tuple[str, list[Any]]:
    """``statement`` as text with its parameters in order."""
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    names = getattr(compiled, "positiontup", None) or ()
    return str(compiled), [compiled.params[name] for name in names]


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip() or type(cause).__name__
    return excerpt_of(text.splitlines()[0])
