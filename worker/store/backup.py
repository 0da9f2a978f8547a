"""The file of a backup: all tables of a state in one SQLite file, with what proves that it is whole.

Its table ``plgsync_backup`` has a row per table with the number of rows and a checksum of the stored values. The file
is built under another name and renamed at its end, so that it exists whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine

from worker.store.engine import StoreError, check_schema, connect_store, open_store
from worker.store.sqlite_file import refuse_damaged
from worker.store.state_copy import copy_state
from worker.telemetry.steps import report_step

_MANIFEST = "plgsync_backup"
_READ_MANIFEST = "SELECT name, row_count, checksum FROM plgsync_backup"
_ADD_TO_MANIFEST = "INSERT INTO plgsync_backup VALUES (?, ?, ?)"


def write_backup(engine: Engine, file: Path) -> dict[str, int]:
    """Write a state as of one moment into a file, while others go on writing; answers the rows by table.

    An earlier backup under this name is replaced. Raises `StoreError`; then nothing is at the name that was not before.
    """
    if file.exists() and not _is_backup(file):
        raise StoreError(f"{file} exists and is no backup of plgsync; name another file")
    with beside(file) as folder:
        draft = folder / "backup.db"
        copy = open_store(f"sqlite:///{draft}")
        try:
            with one_moment(engine) as source, copy.begin() as target:
                rows = copy_state(source, target)
        finally:
            copy.dispose()
        report_step("checking the backup")
        _seal(draft)
        check_backup(draft)
        put(draft, file)
    return rows


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one moment of the whole database; nobody waits for it."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


@contextmanager
def open_backup(file: Path, scratch: Path) -> Iterator[Connection]:
    """Read a backup at the schema of this version; an older one is upgraded in a copy, in the folder ``scratch``.

    Raises `StoreError` for a file that is no backup, is damaged, or was written by a newer version.
    """
    if not file.is_file():
        raise StoreError(f"there is no file {file}")
    with beside(scratch / file.name) as folder:
        copy = folder / "backup.db"
        report_step("checking the backup")
        shutil.copyfile(file, copy)
        if not _is_backup(copy):
            raise StoreError(f"{file} is no backup of plgsync, or it is damaged; nothing was changed")
        try:
            check_backup(copy)
            _refuse_newer(copy)
        except StoreError as error:
            raise StoreError(f"{file}: {error}; nothing was changed") from None
        engine = open_store(f"sqlite:///{copy}")
        try:
            with engine.connect() as connection, connection.begin():
                yield connection
        finally:
            engine.dispose()


def check_backup(file: Path) -> None:
    """Read the whole file and compare it with what it says of itself. Raises `StoreError`."""
    try:
        refuse_damaged(str(file))
        with closing(_reading(file)) as backup:
            expected = {name: (rows, sum_) for name, rows, sum_ in backup.execute(_READ_MANIFEST)}
            found = {name: _sum(backup, name) for name in expected}
            present = set(_tables(backup))
    except (StoreError, sqlite3.Error):
        raise StoreError("the backup is damaged; take another one") from None
    if found != expected or present != expected.keys():
        raise StoreError("the backup is damaged; take another one")


def _seal(file: Path) -> None:
    """Store the counts and checksums, and make one file of the database and its log."""
    with closing(sqlite3.connect(file)) as backup:
        sums = [(name, *_sum(backup, name)) for name in _tables(backup)]
        backup.execute(f"CREATE TABLE {_MANIFEST} (name TEXT PRIMARY KEY, row_count INTEGER, checksum TEXT)")
        backup.executemany(_ADD_TO_MANIFEST, sums)
        backup.commit()
        backup.execute("PRAGMA journal_mode=DELETE")


def _sum(backup: sqlite3.Connection, name: str) -> tuple[int, str]:
    """The number of rows and a checksum of the values as they are stored, in the order of the file."""
    digest, rows = hashlib.sha256(), 0
    for row in backup.execute(f'SELECT * FROM "{name}" ORDER BY rowid'):  # noqa: S608 - a name of our own schema
        digest.update(repr(row).encode())
        rows += 1
    return rows, digest.hexdigest()


def _tables(backup: sqlite3.Connection) -> list[str]:
    names = backup.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in names if name != _MANIFEST and not name.startswith("sqlite_")]


def _is_backup(file: Path) -> bool:
    try:
        with closing(_reading(file)) as backup:
            backup.execute(_READ_MANIFEST).fetchone()
    except sqlite3.Error:
        return False
    return True


def _reading(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)


def _refuse_newer(file: Path) -> None:
    engine = connect_store(f"sqlite:///{file}", read_only=True)
    try:
        check_schema(engine)
    finally:
        engine.dispose()


@contextmanager
def beside(file: Path) -> Iterator[Path]:
    """A folder that only its owner reads, on the disk of ``file``; it is gone afterwards. Raises `StoreError`."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{file.name}-", dir=file.absolute().parent))
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(draft: Path, file: Path) -> None:
    """Rename the draft once its bytes are on the disk."""
    draft.chmod(0o600)
    _flush(draft)
    draft.replace(file)
    _flush(file.absolute().parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
