"""A wish to end, known to a process and to every process it has forked, and looked at between two steps."""

from __future__ import annotations

import mmap
import time

from connectors.clock import stopwatch

_LOOK_EVERY_S = 0.1


class Stop:
    """Asked once, in a signal handler if need be; whoever works looks at `asked` and ends at the next good moment.

    One byte of shared memory and no lock: a handler may run while any lock is held, and Celery's pool processes,
    forked before, see what the process above them was told.
    """

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def ask(self) -> None:
        """Say that work should end."""
        self._shared[0] = 1

    @property
    def asked(self) -> bool:
        return self._shared[0] == 1

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until asked."""
        until = stopwatch() + seconds
        while not self.asked and (left := until - stopwatch()) > 0:
            time.sleep(min(left, _LOOK_EVERY_S))


worker_stop = Stop()
"""That of the Celery worker which this process is, or was forked from."""
