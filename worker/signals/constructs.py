"""What differs between engines: moments and days. How cells are read is in `worker.signals.reading`.

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

Kind = Literal[
    "time",
    "naive",
    "date",
    "text",
    "number",
    "float",
    "flag",
    "json",
    "struct",
    "list",
    "bytes",
    "any",
    "other",
]
"""The kind of a column by its engine.

``naive`` is a time without zone, ``date`` a day, ``any`` a column of no kind (SQLite).
"""

Column = ColumnElement[Any]


class MomentLiteral(ColumnElement[Any]):
    """A moment as a bound parameter."""

    inherit_cache = False
    type = sa.DateTime(timezone=True)

    def __init__(self, moment: datetime) -> None:
        self.moment = moment.astimezone(UTC)


class DayOf(ColumnElement[Any]):
    """The day a moment falls on. ``offsets`` is given for zones other than UTC."""

    inherit_cache = False
    type = sa.Date()

    def __init__(self, moment: Column, zone: str, offsets: list[tuple[datetime, timedelta]]) -> None:
        self.moment, self.zone, self.offsets = moment, zone, offsets


class SecondsUntil(ColumnElement[Any]):
    """How many seconds a moment lies before ``end``."""

    inherit_cache = False
    type = sa.Double()

    def __init__(self, moment: Column, end: datetime) -> None:
        self.moment, self.end = moment, end


def sql_of(compiler: SQLCompiler, element: Any, **kw: Any) -> str:
    """The SQL of one element."""
    return str(compiler.process(element, **kw))


# --- moments -------------------------------------------------------------------------------------------------


@compiles(MomentLiteral, "postgresql")
def _moment_postgres(element: MomentLiteral, compiler: SQLCompiler, **kw: Any) -> str:
    return sql_of(compiler, sa.literal(element.moment, sa.DateTime(timezone=True)), **kw)


@compiles(MomentLiteral, "duckdb")
def _moment_duckdb(element: MomentLiteral, compiler: SQLCompiler, **kw: Any) -> str:
    return sql_of(compiler, sa.literal(element.moment.replace(tzinfo=None), sa.DateTime()), **kw)


@compiles(MomentLiteral, "sqlite")
def _moment_sqlite(element: MomentLiteral, compiler: SQLCompiler, **kw: Any) -> str:
    return sql_of(compiler, sa.literal(sqlite_moment(element.moment), sa.Text()), **kw)


def sqlite_moment(moment: datetime) -> str:
    """The shortest text of ``moment``: any longer spelling of the same moment sorts at or after it."""
    text = moment.replace(tzinfo=None).isoformat(" ")
    return text.rstrip("0") if moment.microsecond else text


# --- days ----------------------------------------------------------------------------------------------------


@compiles(DayOf, "postgresql")
def _day_postgres(element: DayOf, compiler: SQLCompiler, **kw: Any) -> str:
    zone = sql_of(compiler, sa.literal(element.zone, sa.Text()), **kw)
    moment = sql_of(compiler, element.moment, **kw)
    return f"CAST(timezone({zone}, CAST({moment} AS TIMESTAMP WITH TIME ZONE)) AS DATE)"


@compiles(DayOf, "duckdb")
def _day_duckdb(element: DayOf, compiler: SQLCompiler, **kw: Any) -> str:
    moment = sql_of(compiler, element.moment, **kw)
    if element.zone == "UTC":
        return f"CAST({moment} AS DATE)"
    zone = sql_of(compiler, sa.literal(element.zone, sa.Text()), **kw)
    return f"CAST(timezone({zone}, timezone('UTC', {moment})) AS DATE)"


@compiles(DayOf, "sqlite")
def _day_sqlite(element: DayOf, compiler: SQLCompiler, **kw: Any) -> str:
    moment = sql_of(compiler, element.moment, **kw)
    if element.zone == "UTC":
        return f"substr({moment}, 1, 10)"
    shifts = [f"'{int(shift.total_seconds() // 60):+d} minutes'" for _, shift in element.offsets]
    cases = "".join(
        f" WHEN {moment} >= {sql_of(compiler, MomentLiteral(since), **kw)} THEN {shift}"
        for (since, _), shift in reversed(list(zip(element.offsets[1:], shifts[1:], strict=True)))
    )
    shift = f"CASE{cases} ELSE {shifts[0]} END" if cases else shifts[0]
    # Whole seconds: SQLite rounds to the millisecond, which could move 23:59:59.9996 into the next day.
    return f"date(substr({moment}, 1, 19), {shift})"


# --- lengths -------------------------------------------------------------------------------------------------


@compiles(SecondsUntil, "postgresql")
def _seconds_postgres(element: SecondsUntil, compiler: SQLCompiler, **kw: Any) -> str:
    moment = sql_of(compiler, element.moment, **kw)
    return f"({_seconds(element, compiler, **kw)} - CAST(EXTRACT(EPOCH FROM {moment}) AS DOUBLE PRECISION))"


@compiles(SecondsUntil, "duckdb")
def _seconds_duckdb(element: SecondsUntil, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({_seconds(element, compiler, **kw)} - epoch({sql_of(compiler, element.moment, **kw)}))"


@compiles(SecondsUntil, "sqlite")
def _seconds_sqlite(element: SecondsUntil, compiler: SQLCompiler, **kw: Any) -> str:
    moment = sql_of(compiler, element.moment, **kw)
    since_epoch = f"strftime('%s', substr({moment}, 1, 19)) + CAST(substr({moment}, 20) AS REAL)"
    return f"({_seconds(element, compiler, **kw)} - ({since_epoch}))"


def _seconds(element: SecondsUntil, compiler: SQLCompiler, **kw: Any) -> str:
    return sql_of(compiler, sa.literal(element.end.timestamp(), sa.Double()), **kw)
