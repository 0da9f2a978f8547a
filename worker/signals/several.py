"""Several sources as one: a temporary DuckDB that reads DuckDB files and folders in place and copies the rest.

A table of a DuckDB file or a folder becomes a view. A table of SQLite or PostgreSQL is copied in batches, only its
mapped columns; so is the result of a query. Cells read the same as on their own engine. The database is in memory and
goes to a temporary folder beyond the memory limit.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from worker.settings.product import ProductSettings, SourceSettings, TableMapping
from worker.settings.product_schema import kind_of
from worker.signals.constructs import Column, Kind
from worker.signals.duck import (
    DUCK,
    DuckEngine,
    add_views,
    check_file,
    check_folder,
    connect,
    lock_down,
    prepare_session,
)
from worker.signals.engines import Engine, first_line, render
from worker.signals.errors import SourceError
from worker.signals.files import Readable, quoted, readable
from worker.signals.postgres import open_postgres
from worker.signals.reading.texts import INFINITE, IdText, JsonOf, text_of_bytes
from worker.signals.source_columns import MARK, SourceColumn
from worker.signals.spill import SpillFolder
from worker.signals.sql import SqlEngine
from worker.signals.sqlite import open_sqlite
from worker.telemetry.steps import report_step

_BATCH = 20_000
_EXPONENT = 1e16
"""From here on Python writes a number with an exponent, as no time is written."""


@dataclass(frozen=True, slots=True)
class _Names:
    """Names in the temporary database. No query can know them, so that it reads its own source only."""

    schema: str
    """Where the tables are that were taken."""
    sources: tuple[str, ...]

    def of(self, source: str | None) -> str:
        """The database or schema of a source."""
        return f"{self.schema}_{self.sources.index(str(source))}"

    def of_table(self, name: str) -> str:
        return f"memory.{self.schema}.{quoted(name)}"


@dataclass(slots=True)
class Several:
    """The sources by name, and the temporary database their tables are brought into."""

    engine: DuckEngine
    readers: Mapping[str | None, Engine]
    untaken: dict[str | None, set[str]]
    """Source → its tables that are still to be taken."""
    names: _Names

    def take(
        self, name: str, mapping: TableMapping, rows: sa.FromClause, columns: Mapping[str, SourceColumn]
    ) -> tuple[sa.FromClause, dict[str, SourceColumn]]:
        """One table, brought into the database; its rows there, and its columns."""
        reader = self.readers[mapping.source]
        try:
            if isinstance(reader, SqlEngine):
                columns = self._copy(name, reader, rows, columns)
            else:
                self._refer(name, mapping, rows, sorted({column.name for column in columns.values()}))
        except duckdb.Error as error:
            raise SourceError(first_line(error)) from error
        self._taken(name, mapping.source)
        there: list[sa.ColumnClause[Any]] = [sa.column(quoted_name(one.name, quote=True)) for one in columns.values()]
        return sa.table(quoted_name(name, quote=True), *there, schema=self.names.schema), dict(columns)

    def _refer(self, name: str, mapping: TableMapping, rows: sa.FromClause, names: list[str]) -> None:
        reader = self.readers[mapping.source]
        assert isinstance(reader, DuckEngine)  # noqa: S101 - the others are copied
        if isinstance(rows, sa.TableClause):
            text = ".".join(
                quoted(part) for part in (self.names.of(mapping.source), str(rows.schema or "main"), rows.name)
            )
        else:
            text, _ = render(sa.select(sa.text("*")).select_from(rows), DUCK)
            text = f"({text}) s_rows"
        # A view would look for the tables of a query in this database and not in that of the source.
        what = "VIEW" if mapping.query is None else "TABLE"
        selected = ", ".join(map(quoted, names))
        reader.connection.execute(f"CREATE {what} {self.names.of_table(name)} AS SELECT {selected} FROM {text}")  # noqa: S608

    def _copy(
        self, name: str, reader: SqlEngine, rows: sa.FromClause, columns: Mapping[str, SourceColumn]
    ) -> dict[str, SourceColumn]:
        here = self.names.of_table(name)
        copied = {ours: _copied(name, ours, column, reader, rows) for ours, column in columns.items()}
        # Two names of ours may differ by case only, which names of columns in DuckDB may not.
        there = {ours: f"{place} {ours}" for place, ours in enumerate(copied)}
        made = ", ".join(f"{quoted(there[ours])} {one.type}" for ours, one in copied.items())
        self.engine.connection.execute(f"CREATE TABLE {here} ({made})")
        cast = ", ".join(
            f"TRY_CAST(unnest(${place}::VARCHAR[]) AS {one.type})" for place, one in enumerate(copied.values(), 1)
        )
        cells = [one.cell.label(f"s_{place}") for place, one in enumerate(copied.values())]
        copied_rows = 0
        for batch in reader.stream(sa.select(*cells).select_from(rows), _BATCH):
            report_step(f"copying table {name}, rows", copied_rows)
            copied_rows += len(batch)
            texts = [list(map(_text, column)) for column in zip(*batch, strict=True)]
            self.engine.connection.execute(f"INSERT INTO {here} SELECT {cast}", texts)
        return {
            ours: SourceColumn(there[ours], one.kind, columns[ours].written, copied_from=columns[ours].name)
            for ours, one in copied.items()
        }

    def _taken(self, name: str, source: str | None) -> None:
        reader = self.readers[source]
        self.untaken[source].discard(name)
        if isinstance(reader, SqlEngine) and not self.untaken[source]:
            reader.release()

    def close(self) -> None:
        """Close all sources and remove the database."""
        for reader in self.readers.values():
            reader.close()
        self.engine.close()


def open_several(product: ProductSettings, root: Path, urls: Mapping[str, str]) -> Several:
    """All sources of a project. ``urls`` are those of PostgreSQL. Raises SourceError with the name of a source."""
    memory = max((one.memory for one in product.sources.values()), key=_bytes)
    names = _Names(f"s_{secrets.token_hex(8)}", tuple(product.sources))
    with ExitStack() as opened:
        spill = SpillFolder()
        engine = DuckEngine(connect(None, spill, memory), spill)
        opened.callback(engine.close)
        engine.connection.execute(f"CREATE SCHEMA {names.schema}; USE memory.{names.schema}")
        readers: dict[str | None, Engine] = {}
        allowed = []
        for name, settings in product.sources.items():
            try:
                reader, may_read = _open(engine.connection, names.of(name), settings, root, urls.get(name, ""))
            except duckdb.Error as error:
                raise SourceError(f"source {name}: {first_line(error)}", ("sources", name)) from error
            except SourceError as error:
                raise SourceError(f"source {name}: {error}", ("sources", name)) from error
            opened.callback(reader.close)
            readers[name] = reader
            allowed += may_read
        lock_down(engine.connection, *allowed)
        mapped = product.mapped()
        for source, reader in readers.items():
            if isinstance(reader, DuckEngine) and reader.folder is not None:
                queries = [one.query for one in mapped.values() if one.source == source and one.query is not None]
                reader.files = add_views(reader.connection, reader.folder, queries)
        opened.pop_all()
    untaken = {name: {table for table, one in mapped.items() if one.source == name} for name in readers}
    return Several(engine, readers, untaken, names)


def _open(
    connection: duckdb.DuckDBPyConnection, place: str, settings: SourceSettings, root: Path, url: str
) -> tuple[Engine, list[Readable]]:
    """One source, whose names of DuckDB are in ``place``, and what of the file system its queries may read."""
    if settings.sqlite:
        return open_sqlite(root / settings.sqlite, snapshot=True), []
    if settings.postgres:
        return open_postgres(url), []
    if settings.duckdb:
        path = root / settings.duckdb
        check_file(path)
        file = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{file}' AS {place} (READ_ONLY)")
        return _reader(connection, place), [readable(path.parent.resolve(), path.resolve())]
    folder = root / str(settings.folder)
    check_folder(folder)
    folder = folder.resolve()
    connection.execute(f"CREATE SCHEMA {place}")
    reader = _reader(connection, f"memory.{place}")
    reader.folder = folder
    return reader, [readable(folder)]


def _reader(connection: duckdb.DuckDBPyConnection, place: str) -> DuckEngine:
    """A connection of its own, for which names without a schema are those in ``place``."""
    cursor = connection.cursor()
    prepare_session(cursor)
    cursor.execute(f"USE {place}")
    return DuckEngine(cursor)


def _text(cell: object) -> str | None:
    """A cell as text; SQLite may have bytes in any column."""
    if isinstance(cell, bytes):
        return text_of_bytes(cell)
    if isinstance(cell, float) and math.isinf(cell):
        return INFINITE
    if isinstance(cell, float) and _EXPONENT <= abs(cell) < 1e20:
        return f"{cell:.0f}"
    return None if cell is None else str(cell)


class _Copied(NamedTuple):
    """What is copied of a column, and what it is in DuckDB."""

    cell: Column
    kind: Kind = "text"
    type: str = "VARCHAR"


def _copied(table: str, ours: str, column: SourceColumn, reader: SqlEngine, rows: sa.FromClause) -> _Copied:
    """A column as our schema means it: numbers, times, flags and JSON of the engine's own kind keep it.

    All others are text; so is an extra column of SQLite with texts among its numbers.
    """
    cell: Column = sa.column(quoted_name(column.name, quote=True))
    text = sa.cast(cell, sa.Text())
    wanted = None if ours.startswith(("extra.", MARK)) else kind_of(table, ours)
    if wanted == "id" or (column.kind == "any" and wanted in {"text", "flag"}):
        return _Copied(IdText(cell, column.kind))
    if column.kind == "any":  # SQLite's own text of a number has 15 digits, Python's has all
        if wanted is None and _found(reader, rows, sa.func.typeof(cell)) <= {"integer", "real", "null"}:
            return _Copied(cell, "float", "DOUBLE")
        return _Copied(text if wanted == "json" else cell)
    if column.kind in {"time", "naive", "date"} and wanted in {None, "time"}:
        first: Column = sa.literal_column("'0001-01-01'")  # DuckDB does not read "44-03-15 BC"
        made = {"time": "TIMESTAMPTZ", "naive": "TIMESTAMP", "date": "DATE"}[column.kind]
        return _Copied(sa.cast(sa.case((cell < first, first), else_=cell), sa.Text()), column.kind, made)
    if column.kind == "flag" and wanted in {None, "flag"}:
        return _Copied(text, "flag", "BOOLEAN")
    if column.kind in {"json", "struct", "list"} and wanted in {None, "json"}:
        return _Copied(sa.cast(JsonOf(cell, column.kind), sa.Text()), "json", "JSON")
    if column.kind in {"number", "float"} and wanted in {None, "number"}:
        return _Copied(text, "float", "DOUBLE")
    return _Copied(text)


def _found(reader: SqlEngine, rows: sa.FromClause, kind: Column) -> set[str]:
    """The kinds of the cells of a column of theirs."""
    return {str(found) for (found,) in reader.run(sa.select(kind).select_from(rows).distinct())}


def _bytes(memory: str) -> int:
    return int(memory[:-2]) * {"MB": 1, "GB": 1000}[memory[-2:]]
