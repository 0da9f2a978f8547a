"""Folders for data beyond the memory limit, which outlive no process for long."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from connectors.clock import now

_PREFIX = "plgsync-spill-"
_NEW_S = 60
"""A folder as new as this may belong to a process that has not locked it yet."""


class SpillFolder:
    """A folder of this process, locked as long as it lives; a new one removes those of processes that were killed."""

    def __init__(self) -> None:
        _remove_abandoned(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if now().timestamp() - path.stat().st_mtime > _NEW_S:
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
