"""A request to stop working, shared by a process and every process that it forks."""

from __future__ import annotations

import mmap
import time

from connectors.clock import stopwatch

_POLL_EVERY_S = 0.1


class CancelToken:
    """Cancelled once, also from a signal handler; work checks `cancelled` between two steps and then ends.

    It is one byte of shared memory without a lock: a signal handler may run while any lock is taken, and the
    processes of Celery's pool, which were forked earlier, see that their parent process was cancelled.
    """

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def cancel(self) -> None:
        """Ask all work that checks this token to end."""
        self._shared[0] = 1

    @property
    def cancelled(self) -> bool:
        return self._shared[0] == 1

    def wait(self, seconds: float) -> None:
        """Sleep for ``seconds``, or until the token is cancelled."""
        until = stopwatch() + seconds
        while not self.cancelled and (left := until - stopwatch()) > 0:
            time.sleep(min(left, _POLL_EVERY_S))


worker_stop = CancelToken()
"""The token of the Celery worker that this process is, or was forked from."""
