"""One tree per state database: a lock that every process of the tree holds until the last of them exits."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import make_url

from connectors.private_files import make_private_folder
from worker.store.lock import Busy


def state_folder(project: Path, database_url: str) -> Path:
    """The folder of this machine's state files: beside the SQLite file, else in the project."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).resolve().parent
    return project / ".plgsync"


def hold_tree_lock(folder: Path) -> int:
    """The descriptor of the lock, which every child inherits. Raises `Busy` while another tree runs."""
    make_private_folder(folder)
    descriptor = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Busy("plgsync up is running on this state database already") from None
    return descriptor
