"""DuckDB: its own file, or a folder of Parquet and CSV files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql.elements import quoted_name

from worker.signals.constructs import Kind
from worker.signals.csv_files import csv_problem
from worker.signals.duck_kinds import duck_kind
from worker.signals.engines import NOT_ONE_SELECT, Rows, first_line, render
from worker.signals.errors import SourceError
from worker.signals.files import Needed, Readable, files_relation, readable, text_list
from worker.signals.spill import SpillFolder
from worker.signals.table_files import reader_of

_UNIQUE = """
    SELECT constraint_column_names FROM duckdb_constraints()
    WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE') AND database_name = current_database()
        AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)
"""


class DuckDialect(PGDialect):
    """SQL as DuckDB reads it; DuckDB's own connection runs it."""

    name = "duckdb"
    supports_statement_cache = False

    def __init__(self) -> None:
        super().__init__(paramstyle="qmark")  # type: ignore[no-untyped-call]


DUCK = DuckDialect()
"""One for all statements: it remembers what it works out for each type."""


@dataclass(slots=True)
class DuckEngine:
    """DuckDB: its own connection, locked down to reading the database and the Parquet and CSV files of ``folder``."""

    connection: duckdb.DuckDBPyConnection
    spill: SpillFolder | None = None
    """The folder for data beyond the memory limit; removed when the engine is closed. None: another engine has it."""
    files: tuple[str, ...] | None = None
    folder: Path | None = None
    name: str = "duckdb"
    member_first: bool = True

    def run(self, statement: sa.Select[Any]) -> Rows:
        sql, parameters = render(statement, DUCK)
        try:
            rows: Rows = self.connection.execute(sql, parameters).fetchall()
        except duckdb.Error as error:
            raise self._problem(error) from error
        return rows

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        sql, _ = render(sa.select(sa.text("*")).select_from(rows).limit(sa.literal_column("0")), DUCK)
        try:
            cursor = self.connection.execute(sql)
        except duckdb.Error as error:
            raise self._problem(error) from error
        return {column[0]: duck_kind(str(column[1])) for column in cursor.description or ()}

    def check_query(self, query: str) -> None:
        try:
            statements = self.connection.extract_statements(query)
        except duckdb.Error as error:
            raise self._problem(error) from error
        kinds = [statement.type.name for statement in statements]
        if kinds != ["SELECT"]:
            raise SourceError(f"{NOT_ONE_SELECT}; this is {', '.join(kinds) or 'nothing'}")
        if statements[0].named_parameters:
            raise SourceError("a query has no parameters")

    def materialize(self, name: str, rows: sa.Select[Any]) -> sa.TableClause:
        sql, parameters = render(rows, DUCK)
        try:
            self.connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {sql}', parameters)
        except duckdb.Error as error:
            raise self._problem(error) from error
        columns: list[sa.ColumnClause[Any]] = [
            sa.column(quoted_name(column.name, quote=True), column.type) for column in rows.selected_columns
        ]
        return sa.table(name, *columns, schema="temp")

    def unique_columns(self, table: str) -> list[frozenset[str]]:
        if self.files is not None:
            return []
        schema, _, name = table.rpartition(".")
        found = self.connection.execute(_UNIQUE, [schema or "main", name]).fetchall()
        return [frozenset(columns) for (columns,) in found]

    def warnings(self) -> list[str]:
        return []

    def _problem(self, error: duckdb.Error) -> SourceError:
        return SourceError(csv_problem(str(error), self.folder) or first_line(error))

    def tables(self) -> list[str]:
        if self.files is not None:
            return list(self.files)
        found = self.connection.execute(
            "SELECT CASE table_schema WHEN 'main' THEN '' ELSE table_schema || '.' END || table_name"
            " FROM information_schema.tables WHERE table_catalog = current_database() ORDER BY 1"
        )
        return [row[0] for row in found.fetchall()]

    def close(self) -> None:
        self.connection.close()
        if self.spill is not None:
            self.spill.close()


def open_duckdb_file(path: Path, memory: str) -> DuckEngine:
    """A DuckDB file, read-only. Other processes may read it at the same time, none may be writing."""
    check_file(path)
    spill = SpillFolder()
    try:
        connection = connect(path, spill, memory)
    except duckdb.Error as error:
        spill.close()
        raise SourceError(f"cannot open the DuckDB file {path}: {first_line(error)}") from error
    lock_down(connection, readable(path.parent.resolve(), path.resolve()))
    return DuckEngine(connection, spill)


def check_file(path: Path) -> None:
    """Raises SourceError when there is no file."""
    if not path.is_file():
        raise SourceError(f"there is no DuckDB file at {path}")


def open_folder(folder: Path, memory: str, queries: Sequence[str] = ()) -> DuckEngine:
    """A folder of Parquet and CSV files, read by DuckDB. ``queries`` may name a file without its ending as a table."""
    check_folder(folder)
    folder = folder.resolve()
    spill = SpillFolder()
    connection = connect(None, spill, memory)
    lock_down(connection, readable(folder))
    return DuckEngine(connection, spill, files=add_views(connection, folder, queries), folder=folder)


def check_folder(folder: Path) -> None:
    """Raises SourceError when there is no folder."""
    if not folder.is_dir():
        raise SourceError(f"there is no folder at {folder}")


def add_views(connection: duckdb.DuckDBPyConnection, folder: Path, queries: Sequence[str]) -> tuple[str, ...]:
    """Make a view of each file that ``queries`` may name as a table. All files and folders of ``folder``."""
    inside = (path for path in folder.iterdir() if path.resolve().is_relative_to(folder))
    names = sorted(path.name for path in inside if reader_of(path.name) or path.is_dir())
    words = {word for query in queries for word in re.findall(r"\w+", _PATH.sub("", query))}
    for name in {name.partition(".")[0]: name for name in names}:
        if name in words:
            _view(connection, folder, name, tuple(sorted(words)))
    return tuple(names)


_PATH = re.compile(r"'[^'\n]*\.(?:csv|parquet)[^'\n]*'", re.IGNORECASE)
"""A file or pattern in a query: the folder in it is no table."""


def _view(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, columns: tuple[str, ...]) -> None:
    quoted = name.replace('"', '""')
    try:
        connection.execute(f'CREATE VIEW "{quoted}" AS {files_relation(folder, name, Needed(compared=columns))}')
    except duckdb.Error as error:
        raise SourceError(f"cannot read {name} in {folder}: {first_line(error)}") from error


def connect(path: Path | None, spill: SpillFolder, memory: str) -> duckdb.DuckDBPyConnection:
    """A connection to a file, read-only, or to a database in memory, which goes to ``spill`` beyond ``memory``."""
    return duckdb.connect(
        ":memory:" if path is None else str(path),
        read_only=path is not None,
        config={
            "memory_limit": memory,
            "temp_directory": str(spill.path),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )


def prepare_session(connection: duckdb.DuckDBPyConnection) -> None:
    """What every connection needs, before `lock_down`."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # it would be written to stdout, between the lines of --json


def lock_down(connection: duckdb.DuckDBPyConnection, *allowed: Readable) -> None:
    """From here on the database opens nothing but ``allowed`` and its own temporary files, and no setting changes."""
    prepare_session(connection)
    files = [path for one in allowed for path in one.files]
    folders = [f"{path}/" for one in allowed for path in one.folders]
    for statement in (
        f"SET allowed_paths = {text_list(files)}",
        f"SET allowed_directories = {text_list(folders)}",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)
