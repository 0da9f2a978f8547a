"""Faults: failures that a test arms for chosen requests.

A fault is ``{"kind", "args", "match": {"method", "path_regex", "nth" | "every" | "probability", "seed"},
"times"}``. The first armed fault that matches fires, at most one per request. ``times`` defaults to 1, or to no
limit for ``every`` and ``probability``; ``null`` means no limit.

Kinds of every sandbox:

| kind | args | effect |
|---|---|---|
| ``status`` | status, body, headers, text | sends this answer, applies nothing |
| ``status_after`` | the same | applies, then sends this answer |
| ``delay`` | ms | answers as usual after the delay |
| ``hold`` | | answers as usual once the faults are cleared; applies nothing if the client closes the connection first |
| ``hold_after`` | | applies, then answers once the faults are cleared |
| ``drop_before`` | rst | closes the connection without applying |
| ``drop_after`` | rst | applies everything, then closes the connection without an answer |
| ``hang`` | max_s (60) | never answers, applies nothing; closes the connection after max_s or when the client does |
| ``hang_after`` | max_s (60) | the same after applying |
| ``truncate`` | bytes | applies, announces the full length, sends only ``bytes`` and closes |
| ``bad_json`` | | applies, answers with a body that is not JSON |
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COMMON_KINDS = frozenset(
    {
        "status",
        "status_after",
        "delay",
        "hold",
        "hold_after",
        "drop_before",
        "drop_after",
        "hang",
        "hang_after",
        "truncate",
        "bad_json",
    }
)
_KEYS = {"kind", "args", "match", "times"}
_MATCH_KEYS = {"method", "path_regex", "nth", "every", "probability", "seed"}


class InvalidFault(ValueError):
    """An invalid fault description; the message says what is invalid."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One armed fault and how often it fired; ``waiting`` requests wait until it is ``cleared``.

    ``path`` is searched in path and query string.
    """

    id: int
    kind: str
    args: Mapping[str, Any]
    method: str | None = None
    path: re.Pattern[str] | None = None
    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    times: int | None = 1
    rng: random.Random = field(default_factory=random.Random)
    seen: int = 0
    fired: int = 0
    waiting: int = 0
    cleared: asyncio.Event = field(default_factory=asyncio.Event)

    def fires_on(self, method: str, path: str) -> bool:
        """Whether the fault fires on this request; counts the request."""
        if self.times is not None and self.fired >= self.times:
            return False
        if self.method and self.method != method:
            return False
        if self.path and not self.path.search(path):
            return False
        self.seen += 1
        if self.nth is not None and self.seen != self.nth:
            return False
        if self.every is not None and self.seen % self.every:
            return False
        if self.probability is not None and self.rng.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def to_json(self) -> dict[str, Any]:
        """The fault and its counts, for the control API."""
        return {
            "id": self.id,
            "kind": self.kind,
            "args": dict(self.args),
            "times": self.times,
            "seen": self.seen,
            "fired": self.fired,
            "waiting": self.waiting,
        }


class Faults:
    """The armed faults of one sandbox, in the order they were armed."""

    def __init__(self, kinds: frozenset[str], rng: random.Random) -> None:
        self._kinds = COMMON_KINDS | kinds
        self._rng = rng
        self._armed: list[Fault] = []
        self._last_id = 0

    def add(self, described: Mapping[str, Any]) -> Fault:
        """Arm one fault from its JSON form. Raises `InvalidFault`."""
        fault = self._parse(described)
        self._armed.append(fault)
        return fault

    def next_for(self, method: str, path: str) -> Fault | None:
        """The fault that fires on this request, or None."""
        return next((fault for fault in self._armed if fault.fires_on(method, path)), None)

    def disarm(self) -> None:
        """Remove every fault and continue the requests they hold."""
        for fault in self._armed:
            fault.cleared.set()
        self._armed.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Every fault armed since the last `disarm`, used-up ones included."""
        return [fault.to_json() for fault in self._armed]

    def _parse(self, described: Mapping[str, Any]) -> Fault:
        match = described.get("match") or {}
        unknown = (set(described) - _KEYS) | (set(match) - _MATCH_KEYS)
        if unknown:
            raise InvalidFault(f"unknown keys in a fault: {', '.join(sorted(unknown))}")
        kind = described.get("kind")
        if kind not in self._kinds:
            raise InvalidFault(f"unknown kind of fault {kind!r}; known: {', '.join(sorted(self._kinds))}")
        endless = "every" in match or "probability" in match
        self._last_id += 1
        try:
            pattern = re.compile(match["path_regex"]) if match.get("path_regex") else None
        except re.error as broken:
            raise InvalidFault(f"path_regex: {broken}") from None
        return Fault(
            id=self._last_id,
            kind=kind,
            args=described.get("args") or {},
            method=match["method"].upper() if match.get("method") else None,
            path=pattern,
            nth=match.get("nth"),
            every=match.get("every"),
            probability=match.get("probability"),
            times=described.get("times", None if endless else 1),
            rng=random.Random(match["seed"]) if "seed" in match else self._rng,  # noqa: S311 - reproducible, not secret
        )
