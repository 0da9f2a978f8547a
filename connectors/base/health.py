"""Who we are in a CRM, what is left of the quota, and what we spent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """Who we are in this CRM and what is left. ``calls_left`` is None when the CRM does not say."""

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
