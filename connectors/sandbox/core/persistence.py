"""An SQLite file that stores the current state of the sandboxes, so that a kill loses no answered request.

A CRM reports its changes as small rows (part, key, value). All rows of one request are written in one
transaction before the request is answered: whatever a client got an answer for survives a kill. Only the owner
can read the file, because it holds credentials and sessions.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from connectors.sandbox.core.control import ControlError
from connectors.wire import compact_json, parse_json

_TABLE = """
create table if not exists state (
    crm text not null, part text not null, key text not null, value blob not null, unique (crm, part, key)
)
"""
_PUT = """
insert into state (crm, part, key, value) values (?, ?, ?, ?)
on conflict (crm, part, key) do update set value = excluded.value where value <> excluded.value
"""


class Row(NamedTuple):
    """``value`` is JSON-able; None deletes the row."""

    part: str
    key: str
    value: Any


class Changes(NamedTuple):
    """The changes since the last call of `ChangeTracker.changes`. ``replace_all``: delete all earlier rows first."""

    rows: list[Row]
    replace_all: bool = False


class ChangeTracker(Protocol):
    """Reports the changes of one CRM's state."""

    def changes(self) -> Changes:
        """The changes since the last call; at the first call the whole state."""


class StateFile:
    """The rows of all CRMs in one file. Raises `ControlError` when the file is not a state file."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            # A kill of this process loses nothing that was handed to the operating system; a power cut may.
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = off")
            self._db.execute(_TABLE)
        except sqlite3.DatabaseError as problem:
            self._db.close()
            raise ControlError(f"{path} does not hold the state of sandboxes: {problem}") from None

    def rows(self, crm: str) -> list[Row]:
        """All rows of one CRM in the order of their creation; empty for a new file."""
        found = self._db.execute("select part, key, value from state where crm = ? order by rowid", (crm,))
        return [Row(part, key, parse_json(value)) for part, key, value in found]

    def write(self, crm: str, changes: Changes) -> None:
        """Write the changes, all or none."""
        if not changes.rows and not changes.replace_all:
            return
        put = [(crm, row.part, row.key, compact_json(row.value)) for row in changes.rows if row.value is not None]
        gone = [(crm, row.part, row.key) for row in changes.rows if row.value is None]
        self._db.execute("begin immediate")
        try:
            if changes.replace_all:
                self._db.execute("delete from state where crm = ?", (crm,))
            self._db.executemany("delete from state where crm = ? and part = ? and key = ?", gone)
            self._db.executemany(_PUT, put)
            self._db.execute("commit")
        except BaseException:
            self._db.execute("rollback")
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()
