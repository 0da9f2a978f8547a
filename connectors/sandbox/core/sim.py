"""The state of one running sandbox CRM besides its records: clock, random numbers, faults, log, counters."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from connectors.sandbox.core.clock import Clock
from connectors.sandbox.core.faults import Faults
from connectors.sandbox.core.log import RequestLog


class Sim:
    """Clock, faults, log and counters of one sandbox CRM. The same ``seed`` and requests give the same answers.

    ``kinds`` are the kinds of fault only this CRM knows, on top of `faults.COMMON_KINDS`.
    ``persist`` is called after every request, before its answer is sent, to store the changes.
    ``counters`` is for the CRM to count in; ``GET /__sim/state`` shows it.
    """

    def __init__(self, seed: int, kinds: frozenset[str]) -> None:
        self.seed = seed
        self.clock = Clock()
        self.random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.faults = Faults(kinds, self.random)
        self.log = RequestLog()
        self.counters: Counter[str] = Counter()
        self.request_count = 0
        self.stopping = asyncio.Event()
        self.persist: Callable[[], None] = _not_persisted

    def rewind(self) -> None:
        """Reset random numbers, faults, log and counters; the clock stays, because time does not go back."""
        self.random.seed(self.seed)
        self.faults.disarm()
        self.log.clear()
        self.counters.clear()
        self.request_count = 0


def _not_persisted() -> None:
    """The default ``persist``: changes are lost at the end of the process."""
