"""An SQLite file that holds the sandboxes' state as it is, so that they can be killed and started again.

A CRM hands over what changed in small rows (part, key, value). All rows of one request are written in one
transaction before the request is answered: what a client was told is there after a kill. The file is readable
by its owner only, because credentials and sessions are in it.
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
    """``value`` is JSON-able; None takes the row away."""

    part: str
    key: str
    value: Any


class Changes(NamedTuple):
    """What changed since it was last asked. ``replace_all``: forget all rows that were there before."""

    rows: list[Row]
    replace_all: bool = False


class ChangeTracker(Protocol):
    """The state of one CRM, as far as it is to outlast a kill."""

    def changes(self) -> Changes:
        """What changed since the last call; at the first call everything."""


class StateFile:
    """The rows of all CRMs in one file. Raises `ControlError` when the file is something else."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            # A kill of this process loses nothing that was given to the system; a power cut may.
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = off")
            self._db.execute(_TABLE)
        except sqlite3.DatabaseError as problem:
            self._db.close()
            raise ControlError(f"{path} does not hold the state of sandboxes: {problem}") from None

    def rows(self, crm: str) -> list[Row]:
        """Everything of one CRM, in the order it first came to be; empty when nothing was kept yet."""
        found = self._db.execute("select part, key, value from state where crm = ? order by rowid", (crm,))
        return [Row(part, key, parse_json(value)) for part, key, value in found]

    def write(self, crm: str, changes: Changes) -> None:
        """Make the changes last, all or none."""
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
        """Nothing is written from now on."""
        self._db.close()
