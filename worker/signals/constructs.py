"""What differs between engines, each difference once: moments, days, numbers in text, JSON, ids.

Every construct compiles for DuckDB, SQLite and PostgreSQL. A *moment* compares and sorts in time order inside its
engine: TIMESTAMP in UTC on DuckDB, whatever time type the column has on PostgreSQL (the session is UTC), text
``YYYY-MM-DD HH:MM:SS[.ffffff]`` on SQLite.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement

Kind = Literal["time", "text", "number", "float", "flag", "json", "any", "other"]
"""The kind of a column by its engine; ``any`` where the engine has none (SQLite)."""

Column = ColumnElement[Any]
# JSON's own grammar: every engine agrees on it, and "n/a", "inf" and "1,5" are not numbers.
NUMBER_TEXT = r"^-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,2})?$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}.*)?$"


class MomentLiteral(ColumnElement[Any]):
    """A moment as a bound parameter."""

    inherit_cache = False
    type = sa.DateTime(timezone=True)

    def __init__(self, moment: datetime) -> None:
        self.moment = moment.astimezone(UTC)


class MomentOf(ColumnElement[Any]):
    """A source column as a moment; NULL when it is not a time."""

    inherit_cache = False
    type = sa.DateTime(timezone=True)

    def __init__(self, column: Column, kind: Kind) -> None:
        self.column, self.kind = column, kind


class DayOf(ColumnElement[Any]):
    """The day a moment falls on. ``offsets`` is given for zones other than UTC."""

    inherit_cache = False
    type = sa.Date()

    def __init__(self, moment: Column, zone: str, offsets: list[tuple[datetime, timedelta]]) -> None:
        self.moment, self.zone, self.offsets = moment, zone, offsets


class NumberOf(ColumnElement[Any]):
    """A column as a finite number; text that is no number is NULL, never 0."""

    inherit_cache = False
    type = sa.Double()

    def __init__(self, column: Column, kind: Kind) -> None:
        self.column, self.kind = column, kind


class JsonText(ColumnElement[Any]):
    """A property of a JSON column as text; NULL where it is missing, null, or the column is not JSON."""

    inherit_cache = False
    type = sa.Text()

    def __init__(self, column: Column, key: str, kind: Kind) -> None:
        self.column, self.key, self.kind = column, key, kind


class IdText(ColumnElement[Any]):
    """An id as text: 7 and 7.0 are the same account."""

    inherit_cache = False
    type = sa.Text()

    def __init__(self, column: Column, kind: Kind) -> None:
        self.column, self.kind = column, kind


def _sql(compiler: SQLCompiler, element: Any, **kw: Any) -> str:
    return str(compiler.process(element, **kw))


# --- moments -------------------------------------------------------------------------------------------------


@compiles(MomentLiteral, "postgresql")
def _moment_postgres(element: MomentLiteral, compiler: SQLCompiler, **kw: Any) -> str:
    return _sql(compiler, sa.literal(element.moment, sa.DateTime(timezone=True)), **kw)


@compiles(MomentLiteral, "duckdb")
def _moment_duckdb(element: MomentLiteral, compiler: SQLCompiler, **kw: Any) -> str:
    return _sql(compiler, sa.literal(element.moment.replace(tzinfo=None), sa.DateTime()), **kw)


@compiles(MomentLiteral, "sqlite")
def _moment_sqlite(element: MomentLiteral, compiler: SQLCompiler, **kw: Any) -> str:
    return _sql(compiler, sa.literal(sqlite_moment(element.moment), sa.Text()), **kw)


def sqlite_moment(moment: datetime) -> str:
    """The shortest text of ``moment``: any longer spelling of the same moment sorts at or after it."""
    text = moment.replace(tzinfo=None).isoformat(" ")
    return text.rstrip("0") if moment.microsecond else text


@compiles(MomentOf, "postgresql")
def _moment_of_postgres(element: MomentOf, compiler: SQLCompiler, **kw: Any) -> str:
    column = _sql(compiler, element.column, **kw)
    if element.kind != "text":
        return column
    guard = _sql(compiler, sa.literal(_DATE, sa.Text()), **kw)
    return f"CASE WHEN {column} ~ {guard} THEN CAST({column} AS TIMESTAMP WITH TIME ZONE) END"


@compiles(MomentOf, "duckdb")
def _moment_of_duckdb(element: MomentOf, compiler: SQLCompiler, **kw: Any) -> str:
    column = _sql(compiler, element.column, **kw)
    if element.kind == "text":
        return f"CAST(TRY_CAST({column} AS TIMESTAMPTZ) AS TIMESTAMP)"
    return f"CAST({column} AS TIMESTAMP)"


@compiles(MomentOf, "sqlite")
def _moment_of_sqlite(element: MomentOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = _sql(compiler, element.column, **kw)
    day = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
    minute = f"{day}[ T][0-9][0-9]:[0-9][0-9]"
    plain = f"replace(replace(replace({x}, 'T', ' '), 'Z', ''), '+00:00', '')"
    return (
        f"CASE WHEN typeof({x}) IN ('integer', 'real') THEN strftime('%Y-%m-%d %H:%M:%f', {x}, 'unixepoch')"
        f" WHEN {x} GLOB '{day}' THEN {x} || ' 00:00:00'"
        f" WHEN {x} GLOB '{minute}' THEN replace({x}, 'T', ' ') || ':00'"
        f" WHEN {x} GLOB '{minute}*+00:00' THEN {plain}"
        f" WHEN {x} GLOB '{minute}*[-+][0-9][0-9]:[0-9][0-9]' THEN strftime('%Y-%m-%d %H:%M:%f', {x})"
        f" WHEN {x} GLOB '{minute}*[-+][0-9][0-9]' THEN strftime('%Y-%m-%d %H:%M:%f', {x} || ':00')"
        f" WHEN {x} GLOB '{minute}*' THEN {plain} END"
    )


# --- days ----------------------------------------------------------------------------------------------------


@compiles(DayOf, "postgresql")
def _day_postgres(element: DayOf, compiler: SQLCompiler, **kw: Any) -> str:
    zone = _sql(compiler, sa.literal(element.zone, sa.Text()), **kw)
    moment = _sql(compiler, element.moment, **kw)
    return f"CAST(timezone({zone}, CAST({moment} AS TIMESTAMP WITH TIME ZONE)) AS DATE)"


@compiles(DayOf, "duckdb")
def _day_duckdb(element: DayOf, compiler: SQLCompiler, **kw: Any) -> str:
    moment = _sql(compiler, element.moment, **kw)
    if element.zone == "UTC":
        return f"CAST({moment} AS DATE)"
    zone = _sql(compiler, sa.literal(element.zone, sa.Text()), **kw)
    return f"CAST(timezone({zone}, timezone('UTC', {moment})) AS DATE)"


@compiles(DayOf, "sqlite")
def _day_sqlite(element: DayOf, compiler: SQLCompiler, **kw: Any) -> str:
    moment = _sql(compiler, element.moment, **kw)
    if element.zone == "UTC":
        return f"substr({moment}, 1, 10)"
    shifts = [f"'{int(shift.total_seconds() // 60):+d} minutes'" for _, shift in element.offsets]
    cases = "".join(
        f" WHEN {moment} >= {_sql(compiler, MomentLiteral(since), **kw)} THEN {shift}"
        for (since, _), shift in reversed(list(zip(element.offsets[1:], shifts[1:], strict=True)))
    )
    shift = f"CASE{cases} ELSE {shifts[0]} END" if cases else shifts[0]
    # Whole seconds: SQLite rounds to the millisecond, which could move 23:59:59.9996 into the next day.
    return f"date(substr({moment}, 1, 19), {shift})"


# --- numbers -------------------------------------------------------------------------------------------------


@compiles(NumberOf, "postgresql")
def _number_postgres(element: NumberOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = _sql(compiler, element.column, **kw)
    if element.kind in {"number", "float"}:
        number = f"CAST({x} AS DOUBLE PRECISION)"
        return f"CASE WHEN {number} > '-Infinity' AND {number} < 'Infinity' THEN {number} END"
    guard = _sql(compiler, sa.literal(NUMBER_TEXT, sa.Text()), **kw)
    return f"CASE WHEN trim(CAST({x} AS TEXT)) ~ {guard} THEN CAST(trim(CAST({x} AS TEXT)) AS DOUBLE PRECISION) END"


@compiles(NumberOf, "duckdb")
def _number_duckdb(element: NumberOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = _sql(compiler, element.column, **kw)
    if element.kind == "number":
        return f"CAST({x} AS DOUBLE)"
    if element.kind == "float":
        return f"CASE WHEN isfinite({x}) THEN CAST({x} AS DOUBLE) END"
    guard = _sql(compiler, sa.literal(NUMBER_TEXT, sa.Text()), **kw)
    text = f"trim(CAST({x} AS VARCHAR))"
    return f"CASE WHEN regexp_matches({text}, {guard}) THEN TRY_CAST({text} AS DOUBLE) END"


@compiles(NumberOf, "sqlite")
def _number_sqlite(element: NumberOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = _sql(compiler, element.column, **kw)
    text = f"trim({x})"
    # CAST('n/a' AS REAL) is 0.0 here; a JSON number is the one thing SQLite recognises without regular expressions.
    return (
        f"CASE WHEN typeof({x}) IN ('integer', 'real') THEN CASE WHEN abs({x}) < 9e999 THEN CAST({x} AS REAL) END"
        f" WHEN json_valid({text}) AND length({text}) <= 66 AND {text} NOT GLOB '*[eE]*[0-9][0-9][0-9]'"
        f" THEN CASE WHEN json_type({text}) IN ('integer', 'real') THEN CAST({text} AS REAL) END END"
    )


# --- JSON ----------------------------------------------------------------------------------------------------


@compiles(JsonText, "postgresql")
def _json_postgres(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    x = _sql(compiler, element.column, **kw)
    key = _sql(compiler, sa.literal(element.key, sa.Text()), **kw)
    if element.kind == "json":
        return f"({x} ->> {key})"
    return f"(CAST({x} AS JSONB) ->> {key})"


def _json_path(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    return _sql(compiler, sa.literal(f'$."{element.key}"', sa.Text()), **kw)


@compiles(JsonText, "duckdb")
def _json_duckdb(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    x = f"CAST({_sql(compiler, element.column, **kw)} AS VARCHAR)"
    return f"CASE WHEN json_valid({x}) THEN json_extract_string({x}, {_json_path(element, compiler, **kw)}) END"


@compiles(JsonText, "sqlite")
def _json_sqlite(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    x = _sql(compiler, element.column, **kw)
    kind = f"json_type({x}, {_json_path(element, compiler, **kw)})"
    value = f"json_extract({x}, {_json_path(element, compiler, **kw)})"
    # json_extract turns true into 1: json_type keeps the two apart.
    return (
        f"CASE WHEN json_valid({x}) THEN CASE WHEN {kind} IN ('true', 'false') THEN {kind}"
        f" ELSE CAST({value} AS TEXT) END END"
    )


# --- ids -----------------------------------------------------------------------------------------------------


@compiles(IdText, "postgresql")
@compiles(IdText, "duckdb")
def _id_text(element: IdText, compiler: SQLCompiler, **kw: Any) -> str:
    x = _sql(compiler, element.column, **kw)
    whole = f"CAST({x} AS BIGINT)" if element.kind == "float" else x
    return f"CAST({whole} AS VARCHAR)"


@compiles(IdText, "sqlite")
def _id_text_sqlite(element: IdText, compiler: SQLCompiler, **kw: Any) -> str:
    x = _sql(compiler, element.column, **kw)
    whole = f"CAST({x} AS INTEGER)"
    return f"CAST(CASE WHEN typeof({x}) = 'real' AND {x} = {whole} THEN {whole} ELSE {x} END AS TEXT)"
