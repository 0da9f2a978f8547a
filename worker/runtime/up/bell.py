"""A bell between two processes: a ring is kept until somebody hears it, even if that somebody starts later."""

from __future__ import annotations

import contextlib
import os
import select
from dataclasses import dataclass

from connectors.clock import stopwatch
from worker.delivery.stop import CancelToken

_SLICE_S = 0.2


@dataclass(frozen=True, slots=True)
class Bell:
    """A pipe; every process of the tree holds both ends."""

    hear: int
    ring_end: int

    @classmethod
    def hang(cls) -> Bell:
        """A new bell."""
        hear, ring_end = os.pipe()
        os.set_blocking(hear, False)
        os.set_blocking(ring_end, False)
        return cls(hear, ring_end)

    def ring(self) -> None:
        """Wake up whoever listens."""
        with contextlib.suppress(BlockingIOError):  # full: it has rung often enough
            os.write(self.ring_end, b".")

    def rings_within(self, seconds: float, stop: CancelToken) -> bool:
        """Wait until it rings, time is up, or the process should end; answers whether it rang."""
        until = stopwatch() + seconds
        while not stop.cancelled and (left := until - stopwatch()) > 0:
            if select.select([self.hear], [], [], min(left, _SLICE_S))[0]:
                with contextlib.suppress(BlockingIOError):
                    return bool(os.read(self.hear, 4096))
        return False
