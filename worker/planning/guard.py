"""The guard: limits on how much one plan may change, so that a bad edit or source does little harm."""

from __future__ import annotations

from collections import Counter

from worker.language.plural import counted
from worker.planning.plan import Plan
from worker.settings.crm import Guard

ALWAYS_ALLOWED = 10
"""Records a plan may change whatever their share: a percentage means little for a few records."""


_FIRST_RUN = (
    "no run is stored yet: plgsync run --first-run lets a first one fill every record; where this project has run "
    "before, its state database is lost: plgsync adopt"
)


class UnsafePlan(Exception):
    """The plan changes more than the guard allows. Nothing is queued until an operator approves it."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(reasons))


def check_plan(plan: Plan, guard: Guard, *, first_run: bool) -> None:
    """Raise `UnsafePlan` with every limit the plan breaks; a first run may fill any number of records."""
    reasons = [] if first_run else [*_changed_too_many(plan, guard), *_cleared_too_many(plan, guard)]
    if reasons and not plan.ran_before:
        reasons.append(_FIRST_RUN)
    reasons += [*plan.floods, *_too_many_tasks(plan, guard), *_too_many_records(plan, guard)]
    if reasons:
        raise UnsafePlan(reasons)


def _changed_too_many(plan: Plan, guard: Guard) -> list[str]:
    changed = Counter(change.destination for change in plan.records if not change.parked)
    return [
        f"{name}: {count} of {counted(plan.known_records[name], 'record')} would change, the guard allows "
        f"{guard.changed_share:.0%}"
        for name, count in sorted(changed.items())
        if count > max(ALWAYS_ALLOWED, guard.changed_share * plan.known_records[name])
    ]


def _cleared_too_many(plan: Plan, guard: Guard) -> list[str]:
    cleared = Counter(
        (record.destination, change.field)
        for record in plan.records
        for change in record.changes
        if change.new is None and change.old is not None
    )
    return [
        f"{name}: {field} would be cleared on {count} of {counted(plan.known_records[name], 'record')}, "
        f"the guard allows {guard.cleared_share:.0%}"
        for (name, field), count in sorted(cleared.items())
        if count > max(ALWAYS_ALLOWED, guard.cleared_share * plan.known_records[name])
    ]


def _too_many_tasks(plan: Plan, guard: Guard) -> list[str]:
    created = Counter(
        change.destination for change in plan.tasks if change.kind == "task_create" and not change.no_owner
    )
    return [
        f"{name}: {counted(count, 'new task')} in one run, the guard allows {guard.new_tasks}"
        for name, count in sorted(created.items())
        if count > guard.new_tasks
    ]


def _too_many_records(plan: Plan, guard: Guard) -> list[str]:
    made = Counter(record.destination for record in plan.new_records if record.state == "new")
    return [
        f"{name}: {counted(count, 'new record')} in one run, the guard allows {guard.new_records}"
        for name, count in sorted(made.items())
        if count > guard.new_records
    ]
