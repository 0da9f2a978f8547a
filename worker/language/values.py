"""What a field of an account can hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, TypeAlias

from connectors.base.values import finite_number

Value: TypeAlias = bool | int | float | str | date | datetime | None
"""One fact. ``None`` is unknown; datetimes are aware UTC."""

Fields: TypeAlias = Mapping[str, Value]
"""Everything known of one account, flat. A name that is absent is unknown."""


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC; a datetime without a zone is taken for UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def midnight(day: date) -> datetime:
    """The first moment of ``day`` in UTC."""
    return datetime.combine(day, time(), UTC)


def tidy(value: Value) -> str:
    """A value as a person reads it: ``unknown``, ``yes``, ``12.5``, ``2026-11-23``.

    Numbers are rounded to two decimals, and a datetime at midnight is shown as its date.
    """
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _tidy_float(value)
    if isinstance(value, datetime):
        moment = as_utc(value)
        return moment.date().isoformat() if moment.time() == time() else moment.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip() or "unknown"


def value_to_json(value: Value) -> Any:
    """A value as JSON: a date or time becomes an object, so that a text that looks like one stays a text."""
    if isinstance(value, datetime):
        return {"time": as_utc(value).isoformat()}
    return {"date": value.isoformat()} if isinstance(value, date) else value


def value_from_json(value: Any) -> Value:
    """The value that `value_to_json` wrote."""
    if isinstance(value, Mapping):
        at_time = "time" in value
        return as_utc(datetime.fromisoformat(value["time"])) if at_time else date.fromisoformat(value["date"])
    return value  # type: ignore[no-any-return]  # JSON's own kinds are values


def _tidy_float(value: float) -> str:
    if not finite_number(value):
        return "unknown"
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
