"""The error of a state database that cannot be used, and how a damaged one is recognised."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

_SQLITE_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_POSTGRES_DAMAGE = "XX"
"""The class of SQL states of data or an index that is corrupted."""
_NOT_UTF_8 = "Could not decode to UTF-8"
WHAT_TO_DO = "Stop the workers and restore the last backup: plgsync state restore FILE"


class StoreError(Exception):
    """The state database cannot be used; the message says what an operator does about it."""


def damage(error: BaseException) -> str:
    """In one line: that the database is damaged and what to do; empty when the error says nothing of that kind.

    ``error`` is the driver's, or SQLAlchemy's around it.
    """
    orig: Any = getattr(error, "orig", None) or error
    sqlite = getattr(orig, "sqlite_errorcode", 0) & 0xFF in _SQLITE_DAMAGE
    postgres = str(getattr(orig, "sqlstate", None) or "").startswith(_POSTGRES_DAMAGE)
    if sqlite or postgres:
        return damaged(str(orig).strip().partition("\n")[0])
    return damaged("a stored text is not UTF-8") if str(orig).startswith(_NOT_UTF_8) else ""


def damaged(how: str) -> str:
    """The line on a damaged state database."""
    return f"the state database is damaged: {how}. {WHAT_TO_DO}"


def read_json(text: str) -> Any:
    """What a column of JSON holds. Raises `StoreError` for a text that was damaged."""
    try:
        return json.loads(text)
    except ValueError:
        raise StoreError(damaged("a stored value is not JSON")) from None
