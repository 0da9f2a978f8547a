"""Tests that see an event up to a day late: windows of whole days do not hold the day that has begun."""

from __future__ import annotations

from collections.abc import Iterator

from worker.language.comparison import Comparison
from worker.language.condition import Condition
from worker.language.need import Need
from worker.settings.base import Finding, Loc
from worker.settings.known import Known


def late_tests_of_condition(loc: Loc, condition: Condition, known: Known) -> Iterator[Finding]:
    """A warning at every test of ``condition``, which stands at ``loc``, for one or more events of some days."""
    for inner, comparison in condition.comparisons():
        need = comparison.expression.left
        if comparison.expression.operator or not _asks_for_one(comparison):
            continue
        if need.kind in {"count", "users"}:
            instead = f"write {Need('days_since', need.name).key} <= {need.days}"
        elif need.key in known.windowed_counts:
            instead = "use a signal with measure: last and as: days_since"
        else:
            continue
        message = f"{need.key} counts whole days up to the last midnight, so this is true up to a day late; {instead}"
        yield Finding((*loc, *inner), message, severity="warning")


def _asks_for_one(comparison: Comparison) -> bool:
    least = {">=": 1, ">": 0, "is not": 0}.get(comparison.op)
    return least is not None and comparison.values == (least,)
