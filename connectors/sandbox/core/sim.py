"""What one running sandbox CRM has besides its records: time, dice, faults, log, counters."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from connectors.sandbox.core.clock import Clock
from connectors.sandbox.core.faults import Faults
from connectors.sandbox.core.log import RequestLog


class Sim:
    """The machinery of one sandbox CRM. The same ``seed`` and the same requests give the same answers.

    ``kinds`` are the kinds of fault only this CRM knows, on top of `faults.COMMON_KINDS`.
    ``persist`` is called after every request, before its answer is sent, to make changes last.
    ``counters`` is free for the CRM to count in; it is shown by ``GET /__sim/state``.
    """

    def __init__(self, seed: int = 1, clock: Clock | None = None, kinds: frozenset[str] = frozenset()) -> None:
        self.seed = seed
        self.clock = clock or Clock()
        self.random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.faults = Faults(kinds, self.random)
        self.log = RequestLog()
        self.counters: Counter[str] = Counter()
        self.request_count = 0
        self.stopping = asyncio.Event()
        self.persist: Callable[[], None] = _not_persisted

    def rewind(self) -> None:
        """Dice, faults, log and counters as at the start; the clock stays, because time does not go back."""
        self.random.seed(self.seed)
        self.faults.disarm()
        self.log.clear()
        self.counters.clear()
        self.request_count = 0


def _not_persisted() -> None:
    """Nobody keeps what changed."""
