"""A cell as a finite number; whatever is no number in the column's own spelling is NULL, never 0."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement

from worker.signals.constructs import Column, Kind, sql_of
from worker.signals.reading.texts import BLANKS, bytes_of, text_of_bytes, written_text

# JSON's own grammar: every engine agrees on it, and "n/a", "inf" and "1,5" are not numbers.
NUMBER_TEXT = r"^-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,2})?$"
_NUMBER = re.compile(NUMBER_TEXT, re.ASCII)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How the numbers of a column are written, where that is not JSON's own way."""

    decimal: str = "."
    thousands: str | None = None
    strip: str | None = None

    @property
    def usual(self) -> bool:
        """Whether the cells are tested as they are."""
        return self == NumberFormat()

    @property
    def pattern(self) -> str:
        """What a cell looks like, with thousands in groups of three where there is a sign for them."""
        whole = r"-?(0|[1-9][0-9]{0,30})"
        if self.thousands is not None:
            whole = rf"-?(0|[1-9][0-9]{{0,30}}|[1-9][0-9]{{0,2}}([{self.thousands}][0-9]{{3}})+)"
        return rf"^{whole}([{self.decimal}][0-9]{{1,30}})?([eE][-+]?[0-9]{{1,2}})?$"


class NumberOf(ColumnElement[Any]):
    """A column as a finite number, or NULL."""

    inherit_cache = False
    type = sa.Double()

    def __init__(self, column: Column, kind: Kind, written: NumberFormat = NumberFormat()) -> None:
        self.column, self.kind, self.written = column, kind, written


def read_number(value: object, decimal: str, thousands: str | None, strip: str | None) -> float | None:
    """One cell as a number; None where it is none. SQLite reads formatted columns by this."""
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e308 else None
    text = text_of_bytes(value).strip(BLANKS + (strip or "")) if isinstance(value, bytes) else ""
    if not re.match(NumberFormat(decimal, thousands).pattern, text, re.ASCII):
        return None
    return float(text.replace(thousands or "\0", "").replace(decimal, "."))


@compiles(NumberOf, "postgresql")
def _number_postgres(element: NumberOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    if element.kind in {"number", "float"}:
        number = f"CAST({x} AS DOUBLE PRECISION)"
        return f"CASE WHEN {number} > '-Infinity' AND {number} < 'Infinity' THEN {number} END"
    text = _trimmed(f"CAST({x} AS TEXT)", element.written, compiler, **kw)
    guard = sql_of(compiler, sa.literal(element.written.pattern, sa.Text()), **kw)
    return f"CASE WHEN {text} ~ {guard} THEN CAST({_pointed(text, element.written)} AS DOUBLE PRECISION) END"


@compiles(NumberOf, "duckdb")
def _number_duckdb(element: NumberOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    if element.kind == "number":
        return f"CAST({x} AS DOUBLE)"
    if element.kind == "float":
        return f"CASE WHEN isfinite({x}) THEN CAST({x} AS DOUBLE) END"
    text = _trimmed(f"CAST({x} AS VARCHAR)", element.written, compiler, **kw)
    guard = sql_of(compiler, sa.literal(element.written.pattern, sa.Text()), **kw)
    return f"CASE WHEN regexp_matches({text}, {guard}) THEN TRY_CAST({_pointed(text, element.written)} AS DOUBLE) END"


def _trimmed(text: str, written: NumberFormat, compiler: SQLCompiler, **kw: Any) -> str:
    trim = "btrim" if compiler.dialect.name == "postgresql" else "trim"
    return f"{trim}({text}, {sql_of(compiler, written_text(BLANKS + (written.strip or '')), **kw)})"


def _pointed(text: str, written: NumberFormat) -> str:
    if written.thousands is not None:
        sign = written.thousands.replace("'", "''")
        text = f"replace({text}, '{sign}', '')"
    return text if written.decimal == "." else f"replace({text}, '{written.decimal}', '.')"


@compiles(NumberOf, "sqlite")
def _number_sqlite(element: NumberOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    if not element.written.usual:
        parts = (element.written.decimal, element.written.thousands, element.written.strip)
        literals = ", ".join(sql_of(compiler, sa.literal(part, sa.Text()), **kw) for part in parts)
        return f"plgsync_number(CASE WHEN typeof({x}) = 'text' THEN {bytes_of(x)} ELSE {x} END, {literals})"
    text = f"plgsync_trim({bytes_of(x)})"
    # CAST('n/a' AS REAL) is 0.0 here; a JSON number is the one thing SQLite recognises without regular expressions.
    return (
        f"CASE WHEN typeof({x}) IN ('integer', 'real') THEN CASE WHEN abs({x}) < 9e999 THEN CAST({x} AS REAL) END"
        f" WHEN json_valid({text}) AND length({text}) <= 66 AND {text} NOT GLOB '*[eE]*[0-9][0-9][0-9]'"
        f" THEN CASE WHEN json_type({text}) IN ('integer', 'real') THEN CAST({text} AS REAL) END END"
    )
