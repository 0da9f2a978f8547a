"""Parquet and CSV files as one relation: every file is looked at before any row is read.

Every column of a CSV is text, whatever its cells look like: what a column holds is said by our schema, never guessed
from rows. The first line names the columns; the sign between fields is the one that the first line has.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from worker.language.plural import counted
from worker.language.suggest import suggestion
from worker.signals.errors import NoFile, SourceError

_DELIMITERS = ",;\t|"
_ENDINGS = ("", ".parquet", ".csv", ".csv.gz", "/*.parquet", "/*.csv", "/*.csv.gz")


class Needed(NamedTuple):
    """Their names of the columns a table may have, and of those every file must have."""

    wanted: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


class Readable(NamedTuple):
    """Files, and folders with all that is in them."""

    files: list[str]
    folders: list[str]


class _File(NamedTuple):
    path: Path
    columns: tuple[str, ...]
    delimiter: str = ","


def reader_of(name: str) -> str | None:
    """DuckDB's function for a file of this name; None for other files."""
    if name.endswith(".parquet"):
        return "read_parquet"
    return "read_csv" if name.endswith((".csv", ".csv.gz")) else None


def files_relation(folder: Path, table: str, needed: Needed = Needed(), encoding: str = "utf-8") -> str:  # noqa: B008 - frozen
    """SQL that reads the files ``table`` stands for: a file with or without its ending, a folder, or a pattern.

    Raises SourceError when there is none, or when a file lacks a required column that others have.
    """
    folder = folder.resolve()
    for ending in _ENDINGS:
        name = f"{table}{ending}"
        reader = reader_of(name)
        if reader is None or Path(name).is_absolute() or ".." in Path(name).parts:
            continue
        paths = sorted(path for path in folder.glob(name) if path.is_file())
        if paths:
            for path in paths:
                if not path.resolve().is_relative_to(folder):
                    raise SourceError(f"{path.relative_to(folder)} is a link that leads out of {folder}")
            files = list(_parquet(paths) if reader == "read_parquet" else _csv(paths, folder, encoding))
            _check_columns(files, folder, needed.required)
            return _union(files, reader, needed.wanted, encoding)
    raise NoFile(f'there is no Parquet or CSV file for "{table}" in {folder}')


def _parquet(paths: Sequence[Path]) -> Iterator[_File]:
    import duckdb  # here, because commands that read no product data import this module too

    with duckdb.connect(":memory:") as connection:
        for path in paths:
            try:
                rows = connection.execute("SELECT * FROM read_parquet(?) LIMIT 0", [str(path)]).description or ()
            except duckdb.Error as error:
                raise SourceError(f"cannot read {path.name}: {str(error).splitlines()[0]}") from error
            yield _File(path, tuple(str(column[0]) for column in rows))


def _csv(paths: Sequence[Path], folder: Path, encoding: str) -> Iterator[_File]:
    for path in paths:
        line = _first_line(path, folder, encoding)
        if not line.strip():
            continue
        delimiter = max(_DELIMITERS, key=line.count)
        names = (name.strip() for name in next(csv.reader([line], delimiter=delimiter)))
        columns = tuple(name or f"column {place}" for place, name in enumerate(names, 1))
        twice = [name for place, name in enumerate(columns) if name.lower() in {one.lower() for one in columns[:place]}]
        if twice:
            raise SourceError(f'{path.relative_to(folder)}:1 names the column "{twice[0]}" twice')
        yield _File(path, columns, delimiter)


def _first_line(path: Path, folder: Path, encoding: str) -> str:
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
            head = file.read(1 << 16)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {path.relative_to(folder)}: {reason}") from error
    try:
        text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)().decode(head)
    except UnicodeDecodeError as error:
        line = 1 + head[: error.start].count(b"\n")
        message = f"{path.relative_to(folder)}:{line} is not {encoding}: say its encoding under tables: encoding"
        raise SourceError(message) from error
    return text.replace("\r\n", "\n").replace("\r", "\n").partition("\n")[0]


def _check_columns(files: Sequence[_File], folder: Path, required: Sequence[str]) -> None:
    for column in required:
        have = [file for file in files if _has(file, column)]
        lack = [file for file in files if not _has(file, column)]
        if have and lack:
            others = f"; {have[0].path.relative_to(folder)} has it"
            more = f" (and {counted(len(lack) - 1, 'more file')})" if len(lack) > 1 else ""
            raise SourceError(
                f'{lack[0].path.relative_to(folder)}{more} has no column "{column}"'
                f"{suggestion(column, lack[0].columns, others)}"
            )


def _has(file: _File, column: str) -> bool:
    return column.lower() in {name.lower() for name in file.columns}


def _union(files: Sequence[_File], reader: str, wanted: Sequence[str], encoding: str) -> str:
    if not files:
        columns = ", ".join(f"NULL::VARCHAR AS {quoted(column)}" for column in wanted) or "NULL AS nothing"
        return f"SELECT {columns} WHERE false"
    if reader == "read_parquet":
        return f"SELECT * FROM read_parquet({_list(files)}, union_by_name = true)"  # noqa: S608 - quotes are doubled
    shapes: dict[tuple[str, tuple[str, ...]], list[_File]] = {}
    for file in files:
        shapes.setdefault((file.delimiter, file.columns), []).append(file)
    return " UNION ALL BY NAME ".join(
        f"SELECT * FROM read_csv({_list(same)}, auto_detect = false, header = true, delim = {_text(delimiter)},"  # noqa: S608
        f" quote = '\"', escape = '\"', encoding = '{encoding}',"
        f" columns = {{{', '.join(f'{_text(column)}: {chr(39)}VARCHAR{chr(39)}' for column in columns)}}})"
        f" WHERE NOT ({' AND '.join(f'coalesce({quoted(column)} = {_text(column)}, false)' for column in columns)})"
        for (delimiter, columns), same in shapes.items()
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


def _list(files: Sequence[_File]) -> str:
    return text_list(str(file.path) for file in files)


def _text(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def quoted(column: str) -> str:
    """A name in DuckDB's SQL."""
    doubled = column.replace('"', '""')
    return f'"{doubled}"'


_LINE = re.compile(r"CSV Error on Line: (\d+)")
_FIELDS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_FILE = re.compile(r"^\s*file = (.+)$", re.MULTILINE)


def csv_problem(message: str, folder: Path | None) -> str | None:
    """DuckDB's message about a line of a CSV as ``file:line`` and what is wrong there; None for other messages.

    The line itself is not repeated: it may hold personal data.
    """
    line, file = _LINE.search(message), _FILE.search(message)
    if line is None or file is None:
        return None
    path = Path(file[1].strip())
    where = path.relative_to(folder) if folder is not None and path.is_relative_to(folder) else path.name
    fields = _FIELDS.search(message)
    if fields is not None:
        what = f"has {counted(int(fields[2]), 'field')} instead of {fields[1]}"
    elif "unterminated quote" in message:
        what = "has a quote that is never closed"
    elif "unicode" in message.lower():
        what = "is not UTF-8: say its encoding under tables: encoding"
    else:
        what = "cannot be read as CSV"
    return f"{where}:{line[1]} {what}"
