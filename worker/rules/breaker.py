"""The circuit breaker: a run in which far more accounts match than usual waits for approval."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from statistics import median

from worker.language.plural import counted
from worker.settings.playbook import Playbook

LEAST_HISTORY = 5
TIMES_USUAL = 3
ALWAYS_FINE = 10
CONDITIONS = "conditions"
"""Under this name the counts of a run keep `version_of` its playbook."""


def version_of(playbook: Playbook) -> int:
    """A number that changes when a condition that lets accounts in does."""
    conditions = (playbook.audience, playbook.when.enters, playbook.when.for_, playbook.leaves)
    return int.from_bytes(hashlib.sha256("\n".join(map(str, conditions)).encode()).digest()[:6])


def flood_reason(playbook: Playbook, started: int, history: Sequence[Mapping[str, int]]) -> str:
    """Why a plan is unsafe: an edit of the conditions makes more accounts match at once than allowed; or empty."""
    before = history[-1].get(CONDITIONS) if history else None
    if before in {None, version_of(playbook)} or started <= playbook.limits.breaker:
        return ""
    accounts = counted(started, "account starts", "accounts start")
    return (
        f"playbook {playbook.id}: after the edit of its conditions {accounts} to match at once, "
        f"limits.breaker allows {playbook.limits.breaker}"
    )


def pause_reason(matched: int, history: Sequence[Mapping[str, int]]) -> str | None:
    """The reason to pause the playbook, or None.

    Usual is the median of earlier runs that were not paused; fewer than 5 of them, or up to 10 accounts, never
    pause a playbook.
    """
    earlier = [counts.get("matched", 0) for counts in history if not counts.get("paused")]
    if len(earlier) < LEAST_HISTORY or matched <= ALWAYS_FINE:
        return None
    usual = median(earlier)
    if matched <= TIMES_USUAL * usual:
        return None
    match = counted(matched, "account matches", "accounts match")
    return f"{match} at once, usually {usual:g}; approve the run to let them in"
