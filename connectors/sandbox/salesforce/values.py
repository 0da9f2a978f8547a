"""Turns the value that a client sends for one field into its stored form, or rejects it.

Stored: text, numbers (float, int for ``int`` fields), booleans, dates ``YYYY-MM-DD`` and datetimes
``YYYY-MM-DDTHH:MM:SS.000+0000`` in UTC, which sort as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.errors import RequestRejected, malformed_id
from connectors.sandbox.salesforce.schema import TEXT_TYPES, Field

RANK_TYPE, RANK_ID, RANK_RANGE, RANK_REQUIRED = 3, 4, 5, 6
_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;.]+\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_ZONE = re.compile(r"([+-]\d{2})(\d{2})\Z")


def stored(field: Field, given: Any) -> Any:
    """The stored form of ``given`` in ``field``. Raises `RequestRejected` with the rank of the failed check.

    An empty text is no value.
    """
    if given is None or given == "":
        if field.type == "boolean":
            raise _wrong_type(field, given, "boolean")
        return None
    return STORE[field.type](field, given)


def stamp(moment: datetime) -> str:
    """A time as Salesforce writes it, e.g. ``2026-01-02T03:04:05.000+0000``."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000+0000"


def parse_moment(text: str) -> datetime:
    """A datetime as Salesforce reads it. Raises ValueError, also for a missing time zone."""
    moment = datetime.fromisoformat(_ZONE.sub(r"\1:\2", text))
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment


def _text(field: Field, given: Any) -> str:
    if type(given) is str and len(given) <= field.length and given.isascii():
        return given
    if isinstance(given, bool):
        given = "true" if given else "false"
    elif isinstance(given, int | float):
        given = str(given)
    elif not isinstance(given, str):
        raise _wrong_type(field, given, "string")
    if len(given) > field.length:
        message = f"{field.label}: data value too large: {given} (max length={field.length})"
        raise RequestRejected("STRING_TOO_LONG", message, (field.name,), rank=RANK_RANGE)
    # Half a surrogate pair is valid in JSON but not in UTF-8.
    return str(given) if given.isascii() else str(given.encode("utf-8", "replace").decode())


def _email(field: Field, given: Any) -> str:
    if not isinstance(given, str) or not _EMAIL.match(given):
        message = f"{field.label}: invalid email address: {given}"
        raise RequestRejected("INVALID_EMAIL_ADDRESS", message, (field.name,), rank=RANK_RANGE)
    return _text(field, given)


_rounded = lru_cache(maxsize=16_384)(round)  # scores repeat, and rounding is the most expensive part of storing one


def _number(field: Field, given: Any) -> float | int:
    limit = field.limit
    if type(given) is int and -limit < given < limit:
        return given if field.type == "int" else float(given)
    if (
        type(given) is float
        and -limit < given < limit
        and field.type != "int"
        and _rounded(given, field.scale) == given
    ):
        return given
    kind = "int" if field.type == "int" else "double"
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise _wrong_type(field, given, kind)
    try:
        number = Decimal(repr(given) if isinstance(given, float) else given)
    except InvalidOperation:
        raise _wrong_type(field, given, kind) from None
    if not number.is_finite():
        raise _wrong_type(field, given, kind)
    if abs(number) >= limit:
        message = f"{field.label}: value outside of valid range on numeric field: {given}"
        raise RequestRejected("NUMBER_OUTSIDE_VALID_RANGE", message, (field.name,), rank=RANK_RANGE)
    exact = number.quantize(Decimal(1).scaleb(-field.scale), rounding=ROUND_HALF_UP)
    return int(exact) if field.type == "int" else float(exact)


def _boolean(field: Field, given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in ("true", "false"):
        return given.lower() == "true"
    raise _wrong_type(field, given, "boolean")


def _day(field: Field, given: Any) -> str:
    try:
        if isinstance(given, str) and _DATE.match(given):
            return date.fromisoformat(given).isoformat()
        return parse_moment(given).astimezone(UTC).date().isoformat()
    except (ValueError, TypeError, OverflowError):
        raise _wrong_type(field, given, "date") from None


def _datetime(field: Field, given: Any) -> str:
    try:
        return _stamp_of(given)
    except (ValueError, TypeError, OverflowError):
        raise _wrong_type(field, given, "datetime") from None


@lru_cache(maxsize=4096)
def _stamp_of(given: str) -> str:
    if isinstance(given, str) and _DATE.match(given):
        return f"{date.fromisoformat(given).isoformat()}T00:00:00.000+0000"
    return stamp(parse_moment(given))


def _picklist(field: Field, given: Any) -> str:
    text = _text(field, given)
    known = field.option(text)
    if known is not None:
        return known.value
    if field.restricted:
        message = f"{field.label}: bad value for restricted picklist field: {given}"
        raise RequestRejected("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (field.name,), rank=RANK_RANGE)
    return text


def _multipicklist(field: Field, given: Any) -> str:
    return ";".join(_picklist(field, part) for part in _text(field, given).split(";") if part)


def _reference(field: Field, given: Any) -> str:
    known = ids.canonical(given)
    if known is None:
        raise malformed_id(field.label, given, field.name, RANK_ID)
    return known


_JACKSON = (  # the names of the tokens of Salesforce's JSON parser
    (str, "VALUE_STRING"),
    (int, "VALUE_NUMBER_INT"),
    (float, "VALUE_NUMBER_FLOAT"),
    (dict, "START_OBJECT"),
    (list, "START_ARRAY"),
)


def _wrong_type(field: Field, given: Any, kind: str) -> RequestRejected:
    shown = {True: "true", False: "false"}[given] if isinstance(given, bool) else given
    met = next((word for type_, word in _JACKSON if isinstance(given, type_)), "VALUE_NULL")
    if isinstance(given, bool):
        met = f"VALUE_{str(given).upper()}"
    message = (
        f"Cannot deserialize instance of {kind} from {met} value {shown} or request may be missing a required field"
    )
    return RequestRejected("JSON_PARSER_ERROR", message, (field.name,), rank=RANK_TYPE)


STORE: dict[str, Callable[[Field, Any], Any]] = {
    **dict.fromkeys(TEXT_TYPES, _text),
    "email": _email,
    **dict.fromkeys(("double", "currency", "percent", "int"), _number),
    "boolean": _boolean,
    "date": _day,
    "datetime": _datetime,
    "picklist": _picklist,
    "multipicklist": _multipicklist,
    "reference": _reference,
    "id": _reference,
}
