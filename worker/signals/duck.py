"""DuckDB: its own file, or a folder of Parquet and CSV files."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect

from worker.signals.constructs import Kind
from worker.signals.engines import NOT_ONE_SELECT, Rows, first_line, render
from worker.signals.errors import SourceError
from worker.signals.files import csv_problem, files_relation, readable, reader_of, text_list


class DuckDialect(PGDialect):
    """SQL as DuckDB reads it; DuckDB's own connection runs it."""

    name = "duckdb"
    supports_statement_cache = False

    def __init__(self) -> None:
        super().__init__(paramstyle="qmark")  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class DuckEngine:
    """DuckDB: its own connection, locked down to reading the database and the Parquet and CSV files of ``folder``."""

    connection: duckdb.DuckDBPyConnection
    spill: tempfile.TemporaryDirectory[str]
    """The folder for data beyond the memory limit; removed when the engine is closed."""
    files: tuple[str, ...] | None = None
    folder: Path | None = None
    name: str = "duckdb"
    member_first: bool = True

    def run(self, statement: sa.Select[Any]) -> Rows:
        sql, parameters = render(statement, DuckDialect())
        try:
            rows: Rows = self.connection.execute(sql, parameters).fetchall()
        except duckdb.Error as error:
            raise self._problem(error) from error
        return rows

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        sql, _ = render(sa.select(sa.text("*")).select_from(rows).limit(sa.literal_column("0")), DuckDialect())
        try:
            cursor = self.connection.execute(sql)
        except duckdb.Error as error:
            raise self._problem(error) from error
        return {column[0]: _duck_kind(str(column[1])) for column in cursor.description or ()}

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

    def warnings(self) -> list[str]:
        return []

    def _problem(self, error: duckdb.Error) -> SourceError:
        return SourceError(csv_problem(str(error), self.folder) or first_line(error))

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
        self.spill.cleanup()


def open_duckdb_file(path: Path, memory: str) -> DuckEngine:
    """A DuckDB file, read-only. Other processes may read it at the same time, none may be writing."""
    if not path.is_file():
        raise SourceError(f"there is no DuckDB file at {path}")
    spill = tempfile.TemporaryDirectory(prefix="plgsync-", ignore_cleanup_errors=True)
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_duck_config(memory, spill.name))
    except duckdb.Error as error:
        spill.cleanup()
        raise SourceError(f"cannot open the DuckDB file {path}: {first_line(error)}") from error
    _lock_down(connection, path.parent.resolve(), path.resolve())
    return DuckEngine(connection, spill)


def open_folder(folder: Path, memory: str, queries: Sequence[str] = ()) -> DuckEngine:
    """A folder of Parquet and CSV files, read by DuckDB. ``queries`` may name a file without its ending as a table."""
    if not folder.is_dir():
        raise SourceError(f"there is no folder at {folder}")
    spill = tempfile.TemporaryDirectory(prefix="plgsync-", ignore_cleanup_errors=True)
    connection = duckdb.connect(":memory:", config=_duck_config(memory, spill.name))
    folder = folder.resolve()
    _lock_down(connection, folder)
    inside = (path for path in folder.iterdir() if path.resolve().is_relative_to(folder))
    names = sorted(path.name for path in inside if reader_of(path.name) or path.is_dir())
    words = {word for query in queries for word in re.findall(r"\w+", query)}
    for name in {name.partition(".")[0]: name for name in names}:
        if name in words:
            _view(connection, folder, name)
    return DuckEngine(connection, spill, files=tuple(names), folder=folder)


def _view(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> None:
    quoted = name.replace('"', '""')
    try:
        connection.execute(f'CREATE VIEW "{quoted}" AS {files_relation(folder, name)}')
    except duckdb.Error as error:
        raise SourceError(f"cannot read {name} in {folder}: {first_line(error)}") from error


def _duck_config(memory: str, spill: str) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": memory,
        "temp_directory": spill,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }


def _lock_down(connection: duckdb.DuckDBPyConnection, folder: Path, database: Path | None = None) -> None:
    files, folders = readable(folder, database)
    for statement in (
        "SET TimeZone = 'UTC'",
        "SET enable_progress_bar = false",  # it would be written to stdout, between the lines of --json
        f"SET allowed_paths = {text_list(files)}",
        f"SET allowed_directories = {text_list(f'{folder}/' for folder in folders)}",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)


def _duck_kind(name: str) -> Kind:
    if name.endswith("]") or name.startswith(("STRUCT", "MAP", "UNION", "VARIANT")):
        return "struct"
    if name.startswith(("TIMESTAMP", "DATE")):
        return "time" if "TIME ZONE" in name else "naive"
    if name in {"DOUBLE", "FLOAT"}:
        return "float"
    if name.endswith("INT") or name in {"INTEGER", "UINTEGER", "BIGNUM"} or name.startswith("DECIMAL"):
        return "number"
    named: dict[str, Kind] = {"VARCHAR": "text", "UUID": "text", "BOOLEAN": "flag", "JSON": "json", '"NULL"': "text"}
    return "text" if name.startswith("ENUM") else named.get(name, "other")
