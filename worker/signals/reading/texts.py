"""A cell as text: ids, names, plans, properties of JSON; without blanks around it and words for nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement

from worker.signals.constructs import Column, Kind, sql_of

NOTHING = (
    *("", "null", "(null)", "<null>", "\\n", "none", "nil", "nan", "nat", "<na>", "n/a", "#n/a", "undefined"),
    *("[object object]", "(not set)", "-", "00000000-0000-0000-0000-000000000000"),
    "0000-00-00",
    "0000-00-00 00:00:00",
)
"""What exporters write for a value that is not there, in small letters."""
SPREADSHEET_ERRORS = ("#ref!", "#value!", "#name?", "#div/0!", "#num!", "#null!", "#error!", "#spill!", "#calc!")
"""What spreadsheets write for what they could not work out: no word, and a number, time or flag that cannot be read."""
BLANKS = (
    "".join(
        map(chr, (*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, 0x180E, *range(0x2000, 0x2010), 0x2028, 0x2029))
    )
    + "\u202f\u205f\u2060\u3000\ufeff"
)
"""Blanks that no key or name begins or ends with: also the no-break and the zero-width ones."""
NO_TEXT = "\ufffd"
"""Stands for a cell whose bytes are no UTF-8."""
INFINITE = "∞"
"""Stands for an infinite number in a column that is copied as text."""


class TrimmedText(ColumnElement[Any]):
    """Text of a column in Unicode's form NFC, without blanks around it."""

    inherit_cache = False
    type = sa.Text()

    def __init__(self, column: Column) -> None:
        self.column = column


class LowerText(ColumnElement[Any]):
    """Text in small letters, of every alphabet."""

    inherit_cache = False
    type = sa.Text()

    def __init__(self, column: Column) -> None:
        self.column = column


class IdText(ColumnElement[Any]):
    """An id as text: 7 and 7.0 are the same account."""

    inherit_cache = False
    type = sa.Text()

    def __init__(self, column: Column, kind: Kind) -> None:
        self.column, self.kind = column, kind


class JsonText(ColumnElement[Any]):
    """A property of a JSON column as text; NULL where it is missing, null, or the cell is no JSON.

    ``path`` is tried as one key first, then as keys inside each other.
    """

    inherit_cache = False
    type = sa.Text()

    def __init__(self, column: Column, path: str, kind: Kind) -> None:
        self.column, self.path, self.kind = column, path, kind


class JsonOf(ColumnElement[Any]):
    """A list, a struct or JSON of the engine's own as JSON."""

    inherit_cache = False
    type = sa.JSON()

    def __init__(self, column: Column, kind: Kind) -> None:
        self.column, self.kind = column, kind


class IsObject(ColumnElement[Any]):
    """Whether a cell holds an object of JSON, in which properties have names.

    An empty list is one: PHP writes it for an object without properties. NaN and Infinity are no JSON.
    """

    inherit_cache = False
    type = sa.Boolean()

    def __init__(self, column: Column, kind: Kind) -> None:
        self.column, self.kind = column, kind


def clean_text(text: Column, nothing: Sequence[str]) -> Column:
    """``text`` trimmed and in NFC; NULL where it only says that there is nothing, or is no text at all."""
    return sa.case((says_something(text, (*nothing, NO_TEXT)), TrimmedText(text)))


def says_something(text: Column, nothing: Sequence[str]) -> Column:
    """Whether ``text`` is more than a word for nothing; NULL for NULL."""
    words = sa.tuple_(*map(written_text, nothing))
    return sa.not_(LowerText(TrimmedText(text)).bool_op("IN")(words))


def written_text(text: str) -> Column:
    """Text inside the statement, not beside it: databases group by an expression only if it is the same each time."""
    doubled = text.replace("'", "''")
    return sa.literal_column(f"'{doubled}'", sa.Text())


def text_of_bytes(value: bytes) -> str:
    """The text of a cell of SQLite, which never looks at the bytes of its texts; `NO_TEXT` where they are none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return NO_TEXT


def trim_text(value: bytes | None) -> str | None:
    """`TrimmedText` for SQLite."""
    return None if value is None else unicodedata.normalize("NFC", text_of_bytes(value)).strip(BLANKS)


def lower_text(value: bytes | str | None) -> str | None:
    """`LowerText` for SQLite, whose own function leaves É as it is."""
    return (text_of_bytes(value) if isinstance(value, bytes) else str(value)).lower() if value is not None else None


_PLAIN = "[!-~]([ -~]*[!-~])?"
"""ASCII that neither begins nor ends with a blank stays as it is; DuckDB sees that in a tenth of the time it trims."""


@compiles(TrimmedText, "duckdb")
def _trimmed_duckdb(element: TrimmedText, compiler: SQLCompiler, **kw: Any) -> str:
    blanks, x = sql_of(compiler, written_text(BLANKS), **kw), sql_of(compiler, element.column, **kw)
    return f"CASE WHEN regexp_full_match({x}, '{_PLAIN}') THEN {x} ELSE trim(nfc_normalize({x}), {blanks}) END"


@compiles(TrimmedText, "postgresql")
def _trimmed_postgres(element: TrimmedText, compiler: SQLCompiler, **kw: Any) -> str:
    blanks = sql_of(compiler, written_text(BLANKS), **kw)
    return f"btrim(normalize({sql_of(compiler, element.column, **kw)}, NFC), {blanks})"


@compiles(TrimmedText, "sqlite")
def _trimmed_sqlite(element: TrimmedText, compiler: SQLCompiler, **kw: Any) -> str:
    return f"plgsync_trim({bytes_of(sql_of(compiler, element.column, **kw))})"


def bytes_of(x: str) -> str:
    """A text of SQLite as a function of ours takes it: text that is no UTF-8 would stop the query."""
    return f"CAST({x} AS BLOB)"


@compiles(LowerText)
def _lower(element: LowerText, compiler: SQLCompiler, **kw: Any) -> str:
    return f"lower({sql_of(compiler, element.column, **kw)})"


@compiles(LowerText, "sqlite")
def _lower_sqlite(element: LowerText, compiler: SQLCompiler, **kw: Any) -> str:
    return f"plgsync_lower({bytes_of(sql_of(compiler, element.column, **kw))})"


# --- ids -----------------------------------------------------------------------------------------------------


@compiles(IdText, "postgresql")
@compiles(IdText, "duckdb")
def _id_text(element: IdText, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    if element.kind != "float":
        return f"CAST({x} AS VARCHAR)"
    whole = f"abs({x}) < 9e15 AND {x} = floor({x})"
    return f"CASE WHEN {whole} THEN CAST(CAST({x} AS BIGINT) AS VARCHAR) ELSE CAST({x} AS VARCHAR) END"


@compiles(IdText, "sqlite")
def _id_text_sqlite(element: IdText, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    whole = f"CAST({x} AS INTEGER)"
    return f"CAST(CASE WHEN typeof({x}) = 'real' AND {x} = {whole} THEN {whole} ELSE {x} END AS TEXT)"


# --- JSON ----------------------------------------------------------------------------------------------------


@compiles(JsonOf)
def _json_of(element: JsonOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    to_json = "to_json" if compiler.dialect.name == "duckdb" else "to_jsonb"
    return f"{to_json}({x})" if element.kind in {"struct", "list"} else x


def _paths(path: str) -> list[list[str]]:
    keys = path.split(".")
    return [[path], keys] if len(keys) > 1 else [keys]


_OBJECT = r"^\s*(\{|\[\s*\]\s*$)"
"""How JSON begins that is an object or an empty list."""
_STRINGS = r'"([^"\\]|\\.)*"'


@compiles(IsObject, "postgresql")
def _is_object_postgres(element: IsObject, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    if element.kind == "struct":
        return "TRUE"
    if element.kind == "json":
        return f"(jsonb_typeof({x}) = 'object' OR {x} = '[]')"
    x = f"CAST({x} AS TEXT)"
    version = getattr(compiler.dialect, "server_version_info", None) or (16,)
    valid = f" AND pg_input_is_valid({x}, 'jsonb')" if version >= (16,) else ""
    return f"({x} ~ '{_OBJECT}'{valid})"


@compiles(IsObject, "duckdb")
def _is_object_duckdb(element: IsObject, compiler: SQLCompiler, **kw: Any) -> str:
    if element.kind == "struct":
        return "TRUE"
    x = _duck_json(element, compiler, **kw)
    valid = [] if element.kind == "json" else [f"json_valid({x})"]
    # To search a text costs a tenth of what a pattern does; few cells need one.
    begins = f"CASE WHEN starts_with({x}, '{{') THEN TRUE ELSE regexp_matches({x}, '{_OBJECT}') END"
    bare = f"regexp_replace({x}, '{_STRINGS}', '', 'g')"
    infinite = " OR ".join(
        f"CASE WHEN contains({x}, '{word}') THEN contains({bare}, '{word}') ELSE FALSE END"
        for word in ("NaN", "Infinity")
    )
    return f"({' AND '.join([*valid, begins, f'NOT ({infinite})'])})"


@compiles(IsObject, "sqlite")
def _is_object_sqlite(element: IsObject, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    object_ = f"json_type({x}) = 'object' OR json({x}) = '[]'"
    return f"(CASE WHEN json_valid({x}) THEN {object_} ELSE FALSE END AND plgsync_trim({bytes_of(x)}) <> '{NO_TEXT}')"


@compiles(JsonText, "postgresql")
def _json_postgres(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    whole = {"json": x, "struct": f"to_jsonb({x})"}.get(element.kind, f"CAST({x} AS JSONB)")
    found = []
    for keys in _paths(element.path):
        literals = [sql_of(compiler, sa.literal(key, sa.Text()), **kw) for key in keys]
        found.append(f"({' -> '.join([whole, *literals[:-1]])} ->> {literals[-1]})")
    value = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
    if element.kind in {"json", "struct"}:
        return value
    return f"CASE WHEN {_is_object_postgres(IsObject(element.column, element.kind), compiler, **kw)} THEN {value} END"


def _json_path(keys: Sequence[str], compiler: SQLCompiler, **kw: Any) -> str:
    path = "$" + "".join(f'."{key}"' for key in keys)
    return sql_of(compiler, sa.literal(path, sa.Text()), **kw)


def _duck_json(element: JsonText | IsObject, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    return f"to_json({x})" if element.kind == "struct" else f"CAST({x} AS VARCHAR)"


@compiles(JsonText, "duckdb")
def _json_duckdb(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    x = _duck_json(element, compiler, **kw)
    found = [f"json_extract_string({x}, {_json_path(keys, compiler, **kw)})" for keys in _paths(element.path)]
    value = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
    return value if element.kind == "struct" else f"CASE WHEN json_valid({x}) THEN {value} END"


@compiles(JsonText, "sqlite")
def _json_sqlite(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    found = []
    for keys in _paths(element.path):
        kind = f"json_type({x}, {_json_path(keys, compiler, **kw)})"
        value = f"json_extract({x}, {_json_path(keys, compiler, **kw)})"
        # json_extract turns true into 1: json_type keeps the two apart.
        found.append(f"CASE WHEN {kind} IN ('true', 'false') THEN {kind} ELSE CAST({value} AS TEXT) END")
    value = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
    return f"CASE WHEN json_valid({x}) THEN {value} END"
