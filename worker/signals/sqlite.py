"""A SQLite file, read-only: SQLite itself refuses whatever else a query does."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from worker.signals.constructs import Kind
from worker.signals.engines import NOT_ONE_SELECT, first_line
from worker.signals.errors import SourceError
from worker.signals.reading.numbers import read_number
from worker.signals.reading.texts import lower_text, text_of_bytes, trim_text
from worker.signals.reading.written_times import sqlite_time
from worker.signals.sql import SqlEngine, connect, star

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}
_REFUSED_FUNCTIONS = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"}
_NAMED = ("DELETE", "INSERT", "UPDATE", "PRAGMA", "ATTACH", "DETACH", "TRANSACTION", "SAVEPOINT", "FUNCTION", "READ")
_ACTIONS: Mapping[int, str] = {getattr(sqlite3, f"SQLITE_{action}"): action for action in _NAMED}


_UNIQUE = """
    WITH typed AS (
        SELECT name, pk, upper(type) = 'INTEGER' AS row_id FROM pragma_table_info(:name, :schema)
        WHERE type <> '' AND upper(type) NOT LIKE '%BLOB%'
    )
    SELECT json_group_array(c.name) FROM pragma_index_list(:name, :schema) AS i, pragma_index_info(i.name, :schema) AS c
    LEFT JOIN typed ON typed.name = c.name
    WHERE i."unique" AND NOT i.partial
    GROUP BY i.name HAVING count(typed.name) = count(*)
    UNION ALL
    SELECT json_array(name) FROM typed WHERE pk = 1 AND row_id
        AND (SELECT max(pk) FROM pragma_table_info(:name, :schema)) = 1
"""
"""The key of a table whose rows it numbers has no index."""


@dataclass(slots=True)
class _OnlyReads:
    """SQLite asks it about each part of a statement while it is prepared (https://sqlite.org/c3ref/set_authorizer.html).

    ``refused`` is the last thing that was not allowed, in words.
    """

    refused: str | None = None

    def __call__(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() not in _REFUSED_FUNCTIONS
        elif action == sqlite3.SQLITE_UPDATE:
            # What a virtual table such as json_each declares itself with; SQLite lets nobody update this table.
            allowed = first in {"sqlite_master", "sqlite_schema"}
        elif action == sqlite3.SQLITE_PRAGMA:
            allowed = first == "data_version" and second is None  # of FTS5
        elif action == sqlite3.SQLITE_TRANSACTION:
            allowed = first in {"BEGIN", "ROLLBACK"}  # ours: inside of another statement SQLite knows none
        elif action == sqlite3.SQLITE_READ:
            allowed = not (first or "").lower().startswith("pragma_")  # PRAGMA as a table; refused only once it runs
        else:
            allowed = action in _READING
        if not allowed:
            name = second if action == sqlite3.SQLITE_FUNCTION else first
            self.refused = f"{_ACTIONS.get(action, 'a change of the database')} ({name})"
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


@dataclass(slots=True, kw_only=True)
class SqliteEngine(SqlEngine):
    """SQLite, in one connection."""

    only_reads: _OnlyReads = field(default_factory=_OnlyReads)
    name: str = "sqlite"

    def check_query(self, query: str) -> None:
        self.only_reads.refused = None
        try:
            self.file.execute(f"EXPLAIN {query}").close()
        except (sqlite3.Error, sqlite3.Warning) as error:
            if self.only_reads.refused is not None:
                raise SourceError(f"{NOT_ONE_SELECT}; it may not use {self.only_reads.refused}") from error
            if "one statement" in str(error):
                raise SourceError(f"{NOT_ONE_SELECT}; these are several statements") from error
            if isinstance(error, sqlite3.ProgrammingError):
                raise SourceError("a query has no parameters") from error
            raise SourceError(first_line(error)) from error

    @property
    def file(self) -> sqlite3.Connection:
        connection = self.connection.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - the driver of this engine
        return connection

    def unique_columns(self, table: str) -> list[frozenset[str]]:
        """But of columns that keep 7 and '7' apart, which are the same id."""
        schema, _, name = table.rpartition(".")
        self.file.set_authorizer(None)  # the pragmas that a query may not use
        try:
            found = self.file.execute(_UNIQUE, {"schema": schema or "main", "name": name}).fetchall()
        finally:
            self.file.set_authorizer(self.only_reads)
        return [frozenset(json.loads(columns)) for (columns,) in found]

    def warnings(self) -> list[str]:
        return []

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        try:
            description = self.connection.execute(star(rows)).cursor.description
        except sa.exc.SQLAlchemyError as error:
            raise SourceError(first_line(error)) from error
        return {column[0]: "any" for column in description}

    def tables(self) -> list[str]:
        found = self.file.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
        return [name for (name,) in found if not name.startswith("sqlite_")]


def open_sqlite(path: Path, *, snapshot: bool = False) -> SqliteEngine:
    """A SQLite file, read-only; with ``snapshot`` as it is at the first statement, until `SqliteEngine.release`."""
    if not path.is_file():
        raise SourceError(f"there is no SQLite file at {path}")
    uri = f"{path.resolve().as_uri()}?mode=ro"

    def connect_file() -> sqlite3.Connection:
        file = sqlite3.connect(uri, uri=True, timeout=30)
        file.text_factory = text_of_bytes
        file.create_function("lower", 1, lower_text, deterministic=True)  # for queries
        file.create_function("plgsync_lower", 1, lower_text, deterministic=True)
        # Not every SQLite is built with the functions of mathematics.
        file.create_function("power", 2, math.pow, deterministic=True)
        file.create_function("plgsync_trim", 1, trim_text, deterministic=True)
        file.create_function("plgsync_time", 6, sqlite_time, deterministic=True)
        file.create_function("plgsync_number", 4, read_number, deterministic=True)
        return file

    engine = sa.create_engine("sqlite://", creator=connect_file, poolclass=StaticPool)
    connection = connect(engine, f"the SQLite file {path}", "SELECT count(*) FROM sqlite_master")
    opened = SqliteEngine(engine, connection)
    opened.file.set_authorizer(opened.only_reads)
    if snapshot:
        opened.file.execute("BEGIN")
    return opened
