"""Puts a whole state into a database: a backup into this project's, or this project's state into another one.

Either all of it is there afterwards or nothing has changed: one transaction, or a new file that is renamed at its end.
Nobody may use the databases meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir

from sqlalchemy import Connection, Engine, func, select, text

from connectors.clock import now
from worker.store.backup import beside, open_backup, put
from worker.store.engine import SESSION, StoreError, connect_store, db_now, look_through, open_store, parse_url
from worker.store.lock import Busy, exclusive_run
from worker.store.marks import (
    adoption_required,
    forget_move,
    is_moving,
    mark_moved,
    mark_moving,
    project_ids,
    refuse_moved,
    require_adoption,
)
from worker.store.state_copy import copy_state, count_rows, empty_tables, lock_tables
from worker.store.tables import outbox

_OTHERS_S = 2.0
_STOP = "stop the workers, the exporter and every other plgsync command, then try again"


def restore_state(url: str, file: Path) -> dict[str, int]:
    """Replace the state at ``url`` by a backup and mark that adoption has to run; answers the rows by table.

    A SQLite file that is damaged is kept under another name. Raises `StoreError` or `Busy`; then nothing has changed.
    """
    path = _path(url)
    with _alone(url), open_backup(file, path.parent if path else Path(gettempdir())) as backup:
        if path is None or _is_usable(path):
            return _restore_in_place(url, backup)
        return _build(path, backup, require_adoption, lambda draft: _replace_file(path, draft))


def move_state(url: str, to: str) -> dict[str, int]:
    """Copy the state to an empty database, and mark this one as moved there; answers the rows by table.

    At no time are both usable: a move that is killed is to be repeated. Raises `StoreError` or `Busy`; then this state
    is as it was.
    """
    if address_of(to) == address_of(url):
        raise StoreError("the state is there already")
    source = open_store(url)
    try:
        refuse_moved(source, moving_to=address_of(to))
        source.dispose()
        with _alone(url):
            rows = _arrived(source, to)
            if rows is None:
                with _on_its_way(source, to):
                    rows = _copied(source, to)
            with source.begin() as leaving:
                mark_moved(leaving, address_of(to))
    finally:
        source.dispose()
    return rows


def _arrived(source: Engine, to: str) -> dict[str, int] | None:
    """The rows by table where a move was killed between the copy and its mark: a copy is there whole or not at all."""
    with source.begin() as leaving:
        _refuse_leases(leaving)
        moving = is_moving(leaving)
    if (path := _path(to)) and not path.exists():
        return None
    if path and not moving:
        raise StoreError(f"{path} exists already; nothing was changed")
    target = open_store(to)
    try:
        with target.begin() as connection:
            rows = count_rows(connection)
    finally:
        target.dispose()
    if any(rows.values()) and not moving:
        raise StoreError(f"{address_of(to)} is not empty; nothing was changed")
    return rows if any(rows.values()) else None


@contextmanager
def _on_its_way(source: Engine, to: str) -> Iterator[None]:
    """While the copy is made; one that fails leaves the state usable."""
    with source.begin() as leaving:
        mark_moving(leaving, address_of(to))
    try:
        yield
    except BaseException:
        with source.begin() as leaving:
            forget_move(leaving)
        raise


def _copied(source: Engine, to: str) -> dict[str, int]:
    path = _path(to)
    with source.begin() as leaving:
        lock_tables(leaving, "share row exclusive")
        return _move_to_server(leaving, to) if path is None else _move_to_file(leaving, path)


def address_of(url: str) -> str:
    """Where a state database is, without what may be secret."""
    return parse_url(url).set(password=None, query={}).render_as_string()


def _restore_in_place(url: str, backup: Connection) -> dict[str, int]:
    engine = open_store(url)
    try:
        refuse_moved(engine)
        with engine.begin() as target:
            _refuse_leases(target)
            _refuse_other_project(backup, target)
            lock_tables(target, "access exclusive")
            empty_tables(target)
            rows = copy_state(backup, target)
            require_adoption(target)
    finally:
        engine.dispose()
    return rows


def _refuse_other_project(backup: Connection, target: Connection) -> None:
    """A state that was restored and never adopted may be the wrong one itself."""
    of_backup, own = project_ids(backup), project_ids(target)
    if of_backup and own and not {*of_backup} & {*own} and not adoption_required(target):
        raise StoreError(
            f"the backup is of the project {of_backup[0]}, and this state of {own[0]}; nothing was changed"
        )


def _move_to_server(leaving: Connection, to: str) -> dict[str, int]:
    engine = open_store(to)
    try:
        with engine.begin() as target:
            lock_tables(target, "access exclusive")
            rows = copy_state(leaving, target)
            forget_move(target)
            return rows
    finally:
        engine.dispose()


def _move_to_file(leaving: Connection, path: Path) -> dict[str, int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return _build(path, leaving, forget_move, lambda draft: put(draft, path))


def _build(
    path: Path, source: Connection, change: Callable[[Connection], None], finish: Callable[[Path], None]
) -> dict[str, int]:
    """Make a new file with the whole state, and hand it to ``finish`` once it is complete."""
    with beside(path) as folder:
        draft = folder / path.name
        engine = open_store(f"sqlite:///{draft}")
        try:
            with engine.begin() as target:
                rows = copy_state(source, target)
                change(target)
        finally:
            engine.dispose()
        finish(draft)
    return rows


def _replace_file(path: Path, draft: Path) -> None:
    """Put a new file in the place of a damaged one, which is kept; a log that stayed behind belongs to the old file."""
    aside = f"{path}.damaged-{now():%Y%m%dT%H%M%S}"
    if path.exists():
        try:
            os.link(path, aside)
        except OSError:  # a file system without links
            shutil.copyfile(path, aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    put(draft, path)


def _path(url: str) -> Path | None:
    parsed = parse_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _is_usable(path: Path) -> bool:
    try:
        look_through(parse_url(f"sqlite:///{path}"))
    except StoreError:
        return False
    return path.exists()


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """While nobody else uses the state database. Raises `StoreError` or `Busy` when somebody does."""
    path, engine = _path(url), connect_store(url)
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive_run(engine):
            if path is None:
                _refuse_sessions(engine)
            elif _is_usable(path):
                _refuse_open_files(path)
            yield
    finally:
        engine.dispose()


def _refuse_open_files(path: Path) -> None:
    """SQLite leaves the mode with a log, which the next connection enters again, only for the only connection."""
    try:
        with closing(sqlite3.connect(path, timeout=_OTHERS_S)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError:
        raise Busy(f"another process has the state database open; {_STOP}") from None


def _refuse_sessions(engine: Engine) -> None:
    others = "select count(*) from pg_stat_activity where datname = current_database() and application_name like :all"
    with engine.connect() as connection:
        count = connection.execute(
            text(f"{others} and application_name <> :own"), {"all": "plgsync %", "own": SESSION}
        ).scalar_one()
    if count:
        raise Busy(f"{count} other connections of plgsync use the state database; {_STOP}")


def _refuse_leases(connection: Connection) -> None:
    """A worker that died may still have a call under way until the lease of its rows ends."""
    leased = (outbox.c.state == "leased") & (outbox.c.due_at > db_now())
    left = connection.execute(select(func.max(outbox.c.due_at) - db_now()).where(leased)).scalar()
    if left is not None:
        raise Busy(f"a worker is sending, or died less than a lease ago; stop it, and try again in {left:.0f} seconds")
