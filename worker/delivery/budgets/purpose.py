"""What the current calls are for. The budget reads it, so that no connector has to know of playbooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Purpose:
    """A kind of operation, and each playbook's share of a call for it; the shares add up to 1.

    ``started``: the budget has admitted a call for it. The budget then admits the other calls that complete it,
    whatever is left of the day.
    """

    kind: str
    shares: Mapping[str, float]
    started: bool = False


_current: ContextVar[Purpose | None] = ContextVar("purpose", default=None)


@contextmanager
def spending_on(kind: str, playbooks: Iterable[str]) -> Iterator[None]:
    """Calls inside are for operations of one kind; ``playbooks`` names the playbook of each operation, or ""."""
    counts = Counter(playbooks)
    shares = {name: count / counts.total() for name, count in counts.items()}
    token = _current.set(Purpose(kind, shares or {"": 1.0}))
    try:
        yield
    finally:
        _current.reset(token)


def purpose() -> Purpose:
    """What calls are for now; outside `spending_on` they read."""
    return _current.get() or Purpose("read", {"": 1.0})
