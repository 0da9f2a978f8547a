"""Lengths of time, rates and numbers as admins write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from worker.language.errors import LanguageError

DurationKind = Literal["hours", "days", "business_days", "runs"]

_DURATION = re.compile(r"(\d+)\s*(h|d|w|bd|runs?)", re.IGNORECASE | re.ASCII)
_LONG_UNIT = re.compile(
    r"(\d+)\s*(hours?|hrs?|days?|weeks?|business days?|working days?|bds)", re.IGNORECASE | re.ASCII
)
_RATE = re.compile(r"(\d+)\s+per\s+(?:(day|week)|(\d+)\s*([dw]))", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(%?)", re.ASCII)
_LONGEST = 36_500
_LONGEST_NUMBER = 60
_LARGEST_NUMBER = 1e18
_KINDS: dict[str, DurationKind] = {"h": "hours", "d": "days", "w": "days", "bd": "business_days"}
_SHORT = {"hours": "h", "days": "d", "business_days": "bd"}


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time, in hours, days, business days or runs."""

    kind: DurationKind
    n: int

    @property
    def span(self) -> timedelta:
        """The length of hours or days. Raises ValueError for business days and runs, whose length is not fixed."""
        if self.kind not in {"hours", "days"}:
            raise ValueError(f"{self} has no fixed length")
        return timedelta(**{self.kind: self.n})

    def __str__(self) -> str:
        return f"{self.n} run{'' if self.n == 1 else 's'}" if self.kind == "runs" else f"{self.n}{_SHORT[self.kind]}"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``n`` in any ``days`` days."""

    n: int
    days: int

    def __str__(self) -> str:
        return f"{self.n} per {'day' if self.days == 1 else f'{self.days}d'}"


def parse_duration(text: str) -> Duration:
    """``24h``, ``3d``, ``2w`` (14 days), ``5bd`` (business days) or ``2 runs``. Raises LanguageError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise LanguageError(_what_is_wrong_with(text.strip()))
    n, unit = _integer(match[1]), match[2].lower()
    if unit.startswith("run"):
        return Duration("runs", n)
    return Duration(_KINDS[unit], _integer(str(n * 7)) if unit == "w" else n)


def parse_rate(text: str) -> Rate:
    """``5 per day``, ``2 per week`` or ``2 per 365d``. Raises LanguageError."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise LanguageError(f'"{text.strip()}" is not a rate; write 5 per day or 2 per 365d')
    word, count, unit = match[2], match[3], match[4]
    days = {"day": 1, "week": 7}[word.lower()] if word else _integer(count) * (7 if unit.lower() == "w" else 1)
    if days < 1:
        raise LanguageError("a rate needs a period of at least one day")
    return Rate(_integer(match[1]), days)


def parse_number(text: str) -> float:
    """``12``, ``-0.5`` or ``80%`` (0.8). Raises LanguageError."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise LanguageError(f'"{text.strip()}" is not a number; write 12, 0.5 or 80%')
    if len(match[1]) > _LONGEST_NUMBER:
        raise LanguageError(f"{match[1][:12]}… has too many digits")
    number = Decimal(match[1])
    value = float(number / 100 if match[2] else number)
    if abs(value) >= _LARGEST_NUMBER:
        raise LanguageError(f"{match[1][:12]}… is too large a number")
    return round(value, 15)


def _integer(digits: str) -> int:
    n = int(digits[:9])
    if len(digits) > 9 or n > _LONGEST:
        raise LanguageError(f"{digits[:12]} is too large; at most {_LONGEST}")
    return n


def _what_is_wrong_with(text: str) -> str:
    long_form = _LONG_UNIT.fullmatch(text)
    if long_form is not None:
        unit = long_form[2].lower()
        short = "bd" if unit.startswith(("business", "working", "bd")) else unit[0]
        return f'write {long_form[1]}{short} instead of "{text}"'
    if re.fullmatch(r"\d+", text):
        return f'"{text}" needs a unit: {text}h, {text}d, {text}w, {text}bd (business days) or {text} runs'
    if re.fullmatch(r"\d+\s*(m|min|minutes?|s|sec|seconds?|months?|mo|y|years?)", text, re.IGNORECASE):
        return f'"{text}" is not a length of time here; count in hours (24h), days (3d), weeks (2w) or runs'
    return f'"{text}" is not a length of time; write 24h, 3d, 2w, 5bd (business days) or 2 runs'
