"""Which files a table of a folder has: all of them are read, or the table is refused and the file is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from worker.signals.errors import SourceError

_LOGS = {"_delta_log": "Delta Lake", ".hoodie": "Hudi", "metadata/*.metadata.json": "Iceberg"}
"""The log of a table format in its folder."""
_ENDINGS = (".parquet", ".csv", ".csv.gz")


def reader_of(name: str) -> str | None:
    """DuckDB's function for a file of this name, whose ending is in any case; None for other files."""
    ending = _ending(name).lower()
    return None if not ending else "read_parquet" if ending == ".parquet" else "read_csv"


def table_files(folder: Path, table: str) -> list[Path]:
    """The files ``table`` stands for, sorted: a file with or without its ending, a folder, or a pattern.

    ``folder`` is resolved. Names that begin with ``_`` or ``.`` are left out, unless ``table`` names them. Raises
    SourceError, which names the file, for one that cannot be read together with the others.
    """
    if not Path(table).parts or Path(table).is_absolute() or ".." in Path(table).parts:
        return []
    exact = folder / table
    if reader_of(table) and exact.is_file():
        _check_inside(exact, folder)
        return [exact]
    forms = [path for path in _found(folder, table) if not path.is_dir() or _entries(path, folder)]
    if len(forms) > 1 and not any(sign in table for sign in "*?["):
        file, other = sorted((_name(path, folder) for path in forms[:2]), key=lambda name: name.endswith("/"))
        raise SourceError(f'"{table}" is both {file} and {other}: map {file} or {_pattern(other)}, or move one of them')
    files = sorted({file for form in forms for file in _data(form, folder, table)})
    _check_together(files, folder)
    _check_versions(files, folder)
    return files


def _found(folder: Path, table: str) -> list[Path]:
    """Files and folders whose name is ``table``, with an ending of ours or without."""
    name, ending = table.removesuffix(_ending(table)), _ending(table)
    patterns = [f"{name}{_any_case(one)}" for one in ([ending] if ending else ["", *_ENDINGS])]
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if not _is_hidden(path, folder, table))


def _data(path: Path, folder: Path, table: str) -> list[Path]:
    """The data files of a file or folder. Raises SourceError where another file would be left out."""
    _check_inside(path, folder)
    if not path.is_dir():
        _check_readable(path, folder, table)
        return [path]
    files = []
    for inner in _entries(path, folder):
        _check_inside(inner, folder)
        if inner.is_dir():
            deep = next(_deep(inner), None)
            if deep is not None:
                everything = f"{_name(path, folder)}**/*{_ending(deep.name)}"
                raise SourceError(
                    f"{_name(deep, folder)} lies in a folder of its own: map {everything} to read it too, or move it"
                )
        else:
            _check_readable(inner, folder, table)
            files.append(inner)
    return files


def _entries(path: Path, folder: Path) -> list[Path]:
    try:
        return sorted(inner for inner in path.iterdir() if not inner.name.startswith(("_", ".")))
    except OSError as error:
        raise SourceError(f"cannot read {_name(path, folder)}: {error.strerror}") from error


def _check_inside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder):
        raise SourceError(f"{path.relative_to(folder)} is a link that leads out of {folder}")


def _check_readable(path: Path, folder: Path, table: str) -> None:
    if reader_of(path.name) is None:
        name = _name(path, folder)
        pattern = Path(name).parent / "*.csv" if "/" in name else f"{table}.csv"
        raise SourceError(
            f"{name} is neither Parquet nor CSV (.parquet, .csv, .csv.gz): convert it or move it, or map the files that"
            f" count, such as {pattern}"
        )


def _check_together(files: list[Path], folder: Path) -> None:
    """Files of one format, and none of them in two forms."""
    names: dict[Path, Path] = {}
    formats: dict[str | None, Path] = {}
    for path in files:
        twin = names.setdefault(path.with_name(path.name.removesuffix(_ending(path.name))), path)
        if twin is not path:
            raise SourceError(
                f"{_name(twin, folder)} and {_name(path, folder)} may hold the same rows: move one of them"
            )
        formats.setdefault(reader_of(path.name), path)
    if len(formats) > 1:
        first, second = (_name(path, folder) for path in formats.values())
        raise SourceError(
            f"{first} and {second} cannot be read as one table: map the files that count, such as"
            f" {Path(second).parent / '*.csv'}, or move the others"
        )


def _check_versions(files: list[Path], folder: Path) -> None:
    """No files of a table format that keeps old versions: only its log says which files count."""
    inside = {place for file in files for place in file.parents if place.is_relative_to(folder)}
    for place in sorted(inside):
        for log, kind in _LOGS.items():
            if any(place.glob(log)):
                name = "the folder" if place == folder else _name(place, folder)
                raise SourceError(
                    f"{name} is a table of {kind}: its files also hold rows that were deleted or replaced, and only "
                    "its log tells them apart. Export the rows of today to files of their own"
                )


def _deep(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in sorted(folder.rglob("*"))
        if reader_of(path.name) and not any(part[0] in "_." for part in path.relative_to(folder).parts)
    )


def _is_hidden(path: Path, folder: Path, table: str) -> bool:
    named = Path(table).parts
    return any(
        part[0] in "_." and not (place < len(named) and named[place][0] == part[0])
        for place, part in enumerate(path.relative_to(folder).parts)
    )


def _name(path: Path, folder: Path) -> str:
    return f"{path.relative_to(folder)}/" if path.is_dir() else f"{path.relative_to(folder)}"


def _pattern(name: str) -> str:
    return f"{name}*.csv" if name.endswith("/") else name


def _ending(name: str) -> str:
    """The ending of ours as the name spells it; empty for other names."""
    for ending in _ENDINGS:
        if name.lower().endswith(ending):
            return name[-len(ending) :]
    return ""


def _any_case(ending: str) -> str:
    return "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in ending)
