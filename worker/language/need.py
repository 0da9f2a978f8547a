"""What an expression needs to know about an account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

NeedKind = Literal["field", "count", "users", "days_since", "first", "decayed", "change"]

_PLAIN_EVENT = re.compile(r"[^\s(),\"'\[\]\\]+( [^\s(),\"'\[\]\\]+)*")


@dataclass(frozen=True, slots=True)
class Decay:
    """How an event fades: it counts half after every ``half_life``; one day counts at most ``per_day`` events."""

    half_life: timedelta
    per_day: float

    def __str__(self) -> str:
        hours = self.half_life // timedelta(hours=1)
        return f"{hours}h, {self.per_day:g} per day" if hours % 24 else f"{hours // 24}d, {self.per_day:g} per day"


@dataclass(frozen=True, slots=True)
class Need:
    """One fact: a field, or a function of an event or field over the last ``days`` whole days.

    ``name`` is the field for ``field`` and ``change``, the event for the others. ``decay`` goes with ``decayed``.
    """

    kind: NeedKind
    name: str
    days: int | None = None
    decay: Decay | None = None

    @property
    def key(self) -> str:
        """The canonical text, under which the value stands among an account's fields."""
        if self.kind == "field":
            return self.name
        subject = self.name if self.kind == "change" else quote_event(self.name)
        over = self.decay if self.days is None else f"{self.days}d"
        return f"{self.kind}({subject})" if over is None else f"{self.kind}({subject}, {over})"

    @property
    def fields(self) -> frozenset[str]:
        """The fields this is about; empty when it is about an event."""
        return frozenset({self.name}) if self.kind in {"field", "change"} else frozenset()

    def __str__(self) -> str:
        return self.key


def quote_event(name: str) -> str:
    """An event name as it is written inside a function: bare when that is unmistakable, else in quotes."""
    return name if _PLAIN_EVENT.fullmatch(name) else quote(name)


def quote(text: str) -> str:
    """``text`` in double quotes, so that `unquote` gives it back."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """What stands between the quotes, with ``\\"`` and ``\\\\`` taken back."""
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
