"""Values in the CRM's own precision, so that float noise and formatting never become writes.

Everything the pipeline compares, hashes and stores about a CRM field has gone through `coerce`.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from connectors.base import FieldSpec, Scalar

ELLIPSIS = "…"
_DEFAULT_SCALE = 6
_TRUE = {"true", "yes", "1"}
_FALSE = {"false", "no", "0"}


class Invalid(ValueError):
    """A value this CRM field cannot hold; the message names the field and what would fit, never the value."""


def coerce(spec: FieldSpec, value: Scalar | date | datetime) -> Scalar:
    """The canonical form of ``value`` for this CRM field.

    Numbers are rounded half up to the field's scale, text is trimmed and cut to its length with an
    ellipsis, dates become ``YYYY-MM-DD`` and datetimes ``YYYY-MM-DDTHH:MM:SSZ`` in UTC. An empty text
    is no value. Raises `Invalid`.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    match spec.type:
        case "number":
            return _number(spec, value)
        case "bool":
            return _bool(spec, value)
        case "date":
            return _date(spec, value)
        case "datetime":
            return _datetime(spec, value)
        case "enum":
            return _option(spec, text(value))
        case "multi_enum":
            parts = [part for part in text(value).split(";") if part]
            return ";".join(sorted(str(_option(spec, part)) for part in parts))
        case _:
            return _cut(text(value), spec.length)


def text(value: Scalar | date | datetime) -> str:
    """A value as plain text: whole numbers without a fraction, booleans in lower case, UTC timestamps."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return _stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value).strip()


def _number(spec: FieldSpec, value: Scalar | date | datetime) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Invalid(f"{spec.name} takes a number")
    try:
        number = float(value)
    except ValueError:
        raise Invalid(f"{spec.name} takes a number") from None
    if not math.isfinite(number):
        raise Invalid(f"{spec.name} takes a finite number")
    scale = _DEFAULT_SCALE if spec.scale is None else spec.scale
    exact = Decimal(repr(number)).quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    if spec.precision is not None and abs(exact) >= Decimal(10) ** (spec.precision - scale):
        raise Invalid(f"{spec.name} holds at most {spec.precision - scale} digits before the point")
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def _bool(spec: FieldSpec, value: Scalar | date | datetime) -> bool:
    word = text(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Invalid(f"{spec.name} takes true or false")


def _date(spec: FieldSpec, value: Scalar | date | datetime) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).date().isoformat() if value.tzinfo else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        raise Invalid(f"{spec.name} takes a date (YYYY-MM-DD)") from None


def _datetime(spec: FieldSpec, value: Scalar | date | datetime) -> str:
    if isinstance(value, datetime):
        return _stamp(value)
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    try:
        return _stamp(datetime.fromisoformat(str(value)))
    except ValueError:
        raise Invalid(f"{spec.name} takes a point in time (YYYY-MM-DDTHH:MM:SSZ)") from None


def _option(spec: FieldSpec, word: str) -> str:
    if spec.options and word not in spec.options:
        by_case = {option.lower(): option for option in spec.options}
        if word.lower() in by_case:
            return by_case[word.lower()]
        if spec.restricted:
            raise Invalid(f"{spec.name} takes one of: {', '.join(spec.options)}")
    return word


def _cut(words: str, length: int | None) -> str:
    if length is None or len(words) <= length:
        return words
    return words[: length - 1].rstrip() + ELLIPSIS


def _stamp(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
