"""What a cell with a time may say, and how one is read: the definition that every engine follows."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from worker.settings.product_columns import FORMAT_PARTS
from worker.signals.constructs import sqlite_moment
from worker.signals.reading.texts import trim_text

MAGNITUDES = (("s", 8, 10), ("ms", 11, 13), ("us", 14, 16), ("ns", 17, 19))
"""From 10**a to 10**b a number of that unit."""
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FIRST_GUESSED = 1_104_537_600
"""2005-01-01 in seconds since 1970: no product of today has older rows, but .NET ticks (18 digits) read as nanoseconds
of 1990 and seconds since 2001 (Cocoa) as seconds of 1995. A number whose unit is guessed is believed from here on."""
GUESSED_AHEAD_YEARS = 10
"""Up to the end of which year after that of the reading a number is believed whose unit is guessed."""
CALENDAR_HOUR = r"^20(0[5-9]|[12][0-9]|3[0-5])(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])$"
"""2026053123 is an hour of the calendar and, read as seconds, a time in 2034."""
NOT_BELIEVED = 0
"""Seconds since 1970 that stand for a number whose guessed unit is not believed: no column believes such a time."""
MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"

_HOURS = r"([01][0-9]|2[0-3])"
_CLOCK = rf"[T ]{_HOURS}:[0-5][0-9](:[0-5][0-9]([.,][0-9]{{1,9}})?)?"
_OFFSET = r" ?(Z|UTC|GMT|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
ISO = rf"^{_DAY}({_CLOCK}({_OFFSET})?)?$"
"""Extended ISO 8601 after `EXTEND`; days that no month has are left to `NO_DAY` and `LEAP_DAY`."""
NO_DAY = r"^[0-9]{4}-(02-3|(04|06|09|11)-31)"
LEAP_DAY = r"^[0-9]{4}-02-29"
LEAP_YEAR = r"^([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[048]|[2468][048]|[13579][26])00)-"
OWN_OFFSET = r"([0-9] ?(Z|UTC|GMT)|:[0-9.,]+ ?[+-][0-9:]+)$"
EXTEND = (
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})($|[T ])", r"\1-\2-\3\4"),
    (r"^(.{10}[T ])([0-9]{2})([0-9]{2})([0-9]{2})", r"\1\2:\3:\4"),
    (r"^(.{10}[T ])([0-9]{2})([0-9]{2})($|[^0-9:])", r"\1\2:\3\4"),
)
"""The basic spellings (20260630T060000Z) made extended."""
TIDY = (
    (r" ?(Z|UTC|GMT)$", "+00:00"),
    (r"(:[0-9.,]+) ?([+-][0-9]{2})$", r"\1\2:00"),
    (r"(:[0-9.,]+) ?([+-][0-9]{2}):?([0-9]{2})$", r"\1\2:\3"),
    (r"[.,]([0-9]{1,6})[0-9]*", r".\1"),
)
"""Whatever ISO allows beyond what every engine casts: words for UTC, offsets without colon, nanoseconds."""
PLAIN = rf"^{_DAY}[T ]{_HOURS}:[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?(Z|[+-]{_HOURS}:[0-5][0-9])?$"
"""What needs no tidying: most cells, read in one step."""
LENGTH_OF_DAY = 10
OF_TIME = frozenset("HIMSz")
"""A format with none of these parts is one of days."""
DIGITS = r"^[0-9]{9,19}(\.[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How the times of a column are written, beyond what every column may hold."""

    format: str | None = None
    zone: str = "UTC"
    epoch: str | None = None
    day_zone: str = "UTC"
    """In which zone a day without a time begins."""
    guess_until: int | None = None
    """Of a column whose times may lie ahead: the last second since 1970 that a number of a guessed unit may mean."""

    @property
    def of_days(self) -> TimeFormat:
        """The same for a cell that is a day."""
        return replace(self, zone=self.day_zone)


def read_time(value: object, written: TimeFormat) -> datetime | None:
    """``value`` as a moment in UTC; None where it is none. The definition that every engine follows."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _from_number(value, written)
    text = str(value)
    if written.format is not None:
        return _from_parts(text, written)
    if re.match(DIGITS, text, re.ASCII):
        return _from_number(int(text) if text.isdigit() else float(text), written)
    return _from_iso(text, written)


def _from_number(number: float, written: TimeFormat) -> datetime | None:
    if written.epoch is None and 19000101 <= number <= 99991231:
        return _from_iso(str(int(number)), written) if number == int(number) else None
    unit = written.epoch or next((unit for unit, low, high in MAGNITUDES if 10**low <= number < 10**high), None)
    if unit is None:
        return None
    real = float(number)
    if written.epoch is None and not _plausible(real, unit, written):
        real = NOT_BELIEVED
    try:
        micros = round({"s": real * 1e6, "ms": real * 1e3, "us": real, "ns": real / 1e3}[unit])
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except (OverflowError, ValueError):
        return None


def _plausible(number: float, unit: str, written: TimeFormat) -> bool:
    """Whether ``unit`` is believed, which only the magnitude of ``number`` speaks for."""
    if number < FIRST_GUESSED * PER_SECOND[unit]:
        return False
    if written.guess_until is None:
        return True
    is_hour = unit == "s" and re.match(CALENDAR_HOUR, str(int(number)), re.ASCII)
    return number <= written.guess_until * PER_SECOND[unit] and not is_hour


def _from_iso(text: str, written: TimeFormat) -> datetime | None:
    for pattern, spelled in EXTEND:
        text = re.sub(pattern, spelled, text, count=1, flags=re.ASCII)
    if not re.match(ISO, text, re.ASCII):
        return None
    zone = written.day_zone if len(text) == LENGTH_OF_DAY else written.zone
    for pattern, spelled in TIDY:
        text = re.sub(pattern, spelled, text, count=1, flags=re.ASCII)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=_zone(zone), fold=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _from_parts(text: str, written: TimeFormat) -> datetime | None:
    pattern, order = format_pattern(str(written.format))
    match = re.match(pattern, text, re.ASCII)
    if match is None:
        return None
    part = dict(zip(order, match.groups(), strict=True))
    year = part["Y"] if "Y" in part else ("19" if part["y"] >= "69" else "20") + part["y"]
    place = MONTHS.find(part["b"].lower()) if "b" in part else 3 * (int(part["m"]) - 1)
    hour = int(part.get("H", part.get("I", "0")))
    if "p" in part:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part["p"].lower() == "p" else 0)
    if place < 0 or place % 3:
        return None
    day = f"{year}-{place // 3 + 1:02}-{int(part['d']):02}"
    if not part.keys() & OF_TIME:
        return _from_iso(day, written)
    fraction = f".{part['f'][:6]}" if "f" in part else ""
    clock = f"{hour:02}:{int(part.get('M', 0)):02}:{int(part.get('S', 0)):02}{fraction}"
    return _from_iso(f"{day} {clock}{part.get('z', '')}", written)


@cache
def format_pattern(text: str) -> tuple[str, tuple[str, ...]]:
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
def sqlite_time(
    value: object, pattern: str | None, zone: str, epoch: str | None, day_zone: str, guess_until: int | None
) -> str | None:
    """`read_time` for SQLite: a moment as the text that sorts in time order."""
    written = TimeFormat(pattern, zone, epoch, day_zone, guess_until)
    found = read_time(trim_text(value) if isinstance(value, bytes) else value, written)
    return None if found is None else sqlite_moment(found)
