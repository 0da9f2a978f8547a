"""What the calls of this moment are for: the budget asks, so that no connector has to know of playbooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Purpose:
    """A kind of operation, and the part of each call that every playbook stands for; the parts add up to 1.

    ``begun``: a call for it was let through. What is begun is brought to its end, whatever is left of the day.
    """

    kind: str
    parts: Mapping[str, float]
    begun: bool = False


_current: ContextVar[Purpose | None] = ContextVar("purpose", default=None)


@contextmanager
def spending_on(kind: str, playbooks: Iterable[str]) -> Iterator[None]:
    """Calls in here are for operations of one kind; ``playbooks`` names the one that asked for each, or ""."""
    counts = Counter(playbooks)
    parts = {name: count / counts.total() for name, count in counts.items()}
    token = _current.set(Purpose(kind, parts or {"": 1.0}))
    try:
        yield
    finally:
        _current.reset(token)


def purpose() -> Purpose:
    """What calls are for now; where nobody said, something is read."""
    return _current.get() or Purpose("read", {"": 1.0})
