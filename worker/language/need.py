"""What an expression needs to know about an account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

NeedKind = Literal["field", "count", "users", "days_since", "first", "change"]

_PLAIN_EVENT = re.compile(r"[^\s(),\"'\[\]\\]+( [^\s(),\"'\[\]\\]+)*")


@dataclass(frozen=True, slots=True)
class Need:
    """One fact: a field, or a function of an event or field over the last ``days`` whole days.

    ``name`` is the field for ``field`` and ``change``, the event for the others.
    """

    kind: NeedKind
    name: str
    days: int | None = None

    @property
    def key(self) -> str:
        """The canonical text, under which the value stands among an account's fields."""
        if self.kind == "field":
            return self.name
        subject = self.name if self.kind == "change" else quote_event(self.name)
        return f"{self.kind}({subject})" if self.days is None else f"{self.kind}({subject}, {self.days}d)"

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
