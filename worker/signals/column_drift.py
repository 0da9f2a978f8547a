"""Files of one table whose columns differ: a column that is missing, renamed, or of another kind in one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from worker.language.plural import counted
from worker.language.suggest import nearest, suggestion
from worker.signals.constructs import Kind
from worker.signals.csv_files import Header
from worker.signals.duck_kinds import duck_kind
from worker.signals.errors import SourceError

_OF_TEXT: tuple[Kind, ...] = ("number", "flag", "date", "naive", "time", "json")
_MIXED: frozenset[frozenset[Kind]] = frozenset(
    {frozenset[Kind]({"number", "float"}), *(frozenset[Kind]({"text", kind}) for kind in _OF_TEXT)}
)
"""Kinds that DuckDB brings together without loss: as a float or as text."""
_SAME_START = 4
"""Letters at which two names are alike: props and properties."""


class FileColumns(NamedTuple):
    """A file, its name in messages, and its columns; the types of a Parquet file, the header of a CSV."""

    path: Path
    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...] = ()
    header: Header | None = None

    def has(self, column: str) -> bool:
        """Whether there is such a column, in any case."""
        return column.lower() in {name.lower() for name in self.columns}

    def has_rows(self) -> bool:
        """Whether there is a row."""
        if self.header is not None:
            return self.header.has_rows
        import duckdb  # here, because commands that read no product data import this module too

        with duckdb.connect(":memory:") as connection:
            found = connection.execute("SELECT 1 FROM read_parquet(?) LIMIT 1", [str(self.path)])
            return found.fetchone() is not None


def partitions(files: Sequence[FileColumns]) -> tuple[str, ...]:
    """The columns that the folders of the files add (``day=2026-06-29/``): those that all have, and no file itself.

    Raises SourceError where the files have only some of them.
    """
    keys = {tuple(part.partition("=")[0] for part in file.path.parent.parts if "=" in part) for file in files}
    if len(keys) != 1:
        return ()
    added = keys.pop()
    own = {(key, file.has(key)) for key in added for file in files}
    if len({here for _, here in own}) > 1:
        file, key = next((file, key) for file in files for key in added if file.has(key))
        raise SourceError(
            f'{file.name} has the column "{key}" in the file and in the name of its folder, but not all files have all'
            f" columns that their folders name: rename the folders to names without ="
        )
    return () if any(here for _, here in own) else added


def check_columns(files: Sequence[FileColumns], required: Sequence[str], compared: Sequence[str]) -> None:
    """Raises SourceError when a file with rows lacks one of the columns and another file has it.

    A column that is not ``required`` may have been added later: all files before some file lack it, and none of them
    has a column with a name like it that the later files no longer have.
    """
    for column in dict.fromkeys((*required, *compared)):
        have = [file for file in files if file.has(column)]
        lack = [file for file in files if not file.has(column)] if have else []
        lack = [file for file in lack if file.has_rows()]
        if not lack or (column not in required and _is_added(column, have, lack)):
            continue
        first = next((file for file in lack if _like(column, file, have)), lack[0])
        others = f"; {have[0].name} has it"
        like = _like(column, first, have)
        hint = suggestion(column, first.columns, others) if like is None else f'. Did you mean "{like}"?'
        more = f" (and {counted(len(lack) - 1, 'more file')})" if len(lack) > 1 else ""
        raise SourceError(f'{first.name}{more} has no column "{column}"{hint}')


def _is_added(column: str, have: Sequence[FileColumns], lack: Sequence[FileColumns]) -> bool:
    last, first = max(map(_order, lack)), min(map(_order, have))
    return last < first and not any(_like(column, file, have) for file in lack)


def _order(file: FileColumns) -> list[tuple[int, str]]:
    """By the name, with the numbers in it as numbers."""
    parts = re.split(r"([0-9]+)", file.name)
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


def _like(column: str, file: FileColumns, have: Sequence[FileColumns]) -> str | None:
    """The column of ``file`` that may be ``column`` under another name: no file that has ``column`` has it too."""
    own = [name for name in file.columns if not any(other.has(name) for other in have)]
    return nearest(column, own) or next((name for name in own if _alike(_squashed(name), _squashed(column))), None)


def _alike(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= _SAME_START - 1 and (short in long or short[:_SAME_START] == long[:_SAME_START])


def _squashed(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def check_kinds(files: Sequence[FileColumns], compared: Sequence[str]) -> None:
    """Raises SourceError when a column is of one kind in one Parquet file and of another one in the next."""
    wanted = {column.lower() for column in compared}
    first_of: dict[str, dict[Kind, tuple[str, str]]] = {}
    for file in files:
        for column, of_type in zip(file.columns, file.types, strict=False):
            if column.lower() not in wanted or of_type == '"NULL"':
                continue
            kind = duck_kind(of_type)
            seen = first_of.setdefault(column.lower(), {})
            for other, (name, its_type) in seen.items():
                if other != kind and frozenset({other, kind}) not in _MIXED:
                    raise SourceError(
                        f'column "{column}" is {its_type} in {name} and {of_type} in {file.name}: write all files with'
                        " the same type, or map a query that converts it"
                    )
            seen.setdefault(kind, (file.name, of_type))
