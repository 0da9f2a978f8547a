"""The circuit breaker: a run in which far more accounts match than usual waits for approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from worker.language.plural import counted

LEAST_HISTORY = 5
TIMES_USUAL = 3
ALWAYS_FINE = 10


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
