"""A pipe by which one process wakes up another; a notification waits in the pipe for a process that starts later."""

from __future__ import annotations

import contextlib
import os
import select
from dataclasses import dataclass

from connectors.clock import stopwatch
from worker.delivery.stop import CancelToken

_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class WakeupPipe:
    """The file descriptors of both ends; every process of the tree holds both."""

    read_end: int
    write_end: int

    @classmethod
    def open(cls) -> WakeupPipe:
        """A new pipe. Neither end blocks."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        return cls(read_end, write_end)

    def notify(self) -> None:
        """Wake up the process that waits, or the next one that does."""
        with contextlib.suppress(BlockingIOError):  # a full pipe holds notifications enough
            os.write(self.write_end, b".")

    def wait(self, seconds: float, stop: CancelToken) -> bool:
        """Wait for a notification, at most ``seconds`` and until ``stop`` is cancelled; answers whether one came."""
        until = stopwatch() + seconds
        while not stop.cancelled and (left := until - stopwatch()) > 0:
            if select.select([self.read_end], [], [], min(left, _POLL_S))[0]:
                with contextlib.suppress(BlockingIOError):
                    return bool(os.read(self.read_end, 4096))
        return False
