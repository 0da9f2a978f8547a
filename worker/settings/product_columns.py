"""How one column of the product's data is written: its name there and, where needed, its format."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from worker.language.suggest import suggestion
from worker.settings.base import Strict

FORMAT_PARTS = {
    "Y": r"([0-9]{4})",
    "y": r"([0-9]{2})",
    "m": r"([0-9]{1,2})",
    "d": r"([0-9]{1,2})",
    "b": r"([A-Za-z]{3})[a-z]*",
    "H": r"([0-9]{1,2})",
    "I": r"([0-9]{1,2})",
    "p": r"([AaPp])\.?[Mm]\.?",
    "M": r"([0-9]{1,2})",
    "S": r"([0-9]{1,2})",
    "f": r"([0-9]{1,9})",
    "z": r"(Z|[+-][0-9]{2}:?[0-9]{2})",
}
"""The parts a ``format`` may have, as in Python's strptime, each with one group."""


_zone_names = cache(available_timezones)  # lists hundreds of files


def zone_name(name: str) -> str:
    """``name`` if it is a time zone; raises ValueError with a suggestion."""
    if name not in _zone_names():
        raise ValueError(f'unknown time zone "{name}"{suggestion(name, _zone_names())}')
    return name


ZoneText = Annotated[str, AfterValidator(zone_name), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]


def _format(text: str) -> str:
    parts = re.findall(r"%(.)", text)
    unknown = [part for part in parts if part not in FORMAT_PARTS]
    if unknown:
        raise ValueError(
            f"unknown part %{unknown[0]} in a format; known: {' '.join(f'%{part}' for part in FORMAT_PARTS)}"
        )
    for needed, what in (("Yy", "year"), ("mb", "month"), ("d", "day")):
        if sum(parts.count(part) for part in needed) != 1:
            raise ValueError(f"a format names the {what} exactly once: %{' or %'.join(needed)}")
    if len(set(parts)) != len(parts) or {"H", "I"} <= set(parts) or ("I" in parts) != ("p" in parts):
        raise ValueError("a format names each part once, and %I together with %p in place of %H")
    return text


class ColumnMapping(Strict):
    """One column of theirs. A plain name is enough where it is written as usual.

    Usual are ISO 8601 times, seconds or milliseconds since 1970, and numbers with a decimal point.
    """

    name: str
    """Its name in the source."""
    format: Annotated[str, AfterValidator(_format)] | None = None
    """How a time is written: ``%d.%m.%Y``. A cell that is written otherwise is unreadable."""
    zone: ZoneText | None = None
    """The zone of times and days that name none. Left out: UTC for times, `time_zone` for days."""
    epoch: Literal["s", "ms", "us", "ns"] | None = None
    """The unit of times that are numbers. Left out: by their magnitude."""
    decimal: Literal[".", ","] = "."
    """The decimal sign of numbers."""
    thousands: Literal[",", ".", "'", " "] | None = None
    """The sign between thousands."""
    strip: str | None = Field(default=None, min_length=1, max_length=8)
    """Signs to leave out before and after a number: ``€``. Blanks go with them."""
    unlimited: list[float] | None = None
    """Numbers that mean "no limit". Left out: -1 for seats and limits, and 99,999 or more for seats."""

    @model_validator(mode="after")
    def _consistent(self) -> ColumnMapping:
        if self.thousands == self.decimal:
            raise ValueError("decimal and thousands cannot be the same sign")
        if self.format and self.epoch:
            raise ValueError("give format (for text) or epoch (for numbers), not both")
        return self


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


ColumnText = Annotated[ColumnMapping, BeforeValidator(_named)]
"""A column's name, or a block with its name and format."""
