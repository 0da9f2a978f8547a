"""Parquet and CSV files as one relation: every file is looked at before any row is read.

Every column of a CSV is text, whatever its cells look like: what a column holds is said by our schema, never guessed
from rows. The first line that is not blank names the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from worker.signals.column_drift import FileColumns, check_columns, check_kinds, partitions
from worker.signals.csv_files import csv_header, is_gzip
from worker.signals.errors import NoFile, SourceError
from worker.signals.table_files import reader_of, table_files


class Needed(NamedTuple):
    """Their names of the columns a table may have, of those every file must have, and of those that must not drift."""

    wanted: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()


class Readable(NamedTuple):
    """Files, and folders with all that is in them."""

    files: list[str]
    folders: list[str]


def files_relation(folder: Path, table: str, needed: Needed = Needed(), encoding: str = "utf-8") -> str:  # noqa: B008 - frozen
    """SQL that reads the files ``table`` stands for: a file with or without its ending, a folder, or a pattern.

    Raises SourceError when there is none, when one would be left out, or when a column that is needed differs between
    the files: it is missing in one, has another name there, or is of another kind.
    """
    folder = folder.resolve()
    paths = table_files(folder, table)
    if not paths:
        raise NoFile(f'there is no Parquet or CSV file for "{table}" in {folder}')
    is_parquet = reader_of(paths[0].name) == "read_parquet"
    files = list(_parquet(paths, folder) if is_parquet else _csv(paths, folder, needed, encoding))
    partitioned = partitions(files)
    if partitioned:
        files = [file._replace(columns=(*file.columns, *partitioned)) for file in files]
    check_columns(files, needed.required, needed.compared)
    check_kinds(files, needed.compared)
    if not files:
        columns = ", ".join(f"NULL::VARCHAR AS {quoted(column)}" for column in needed.wanted) or "NULL AS nothing"
        return f"SELECT {columns} WHERE false"
    hive = f"hive_partitioning = {bool(partitioned)}"
    if is_parquet:
        return f"SELECT * FROM read_parquet({_list(files)}, union_by_name = true, {hive})"  # noqa: S608 - quotes are doubled
    return _csv_union(files, encoding, hive)


def _parquet(paths: Sequence[Path], folder: Path) -> Iterator[FileColumns]:
    import duckdb  # here, because commands that read no product data import this module too

    with duckdb.connect(":memory:") as connection:
        for path in paths:
            name = str(path.relative_to(folder))
            probe = "SELECT * FROM read_parquet(?, hive_partitioning = false) LIMIT 0"
            try:
                columns = connection.execute(probe, [str(path)]).description or ()
            except duckdb.Error as error:
                raise SourceError(f"cannot read {name}: {str(error).splitlines()[0]}") from error
            kinds = tuple(str(column[1]) for column in columns)
            yield FileColumns(path, name, tuple(str(column[0]) for column in columns), kinds)


def _csv(paths: Sequence[Path], folder: Path, needed: Needed, encoding: str) -> Iterator[FileColumns]:
    for path in paths:
        name = str(path.relative_to(folder))
        header = csv_header(path, name, encoding, needed.wanted + needed.compared)
        if header is not None:
            yield FileColumns(path, name, header.columns, header=header)


def _csv_union(files: Sequence[FileColumns], encoding: str, hive: str) -> str:
    shapes: dict[tuple[str, int, bool, tuple[str, ...]], list[FileColumns]] = {}
    for file in files:
        if file.header is not None:
            shape = (file.header.delimiter, file.header.skipped, is_gzip(file.name), file.header.columns)
            shapes.setdefault(shape, []).append(file)
    return " UNION ALL BY NAME ".join(
        f"SELECT * FROM read_csv({_list(same)}, auto_detect = false, header = true, delim = {_text(delimiter)},"  # noqa: S608
        f" skip = {skipped}, compression = '{'gzip' if gzipped else 'none'}', quote = '\"', escape = '\"',"
        f" encoding = '{encoding}', {hive},"
        f" columns = {{{', '.join(f'{_text(column)}: {chr(39)}VARCHAR{chr(39)}' for column in columns)}}})"
        f" WHERE NOT ({' AND '.join(f'coalesce({quoted(column)} = {_text(column)}, false)' for column in columns)})"
        for (delimiter, skipped, gzipped, columns), same in shapes.items()
    )


def readable(folder: Path, database: Path | None = None) -> Readable:
    """What of ``folder`` a query may read: Parquet and CSV files, and folders with nothing else in them.

    Only in such a folder a query may use a pattern. Links are left out, and so are hidden folders. ``database`` is a
    DuckDB file that does no harm to its folder.
    """
    files: list[str] = []
    folders: list[str] = []
    nothing_else = True
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return Readable([], [])
    for path in entries:
        if path.is_symlink() or path.name.startswith("."):
            nothing_else = False
        elif path.is_dir():
            inner_files, inner_folders = readable(path)
            nothing_else = nothing_else and inner_folders == [str(path)]
            files += inner_files
            folders += inner_folders
        elif reader_of(path.name):
            files.append(str(path))
        elif database is None or path not in {database, database.with_name(f"{database.name}.wal")}:
            nothing_else = False
    return Readable([], [str(folder)]) if nothing_else and (files or folders) else Readable(files, folders)


def text_list(texts: Iterable[str]) -> str:
    """Texts as a list in DuckDB's SQL."""
    return f"[{', '.join(map(_text, texts))}]"


def _list(files: Sequence[FileColumns]) -> str:
    return text_list(str(file.path) for file in files)


def _text(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def quoted(column: str) -> str:
    """A name in DuckDB's SQL."""
    doubled = column.replace('"', '""')
    return f'"{doubled}"'
