"""A cell as a moment, in SQL: ISO 8601, numbers since 1970, a configured format, or the engine's own time.

Everything else is NULL and counts as unreadable. SQLite reads by `read_time`, DuckDB and PostgreSQL by SQL of the same
rules. Numbers are seconds, milliseconds, microseconds or nanoseconds by their magnitude (the ranges do not overlap
between 1973 and 2286), or a day as eight digits. A number whose unit is guessed so is believed from 2005 on, and not
far ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement

from worker.signals.constructs import Column, Kind, sql_of
from worker.signals.reading.texts import bytes_of
from worker.signals.reading.written_times import (
    CALENDAR_HOUR,
    DIGITS,
    EXTEND,
    FIRST_GUESSED,
    ISO,
    LEAP_DAY,
    LEAP_YEAR,
    LENGTH_OF_DAY,
    MAGNITUDES,
    MONTHS,
    NO_DAY,
    NOT_BELIEVED,
    OF_TIME,
    OWN_OFFSET,
    PER_SECOND,
    PLAIN,
    TIDY,
    TimeFormat,
    format_pattern,
)


class TimeOf(ColumnElement[Any]):
    """A source column as a moment; NULL where it holds none."""

    inherit_cache = False
    type = sa.DateTime(timezone=True)

    def __init__(self, column: Column, kind: Kind, written: TimeFormat) -> None:
        self.column, self.kind, self.written = column, kind, written


@compiles(TimeOf, "sqlite")
def _time_sqlite(element: TimeOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    written = element.written
    parts = (written.format, written.zone, written.epoch, written.day_zone)
    literals = (*(sa.literal(text, sa.Text()) for text in parts), sa.literal(written.guess_until, sa.BigInteger()))
    cell = f"CASE WHEN typeof({x}) = 'text' THEN {bytes_of(x)} ELSE {x} END"
    return f"plgsync_time({', '.join([cell, *(sql_of(compiler, one, **kw) for one in literals)])})"


@compiles(TimeOf, "duckdb")
@compiles(TimeOf, "postgresql")
def _time(element: TimeOf, compiler: SQLCompiler, **kw: Any) -> str:
    return _Sql(compiler.dialect.name == "duckdb", element.written).cell(
        sql_of(compiler, element.column, **kw), element.kind
    )


@dataclass(frozen=True, slots=True)
class _Sql:
    """`read_time` as SQL of DuckDB or PostgreSQL. Patterns and zones are checked settings, not text from outside."""

    duck: bool
    written: TimeFormat

    def cell(self, x: str, kind: Kind) -> str:
        if kind == "time":
            return f"CASE WHEN isfinite({x}) THEN {f'CAST({x} AS TIMESTAMP)' if self.duck else x} END"
        if kind == "naive":
            return f"CASE WHEN isfinite({x}) THEN {self._local(f'CAST({x} AS TIMESTAMP)')} END"
        if kind == "date":
            return _Sql(self.duck, self.written.of_days).cell(x, "naive")
        if kind in {"number", "float"}:
            return self._number(x)
        text = x if kind == "text" else f"CAST({x} AS {self._text})"
        if self.written.format is not None:
            return self._parts(text)
        return (
            f"CASE WHEN {self._matches(text, PLAIN)} THEN {self.iso(text)}"
            f" WHEN {self._matches(text, DIGITS)} THEN {self._number(text)}"
            f" ELSE {self.loose_iso(text)} END"
        )

    @property
    def _text(self) -> str:
        return "VARCHAR" if self.duck else "TEXT"

    def _matches(self, x: str, pattern: str) -> str:
        return f"regexp_matches({x}, {_quoted(pattern)})" if self.duck else f"({x} ~ {_quoted(pattern)})"

    def _replaced(self, x: str, steps: tuple[tuple[str, str], ...]) -> str:
        for pattern, spelled in steps:
            x = f"regexp_replace({x}, {_quoted(pattern)}, {_quoted(spelled)})"
        return x

    def _local(self, naive: str) -> str:
        """A time of the column's zone as a moment."""
        if self.duck:
            return naive if self.written.zone == "UTC" else f"timezone('UTC', timezone('{self.written.zone}', {naive}))"
        return f"timezone('{self.written.zone}', {naive})"

    def iso(self, x: str) -> str:
        """Tidy ISO text as a moment; a day that no month has is NULL."""
        cast = "TRY_CAST" if self.duck else "CAST"
        aware = f"CAST({x} AS TIMESTAMPTZ)" if not self.duck else f"CAST(TRY_CAST({x} AS TIMESTAMPTZ) AS TIMESTAMP)"
        local = self._local(f"{cast}({x} AS TIMESTAMP)")
        own = self._matches(x, OWN_OFFSET)
        read = aware if self.written.zone == "UTC" else f"CASE WHEN {own} THEN {aware} ELSE {local} END"
        no_leap = f"{self._matches(x, LEAP_DAY)} AND NOT {self._matches(x, LEAP_YEAR)}"
        return f"CASE WHEN NOT ({self._matches(x, NO_DAY)} OR {no_leap}) AND left({x}, 4) <> '0000' THEN {read} END"

    def loose_iso(self, x: str) -> str:
        """ISO text in any usual spelling as a moment."""
        extended = self._replaced(x, EXTEND)
        read = self.iso(self._replaced(extended, TIDY))
        if self.written.zone != self.written.day_zone:
            day = _Sql(self.duck, self.written.of_days).iso(extended)
            read = f"CASE WHEN length({extended}) = {LENGTH_OF_DAY} THEN {day} ELSE {read} END"
        return f"CASE WHEN {self._matches(extended, ISO)} THEN {read} END"

    def _number(self, x: str) -> str:
        real = f"CAST({x} AS DOUBLE PRECISION)"
        if self.written.epoch is not None:
            return f"CASE WHEN abs({real}) < 1e20 THEN {self._since_1970(real, self.written.epoch)} END"
        cases = "".join(
            f" WHEN {real} >= 1e{low} AND {real} < 1e{high} THEN {self._guessed(real, unit)}"
            for unit, low, high in MAGNITUDES
        )
        day = f"CAST(CAST({real} AS BIGINT) AS {self._text})"
        is_day = f"{real} >= 19000101 AND {real} <= 99991231 AND {real} = floor({real})"
        return f"CASE WHEN {is_day} THEN {_Sql(self.duck, self.written.of_days).loose_iso(day)}{cases} END"

    def _guessed(self, real: str, unit: str) -> str:
        """A number of the magnitude of ``unit``; a time that nobody believes where that is not plausible."""
        per_second, until = PER_SECOND[unit], self.written.guess_until
        doubts = [f"{real} < {FIRST_GUESSED * per_second:.0f}"]
        if until is not None:
            doubts.append(f"{real} > {until * per_second:.0f}")
            if unit == "s":
                digits = f"CAST(CAST(floor({real}) AS BIGINT) AS {self._text})"
                doubts.append(self._matches(digits, CALENDAR_HOUR))
        nobody = self._since_1970(f"{NOT_BELIEVED}.0", "s")
        return f"CASE WHEN {' OR '.join(doubts)} THEN {nobody} ELSE {self._since_1970(real, unit)} END"

    def _since_1970(self, real: str, unit: str) -> str:
        micros = {"s": f"({real} * 1e6)", "ms": f"({real} * 1e3)", "us": real, "ns": f"({real} / 1e3)"}[unit]
        last = 253402300799e6
        within = f"CASE WHEN {micros} BETWEEN -62135596800e6 AND {last:.0f} THEN {micros} END"
        if self.duck:
            return f"make_timestamp(CAST({within} AS BIGINT))"
        return f"(TIMESTAMPTZ '1970-01-01 00:00:00+00' + ({within}) * INTERVAL '1 microsecond')"

    def _parts(self, x: str) -> str:
        """A configured format: its parts put into ISO order, then read as ISO."""
        pattern, order = format_pattern(str(self.written.format))
        groups = {name: _quoted("\\" + str(place)) for place, name in enumerate(order, 1)}
        part = {name: f"regexp_replace({x}, {_quoted(pattern)}, {group})" for name, group in groups.items()}
        century = f"CASE WHEN {part['y']} >= '69' THEN '19' ELSE '20' END || {part['y']}" if "y" in part else ""
        day = f"lpad({part['d']}, 2, '0')"
        month = f"lpad({part['m']}, 2, '0')" if "m" in part else self._month(part["b"])
        on = f"{part.get('Y', century)} || '-' || {month} || '-' || {day}"
        if not part.keys() & OF_TIME:
            return f"CASE WHEN {self._matches(x, pattern)} THEN {self.loose_iso(f'({on})')} END"
        fraction = f" || '.' || substr({part['f']}, 1, 6)" if "f" in part else ""
        clock = " || ':' || ".join(
            [self._hour(part), *(f"lpad({part[name]}, 2, '0')" if name in part else "'00'" for name in "MS")]
        )
        offset = f" || {part['z']}" if "z" in part else ""
        spelled = f"({on} || ' ' || {clock}{fraction}{offset})"
        return f"CASE WHEN {self._matches(x, pattern)} THEN {self.loose_iso(spelled)} END"

    def _month(self, name: str) -> str:
        place = f"strpos('{MONTHS}', lower({name}))"
        number = f"CAST(CAST(({place} + 2) / 3 AS INTEGER) AS {self._text})"
        return f"CASE WHEN mod({place}, 3) = 1 THEN lpad({number}, 2, '0') ELSE '00' END"

    def _hour(self, part: dict[str, str]) -> str:
        if "p" not in part:
            return f"lpad({part['H']}, 2, '0')" if "H" in part else "'00'"
        hour = f"CAST({part['I']} AS INTEGER)"
        half = f"CASE WHEN lower({part['p']}) = 'p' THEN 12 ELSE 0 END"
        number = f"CASE WHEN {hour} BETWEEN 1 AND 12 THEN mod({hour}, 12) + {half} ELSE 99 END"
        return f"lpad(CAST({number} AS {self._text}), 2, '0')"


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
