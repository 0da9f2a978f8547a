"""Our identity in a CRM, the rest of its quota, and our calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """Our identity in this CRM and the rest of its quota. ``calls_left`` is None when the CRM does not send it."""

    identity: str
    calls_left: int | None
    calls_limit: int | None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What an operator should know that is no problem, such as a weaker promise about tasks."""


@dataclass(frozen=True, slots=True)
class Usage:
    """API calls this connector object has made since it was created; a call that got no answer counts."""

    calls: int
    write_calls: int
