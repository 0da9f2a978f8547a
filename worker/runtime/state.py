"""Backup, restore and move of the whole state of a project; reads no settings, so that invalid ones stop none of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.runtime.up.lock import hold_tree_lock, state_folder
from worker.settings.environment import database_url, project_dir, secret
from worker.store.backup import write_backup
from worker.store.engine import StoreError, database_exists, read_store
from worker.store.marks import refuse_moved
from worker.store.replace import move_state, restore_state


def back_up(option: Path | None, file: Path) -> dict[str, int]:
    """Write the state into a file while others use it; answers the rows by table. Raises `StoreError`."""
    engine = read_store(_existing(option))
    try:
        refuse_moved(engine)
        return write_backup(engine, file)
    finally:
        engine.dispose()


def restore(option: Path | None, file: Path) -> dict[str, int]:
    """Replace the state by a backup; answers the rows by table. Raises `StoreError` or `Busy`."""
    root = project_dir(option)
    url = database_url(root)
    with _without_tree(root, url):
        return restore_state(url, file)


def move(option: Path | None, to: str) -> dict[str, int]:
    """Copy the state to an empty database, which may be named as a secret is. Raises `StoreError` or `Busy`."""
    root, url = project_dir(option), _existing(option)
    if to.startswith(("env:", "file:")):
        to = secret(to, root)()
    with _without_tree(root, url):
        return move_state(url, to)


def _existing(option: Path | None) -> str:
    url = database_url(project_dir(option))
    if not database_exists(url):
        raise StoreError("there is no state database yet")
    return url


@contextmanager
def _without_tree(root: Path, url: str) -> Iterator[None]:
    """While no ``plgsync up`` runs on this state. Raises `Busy`."""
    lock = hold_tree_lock(state_folder(root, url))
    try:
        yield
    finally:
        os.close(lock)
