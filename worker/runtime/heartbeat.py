"""A file that a process touches while it works; its age shows whether the process hangs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from connectors.clock import now
from connectors.private_files import make_private_folder, write_private

log = structlog.get_logger()

BEAT_EVERY_S = 5.0
DEAD_AFTER_S = 60.0


def beat(file: Path) -> None:
    """Write the file anew; it holds the process id."""
    make_private_folder(file.parent)
    write_private(file, f"{os.getpid()}\n")


def age_s(file: Path) -> float | None:
    """Seconds since the last beat, or None when there was none."""
    try:
        return max(0.0, now().timestamp() - file.stat().st_mtime)
    except OSError:
        return None


class Heartbeat:
    """Touches one file. A failure (a full disk) is logged once, and the next beat tries again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._failing = False

    def beat(self) -> None:
        """Touch the file; log when that fails for the first time."""
        try:
            beat(self._file)
        except OSError as error:
            if not self._failing:
                log.warning("heartbeat failed", file=str(self._file), problem=error.strerror or type(error).__name__)
            self._failing = True
        else:
            self._failing = False


def beat_while(file: Path, well: Callable[[], bool]) -> None:
    """Touch the file from a thread of its own while the process is ``well``, however long one job takes."""
    heartbeat = Heartbeat(file)
    if well():
        heartbeat.beat()

    def keep_beating() -> None:
        while True:
            time.sleep(BEAT_EVERY_S)
            if well():
                heartbeat.beat()

    threading.Thread(target=keep_beating, name="heartbeat", daemon=True).start()
