"""Database results as values: aware UTC times and finite plain numbers."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from connectors.base.values import finite_number
from worker.language.values import Value, as_utc, midnight
from worker.signals.reading.numbers import NUMBER_TEXT

NUMBER = re.compile(NUMBER_TEXT)
_DAY = timedelta(days=1)


def number(value: Any) -> int | float | None:
    """A finite number, whole where it is whole.

    Twelve digits: databases add floats in any order, and the noise must not look like a change.
    """
    if value is None:
        return None
    if isinstance(value, int):
        return value
    found = float(value)
    if not finite_number(found):
        return None
    found = float(f"{found:.12g}")
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


def integer(value: Any) -> int | None:
    """A count as an integer."""
    return None if value is None else int(value)


def moment(value: Any) -> datetime | None:
    """A time in UTC, from whatever an engine gives for one."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return as_utc(value)
    return midnight(value) if isinstance(value, date) else None


def plain(value: Any) -> Value:
    """A column of theirs that our schema does not know."""
    if isinstance(value, Decimal | float):
        return number(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if value is None or isinstance(value, bool | int | date):
        return value
    return text(value)


def nested(value: str) -> str | None:
    """JSON in one spelling: engines keep other blanks and another order of keys."""
    try:
        found = json.loads(value)
    except ValueError:
        return text(value)
    if found is None or isinstance(found, str):
        return text(found)
    return text(json.dumps(found, ensure_ascii=False, sort_keys=True))


def text(value: Any) -> str | None:
    """Text without blanks around it and without NUL, which PostgreSQL cannot store; nothing but blanks is unknown."""
    return (str(value).replace("\0", "").strip() or None) if value is not None else None


def by_kind(value: Any, kind: str) -> Value:
    """A value of one of our columns."""
    if value is None:
        return None
    if kind == "number":
        return number(value)
    if kind == "time":
        return moment(value)
    if kind == "flag":
        return bool(value)
    if kind == "nested":
        return nested(value)
    if kind == "props":
        return number(value) if NUMBER.fullmatch(str(value).strip()) else text(value)
    return plain(value) if kind == "extra" else text(value)


def turned(value: Value, turn: Literal["days_since", "days_until"], as_of: datetime) -> Value:
    """A moment as whole days: since it, completed days; until it, started days."""
    if not isinstance(value, datetime):
        return None
    return (as_of - value) // _DAY if turn == "days_since" else -((as_of - value) // _DAY)
