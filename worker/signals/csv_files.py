"""CSV files: the line that names the columns, and what is wrong with a line.

The sign between fields is the one that the first line has. No message repeats a cell: it may hold personal data.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from worker.language.plural import counted
from worker.signals.errors import SourceError
from worker.signals.reading.texts import BLANKS

_DELIMITERS = ",;\t|"
_HEAD = 1 << 16
_LINE_END = re.compile(r"\r\n|\r|\n")
_VALUE = re.compile(
    r"[^@]*@.*|(?=.*\d)[\W\d_]+|\d{4}-\d\d-\d\dT.*|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|[\[{].*", re.I | re.S
)
"""What no column is called: an e-mail address, a number, a day or time, a UUID, JSON."""


class Header(NamedTuple):
    """The columns of a file, the sign between them, and how many blank lines come before them."""

    columns: tuple[str, ...]
    delimiter: str
    skipped: int
    has_rows: bool


def is_gzip(name: str) -> bool:
    """Whether a file of this name is compressed."""
    return name.lower().endswith(".gz")


def csv_header(path: Path, name: str, encoding: str, wanted: Collection[str] = ()) -> Header | None:
    """The header of a file that messages call ``name``; None when the file holds nothing but blanks.

    Raises SourceError, with the line, when that line names no columns. A line with one of the ``wanted`` columns does.
    """
    text = _head(path, name, encoding)
    lines = _LINE_END.split(text)
    skipped = next((place for place, line in enumerate(lines) if line.strip(BLANKS)), None)
    if skipped is None:
        return None
    if skipped and len(set(_LINE_END.findall(text)[: skipped + 1])) > 1:  # DuckDB would find no row
        raise SourceError(f"{name}:1 is blank and does not end like the line of the names: remove the blank lines")
    line, where = lines[skipped], f"{name}:{skipped + 1}"
    if line.lower().startswith("sep="):
        raise SourceError(f'{where} begins with "sep=" instead of the names of the columns: remove this line')
    delimiter = max(_DELIMITERS, key=line.count)
    names = [one.strip(BLANKS) for one in next(csv.reader([line], delimiter=delimiter))]
    if not any(names):
        raise SourceError(f"{where} names no column: the first line that is not blank names the columns")
    lowered = [one.lower() for one in names]
    following = next((row for row in lines[skipped + 1 :] if row.strip(BLANKS)), "")
    row = next(csv.reader([following], delimiter=delimiter), [])
    if (any(map(_VALUE.fullmatch, filter(None, names))) or _are_alike(names, row)) and not {
        one.lower() for one in wanted
    } & {*lowered}:
        raise SourceError(f"{where} seems to hold data instead of the names of the columns: put the names before it")
    twice = [one for place, one in enumerate(names) if one and one.lower() in lowered[:place]]
    if twice:
        raise SourceError(f'{where} names the column "{twice[0]}" twice')
    columns = tuple(one or f"column {place}" for place, one in enumerate(names, 1))
    has_rows = path.stat().st_size >= _HEAD or any(row.strip(BLANKS) for row in lines[skipped + 1 :])
    return Header(columns, delimiter, skipped, has_rows)


def _are_alike(names: Sequence[str], row: Sequence[str]) -> bool:
    """Whether a name has digits where the cell below it has digits, such as ``acc_1`` above ``acc_27``."""
    pairs = zip(names, row, strict=False)
    return any(re.search(r"\d", name) and _form(name) == _form(cell.strip(BLANKS)) for name, cell in pairs)


def _form(text: str) -> str:
    return re.sub(r"\d+", "9", text)


def _head(path: Path, name: str, encoding: str) -> str:
    try:
        with gzip.open(path, "rb") if is_gzip(name) else path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {name}: {reason}") from error
    try:
        text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)().decode(head)
    except UnicodeDecodeError as error:
        line = 1 + head[: error.start].count(b"\n")
        message = f"{name}:{line} is not {encoding}: say its encoding under tables: encoding"
        raise SourceError(message) from error
    if len(head) == _HEAD and not text.strip(BLANKS):
        raise SourceError(f"{name}:1 begins with more than {_HEAD:,} bytes of blanks: remove them")
    return text


_LINE = re.compile(r"CSV Error on Line: (\d+)")
_FIELDS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_FILE = re.compile(r"^\s*file = (.+)$", re.MULTILINE)


def csv_problem(message: str, folder: Path | None) -> str | None:
    """DuckDB's message about a CSV as ``file:line`` and what is wrong there; None for other messages.

    The line itself is not repeated: it may hold personal data.
    """
    line, file = _LINE.search(message), _FILE.search(message)
    if file is None:
        return None
    path = Path(file[1].strip())
    where = path.relative_to(folder) if folder is not None and path.is_relative_to(folder) else path.name
    if line is None:
        mixed = "invalid state" in message
        return f"{where} cannot be read as CSV: its lines end in more than one way (LF, CR LF)" if mixed else None
    fields = _FIELDS.search(message)
    if fields is not None:
        what = f"has {counted(int(fields[2]), 'field')} instead of {fields[1]}"
    elif "unterminated quote" in message:
        what = "has a quote that is never closed"
    elif "unicode" in message.lower():
        what = "is not UTF-8: say its encoding under tables: encoding"
    elif "Maximum line size" in message:
        what = "is longer than 2,000,000 bytes, which is the most that is read: is a quote missing before it?"
    else:
        what = "cannot be read as CSV"
    return f"{where}:{line[1]} {what}"
