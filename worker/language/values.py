"""What a field of an account can hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import TypeAlias

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


def _tidy_float(value: float) -> str:
    if not finite_number(value):
        return "unknown"
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
