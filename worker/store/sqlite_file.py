"""The SQLite file of the state: how a new one begins, how it is opened, and whether it is damaged.

Nothing here opens the file but SQLite itself: closing another descriptor of it would end the locks of this process.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event

from connectors.private_files import make_private_folder, touch_private
from worker.store.errors import WHAT_TO_DO, StoreError, damage, damaged, read_json

LOCK_WAIT_S = 30
_MEMORY = ":memory:"
_URI = "file:"
REVISION = "alembic_version"
"""The table that says which migration a state database is at."""


def sqlite_engine(url: str, path: str | None, *, read_only: bool) -> Engine:
    """The engine on a file; a reader's has no right to write, so that it repairs and checkpoints nothing."""
    settings: dict[str, Any] = {"connect_args": {"timeout": LOCK_WAIT_S}}
    if read_only and _is_file(path):
        settings = {"creator": lambda: _connect(Path(str(path)), "mode=ro")}
    engine = create_engine(url, hide_parameters=True, json_deserializer=read_json, **settings)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in () if read_only else ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def begin_file(path: str | None) -> None:
    """Make the file of a new project, complete from its first moment: a file without bytes is never a new one.

    Raises `StoreError`.
    """
    if not path or not _is_file(path) or Path(path).exists():
        return
    fresh = Path(f"{path}.new-{secrets.token_hex(4)}")
    try:
        make_private_folder(fresh.parent)
        touch_private(fresh)
    except OSError as error:
        raise StoreError(f"the folder of the state database cannot be made: {error.strerror}") from None
    # Where another process was faster, or links are not supported, SQLite opens or makes the file itself.
    with suppress(OSError, sqlite3.Error):
        with closing(sqlite3.connect(fresh)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        os.link(fresh, path)
    with suppress(OSError):
        fresh.unlink(missing_ok=True)


def refuse_damaged(path: str | None) -> None:
    """Look through the whole file (``PRAGMA quick_check``) without a write to it; raise `StoreError` for damage.

    So too for a SQLite file that is somebody else's.
    A byte that changed inside a stored value is not found: SQLite has no checksums.
    """
    if not path or not _is_file(path) or not (file := Path(path)).exists():
        return
    if file.stat().st_size == 0:
        raise StoreError(
            f"{file} is empty (0 bytes), which no state database is. {WHAT_TO_DO}; "
            "if this project never ran, delete the file"
        )
    while True:
        before = _version(file)
        problem = _look_through(file, "mode=ro" if _has_log(file) else "immutable=1")
        if not problem:
            return
        if _has_log(file) or _version(file) == before:  # else somebody wrote beside a look that took no locks
            raise StoreError(problem)


def _look_through(file: Path, mode: str) -> str:
    """What is wrong with a file, in one line. A look with ``immutable`` takes no locks and makes no file beside it."""
    try:
        with closing(_connect(file, mode)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        return damage(error)  # another error, such as a missing right, is for who opens the file
    if found != "ok":
        return damaged(" ".join(str(found).split()))
    return (
        f"{file} is a SQLite database, but not a state database of plgsync" if tables and REVISION not in tables else ""
    )


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    address = f"file:{quote(str(file.absolute()))}?{mode}"
    return sqlite3.connect(address, uri=True, timeout=LOCK_WAIT_S, check_same_thread=False)


def _has_log(file: Path) -> bool:
    """Whether commits stand in the write-ahead log: then the file alone is not the database."""
    log = Path(f"{file}-wal")
    return log.exists() and log.stat().st_size > 0


def _version(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size


def _is_file(path: str | None) -> bool:
    return bool(path) and path != _MEMORY and not str(path).startswith(_URI)
