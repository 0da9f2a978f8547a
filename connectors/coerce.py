"""Values in the CRM's own precision, so that float noise and formatting never become writes.

Everything the pipeline compares, hashes and stores about a CRM field has gone through `coerce` (what we
want to write) or `canonical` (what the CRM says it holds); two values mean the same exactly when these
forms are equal.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from connectors.base import FieldSpec, Scalar
from connectors.base.values import shorten

_DEFAULT_SCALE = 6
_TRUE = {"true", "yes", "1"}
_FALSE = {"false", "no", "0"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_LENGTH = len("YYYY-MM-DD")
_EPOCH_MS_DIGITS = 12  # 12 digits of milliseconds begin in 1973; a written year has 4


class Invalid(ValueError):
    """A value this CRM field cannot hold; the message names the field and what would fit, never the value."""


def coerce(spec: FieldSpec, value: Scalar | date | datetime) -> Scalar:
    """The canonical form of ``value`` for this CRM field.

    Numbers are rounded half up to the field's scale, text is trimmed and cut to its length with an
    ellipsis (unique and reference fields are never cut), dates become ``YYYY-MM-DD`` and datetimes
    ``YYYY-MM-DDTHH:MM:SSZ`` in UTC; a text of 12 or more digits is milliseconds since 1970. A date that goes into a
    datetime field is midnight, and a point in time that goes into a date field the day, in the CRM's own zone. An
    empty text is no value. Coercing twice changes nothing. Raises `Invalid`.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    match spec.type:
        case "number":
            return _number(spec, value)
        case "bool":
            return _bool(spec, value)
        case "date":
            return _day(spec, value)
        case "datetime":
            return _point(spec, value)
        case "enum":
            return _option(spec, text(value))
        case "multi_enum":
            parts = {part.strip() for part in text(value).split(";") if part.strip()}
            return ";".join(sorted({_option(spec, part) for part in parts})) or None
        case _:
            return _cut(spec, text(value))


def canonical(spec: FieldSpec, value: Scalar | date | datetime) -> Scalar:
    """The canonical form of a value the CRM holds; one that its own field should refuse stays as text."""
    try:
        return coerce(spec, value)
    except Invalid:
        return text(value) or None


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
        number = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except InvalidOperation:
        raise Invalid(f"{spec.name} takes a number") from None
    if not number.is_finite():
        raise Invalid(f"{spec.name} takes a finite number")
    scale = _DEFAULT_SCALE if spec.scale is None else spec.scale
    if spec.precision is not None and abs(number) >= Decimal(10) ** (spec.precision - scale):
        raise Invalid(f"{spec.name} holds at most {spec.precision - scale} digits before the point")
    try:
        exact = number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    except InvalidOperation:
        raise Invalid(f"{spec.name} takes a number of at most 28 digits") from None
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


def _day(spec: FieldSpec, value: Scalar | date | datetime) -> str:
    moment = day_or_moment(spec, value)
    if isinstance(moment, datetime):
        try:
            moment = moment.astimezone(ZoneInfo(spec.zone)).date()
        except OverflowError:
            raise _no_moment(spec) from None
    return moment.isoformat()


def _point(spec: FieldSpec, value: Scalar | date | datetime) -> str:
    moment = day_or_moment(spec, value)
    try:
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(), ZoneInfo(spec.zone))
        return _stamp(moment)
    except OverflowError:
        raise _no_moment(spec) from None


def day_or_moment(spec: FieldSpec, value: Scalar | date | datetime) -> date | datetime:
    """A day, or a point in time with its zone. Raises `Invalid`."""
    try:
        if isinstance(value, date):
            return _aware(value) if isinstance(value, datetime) else value
        words = text(value)
        if len(words) >= _EPOCH_MS_DIGITS and words.isdecimal():
            return _EPOCH + timedelta(milliseconds=int(words))
        if isinstance(value, str):
            return date.fromisoformat(words) if len(words) == _DAY_LENGTH else _aware(datetime.fromisoformat(words))
    except (ValueError, OverflowError):
        pass
    raise _no_moment(spec)


def _no_moment(spec: FieldSpec) -> Invalid:
    wanted = "a date (YYYY-MM-DD)" if spec.type == "date" else "a point in time (YYYY-MM-DDTHH:MM:SSZ)"
    return Invalid(f"{spec.name} takes {wanted}")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _option(spec: FieldSpec, word: str) -> str:
    if spec.options and word not in spec.options:
        by_case = {option.lower(): option for option in spec.options}
        if word.lower() in by_case:
            return by_case[word.lower()]
        if spec.restricted:
            raise Invalid(f"{spec.name} takes one of: {', '.join(spec.options)}")
    return word


def _cut(spec: FieldSpec, words: str) -> str:
    cut = shorten(words, spec.length) if spec.length else words
    if cut != words and (spec.unique or spec.type == "reference"):
        raise Invalid(f"{spec.name} takes at most {spec.length} characters and is never cut")
    return cut


def _stamp(moment: datetime) -> str:
    return _aware(moment).astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
