"""A cell as a moment: ISO 8601, numbers since 1970, a configured format, or the engine's own time.

Everything else is NULL and counts as unreadable. SQLite reads by `read_time`, DuckDB and PostgreSQL by SQL of the same
rules. Numbers are seconds, milliseconds, microseconds or nanoseconds by their magnitude (the ranges do not overlap
between 1973 and 2286), or a day as eight digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement

from worker.settings.product_columns import FORMAT_PARTS
from worker.signals.constructs import Column, Kind, sql_of, sqlite_moment
from worker.signals.reading.texts import bytes_of, trim_text

_MAGNITUDES = (("s", 8, 10), ("ms", 11, 13), ("us", 14, 16), ("ns", 17, 19))
"""From 10**a to 10**b a number of that unit."""
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"

_HOURS = r"([01][0-9]|2[0-3])"
_CLOCK = rf"[T ]{_HOURS}:[0-5][0-9](:[0-5][0-9]([.,][0-9]{{1,9}})?)?"
_OFFSET = r" ?(Z|UTC|GMT|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
ISO = rf"^{_DAY}({_CLOCK}({_OFFSET})?)?$"
"""Extended ISO 8601 after `_EXTEND`; days that no month has are left to `_NO_DAY` and `_LEAP_DAY`."""
_NO_DAY = r"^[0-9]{4}-(02-3|(04|06|09|11)-31)"
_LEAP_DAY = r"^[0-9]{4}-02-29"
_LEAP_YEAR = r"^([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[048]|[2468][048]|[13579][26])00)-"
_OWN_OFFSET = r"([0-9] ?(Z|UTC|GMT)|:[0-9.,]+ ?[+-][0-9:]+)$"
_EXTEND = (
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})($|[T ])", r"\1-\2-\3\4"),
    (r"^(.{10}[T ])([0-9]{2})([0-9]{2})([0-9]{2})", r"\1\2:\3:\4"),
    (r"^(.{10}[T ])([0-9]{2})([0-9]{2})($|[^0-9:])", r"\1\2:\3\4"),
)
"""The basic spellings (20260630T060000Z) made extended."""
_TIDY = (
    (r" ?(Z|UTC|GMT)$", "+00:00"),
    (r"(:[0-9.,]+) ?([+-][0-9]{2})$", r"\1\2:00"),
    (r"(:[0-9.,]+) ?([+-][0-9]{2}):?([0-9]{2})$", r"\1\2:\3"),
    (r"[.,]([0-9]{1,6})[0-9]*", r".\1"),
)
"""Whatever ISO allows beyond what every engine casts: words for UTC, offsets without colon, nanoseconds."""
_PLAIN = rf"^{_DAY}[T ]{_HOURS}:[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?(Z|[+-]{_HOURS}:[0-5][0-9])?$"
"""What needs no tidying: most cells, read in one step."""
_LENGTH_OF_DAY = 10
_OF_TIME = frozenset("HIMSz")
"""A format with none of these parts is one of days."""
_DIGITS = r"^[0-9]{9,19}(\.[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How the times of a column are written, beyond what every column may hold."""

    format: str | None = None
    zone: str = "UTC"
    epoch: str | None = None
    day_zone: str = "UTC"
    """In which zone a day without a time begins."""

    @property
    def of_days(self) -> TimeFormat:
        """The same for a cell that is a day."""
        return replace(self, zone=self.day_zone)


class TimeOf(ColumnElement[Any]):
    """A source column as a moment; NULL where it holds none."""

    inherit_cache = False
    type = sa.DateTime(timezone=True)

    def __init__(self, column: Column, kind: Kind, written: TimeFormat) -> None:
        self.column, self.kind, self.written = column, kind, written


# --- one cell, in Python -------------------------------------------------------------------------------------


def read_time(value: object, written: TimeFormat) -> datetime | None:
    """``value`` as a moment in UTC; None where it is none. The definition that every engine follows."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _from_number(value, written)
    text = str(value)
    if written.format is not None:
        return _from_parts(text, written)
    if re.match(_DIGITS, text, re.ASCII):
        return _from_number(int(text) if text.isdigit() else float(text), written)
    return _from_iso(text, written)


def _from_number(number: float, written: TimeFormat) -> datetime | None:
    if written.epoch is None and 19000101 <= number <= 99991231:
        return _from_iso(str(int(number)), written) if number == int(number) else None
    unit = written.epoch or next((unit for unit, low, high in _MAGNITUDES if 10**low <= number < 10**high), None)
    if unit is None:
        return None
    real = float(number)
    try:
        micros = round({"s": real * 1e6, "ms": real * 1e3, "us": real, "ns": real / 1e3}[unit])
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except (OverflowError, ValueError):
        return None


def _from_iso(text: str, written: TimeFormat) -> datetime | None:
    for pattern, spelled in _EXTEND:
        text = re.sub(pattern, spelled, text, count=1, flags=re.ASCII)
    if not re.match(ISO, text, re.ASCII):
        return None
    zone = written.day_zone if len(text) == _LENGTH_OF_DAY else written.zone
    for pattern, spelled in _TIDY:
        text = re.sub(pattern, spelled, text, count=1, flags=re.ASCII)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=_zone(zone), fold=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _from_parts(text: str, written: TimeFormat) -> datetime | None:
    pattern, order = _format_pattern(str(written.format))
    match = re.match(pattern, text, re.ASCII)
    if match is None:
        return None
    part = dict(zip(order, match.groups(), strict=True))
    year = part["Y"] if "Y" in part else ("19" if part["y"] >= "69" else "20") + part["y"]
    place = _MONTHS.find(part["b"].lower()) if "b" in part else 3 * (int(part["m"]) - 1)
    hour = int(part.get("H", part.get("I", "0")))
    if "p" in part:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part["p"].lower() == "p" else 0)
    if place < 0 or place % 3:
        return None
    day = f"{year}-{place // 3 + 1:02}-{int(part['d']):02}"
    if not part.keys() & _OF_TIME:
        return _from_iso(day, written)
    fraction = f".{part['f'][:6]}" if "f" in part else ""
    clock = f"{hour:02}:{int(part.get('M', 0)):02}:{int(part.get('S', 0)):02}{fraction}"
    return _from_iso(f"{day} {clock}{part.get('z', '')}", written)


@cache
def _format_pattern(text: str) -> tuple[str, tuple[str, ...]]:
    """A pattern with one group for each part of a format, and the parts in order."""
    pieces = re.split(r"%(.)", text)
    parts = tuple(pieces[1::2])
    pattern = "".join(FORMAT_PARTS[piece] if place % 2 else _literal(piece) for place, piece in enumerate(pieces))
    return f"^{pattern}$", parts


def _literal(text: str) -> str:
    return "".join(f"[{one}]" if one in ".*+?()|{}$" else f"\\{one}" if one in "[]^\\" else one for one in text)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=65536)
def sqlite_time(value: object, pattern: str | None, zone: str, epoch: str | None, day_zone: str) -> str | None:
    """`read_time` for SQLite: a moment as the text that sorts in time order."""
    found = read_time(
        trim_text(value) if isinstance(value, bytes) else value, TimeFormat(pattern, zone, epoch, day_zone)
    )
    return None if found is None else sqlite_moment(found)


# --- the same in SQL -----------------------------------------------------------------------------------------


@compiles(TimeOf, "sqlite")
def _time_sqlite(element: TimeOf, compiler: SQLCompiler, **kw: Any) -> str:
    x = sql_of(compiler, element.column, **kw)
    written = element.written
    parts = (written.format, written.zone, written.epoch, written.day_zone)
    literals = (sa.literal(text, sa.Text()) for text in parts)
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
            f"CASE WHEN {self._matches(text, _PLAIN)} THEN {self.iso(text)}"
            f" WHEN {self._matches(text, _DIGITS)} THEN {self._number(text)}"
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
        own = self._matches(x, _OWN_OFFSET)
        read = aware if self.written.zone == "UTC" else f"CASE WHEN {own} THEN {aware} ELSE {local} END"
        no_leap = f"{self._matches(x, _LEAP_DAY)} AND NOT {self._matches(x, _LEAP_YEAR)}"
        return f"CASE WHEN NOT ({self._matches(x, _NO_DAY)} OR {no_leap}) AND left({x}, 4) <> '0000' THEN {read} END"

    def loose_iso(self, x: str) -> str:
        """ISO text in any usual spelling as a moment."""
        extended = self._replaced(x, _EXTEND)
        read = self.iso(self._replaced(extended, _TIDY))
        if self.written.zone != self.written.day_zone:
            day = _Sql(self.duck, self.written.of_days).iso(extended)
            read = f"CASE WHEN length({extended}) = {_LENGTH_OF_DAY} THEN {day} ELSE {read} END"
        return f"CASE WHEN {self._matches(extended, ISO)} THEN {read} END"

    def _number(self, x: str) -> str:
        real = f"CAST({x} AS DOUBLE PRECISION)"
        if self.written.epoch is not None:
            return f"CASE WHEN abs({real}) < 1e20 THEN {self._since_1970(real, self.written.epoch)} END"
        cases = "".join(
            f" WHEN {real} >= 1e{low} AND {real} < 1e{high} THEN {self._since_1970(real, unit)}"
            for unit, low, high in _MAGNITUDES
        )
        day = f"CAST(CAST({real} AS BIGINT) AS {self._text})"
        is_day = f"{real} >= 19000101 AND {real} <= 99991231 AND {real} = floor({real})"
        return f"CASE WHEN {is_day} THEN {_Sql(self.duck, self.written.of_days).loose_iso(day)}{cases} END"

    def _since_1970(self, real: str, unit: str) -> str:
        micros = {"s": f"({real} * 1e6)", "ms": f"({real} * 1e3)", "us": real, "ns": f"({real} / 1e3)"}[unit]
        last = 253402300799e6
        within = f"CASE WHEN {micros} BETWEEN -62135596800e6 AND {last:.0f} THEN {micros} END"
        if self.duck:
            return f"make_timestamp(CAST({within} AS BIGINT))"
        return f"(TIMESTAMPTZ '1970-01-01 00:00:00+00' + ({within}) * INTERVAL '1 microsecond')"

    def _parts(self, x: str) -> str:
        """A configured format: its parts put into ISO order, then read as ISO."""
        pattern, order = _format_pattern(str(self.written.format))
        groups = {name: _quoted("\\" + str(place)) for place, name in enumerate(order, 1)}
        part = {name: f"regexp_replace({x}, {_quoted(pattern)}, {group})" for name, group in groups.items()}
        century = f"CASE WHEN {part['y']} >= '69' THEN '19' ELSE '20' END || {part['y']}" if "y" in part else ""
        day = f"lpad({part['d']}, 2, '0')"
        month = f"lpad({part['m']}, 2, '0')" if "m" in part else self._month(part["b"])
        on = f"{part.get('Y', century)} || '-' || {month} || '-' || {day}"
        if not part.keys() & _OF_TIME:
            return f"CASE WHEN {self._matches(x, pattern)} THEN {self.loose_iso(f'({on})')} END"
        fraction = f" || '.' || substr({part['f']}, 1, 6)" if "f" in part else ""
        clock = " || ':' || ".join(
            [self._hour(part), *(f"lpad({part[name]}, 2, '0')" if name in part else "'00'" for name in "MS")]
        )
        offset = f" || {part['z']}" if "z" in part else ""
        spelled = f"({on} || ' ' || {clock}{fraction}{offset})"
        return f"CASE WHEN {self._matches(x, pattern)} THEN {self.loose_iso(spelled)} END"

    def _month(self, name: str) -> str:
        place = f"strpos('{_MONTHS}', lower({name}))"
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
