"""The steps of a command, for the display of progress: names of stages, tables and CRMs, and counts.

A step never has a value of the data. Without an observer, to report a step does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What the command does at the moment; where it can be counted, how far it is and how many there are.

    Steps of different ``lane`` run side by side; a step without one replaces all others.
    """

    action: str
    number: int | None = None
    total: int | None = None
    lane: str = ""

    def __str__(self) -> str:
        if self.number is None:
            return self.action
        return f"{self.action} ({self.number:,}{'' if self.total is None else f' of {self.total:,}'})"


Observer = Callable[[Step], None]

_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


@contextmanager
def observing_steps(observer: Observer) -> Iterator[None]:
    """Hand the steps of the block to ``observer``, in the thread that reports them."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def report_step(action: str, number: int | None = None, total: int | None = None, *, lane: str = "") -> None:
    """Report the step that begins now, or how far it is."""
    observer = _observer.get()
    if observer is not None:
        observer(Step(action, number, total, lane))
