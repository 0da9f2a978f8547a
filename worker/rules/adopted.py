"""The enrollment of an account whose state is lost: by its tasks in the CRM, and by its conditions since then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time

from worker.rules import transitions
from worker.rules.actions import MakeTask
from worker.rules.enrollment import Enrollment
from worker.rules.program import Program
from worker.rules.steps import StepContext, run_steps
from worker.rules.transitions import ConditionResults

Evaluations = Sequence[tuple[datetime, ConditionResults]]
"""The answers of the conditions of one account at moments of the past, oldest first."""
Lacks = Callable[[MakeTask, datetime], bool]
"""Whether a CRM has to get a task that was due at a moment."""


def start_of(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time(), UTC)


def entered_on(before: Enrollment, days: Mapping[date, int], program: Program, as_of: datetime) -> Enrollment:
    """An enrollment that entered once on each of these days and is inside since the last.

    ``days``: the number of each entry whose tasks have counted keys, else 0. A day that a clock ahead has put after
    ``as_of`` stays the day of its tasks' keys.
    """
    enrollment = before
    for day, number in sorted(days.items()):
        entered = transitions.enter(enrollment, "treated", program.version, "", min(start_of(day), as_of))
        of_key = {"task_day": "", "entry": number} if number else {"task_day": day.isoformat()}
        enrollment = replace(entered, **of_key)
    return enrollment


def with_steps(
    enrollment: Enrollment,
    context_at: Callable[[datetime], StepContext],
    until: datetime,
    lacks: Lacks,
) -> Enrollment:
    """The enrollment after the steps that were due up to ``until``, before the first one whose task a CRM ``lacks``.

    A branch is taken as the account is now; where that is unknown, the account waits there.
    """
    moment = enrollment.entered_at
    while moment is not None and moment <= until:
        result = run_steps(context_at(moment), enrollment)
        if any(lacks(one, moment) for one in result.actions if isinstance(one, MakeTask)):
            break
        enrollment, moment = result.enrollment, result.enrollment.next_step_at
        if enrollment.step < 0:
            break
    return enrollment


def followed(enrollment: Enrollment, evaluations: Evaluations) -> Enrollment:
    """The enrollment after these moments, at which nobody was let in: it may have left, or wait to enter."""
    for moment, results in evaluations:
        if enrollment.phase != "in":
            enrollment = transitions.update_pending(enrollment, results, moment)
        elif results.ends:
            enrollment = transitions.leave(enrollment, results, moment)
    return enrollment


def left_by_us(enrollment: Enrollment, at: datetime) -> Enrollment:
    """The enrollment after we closed its tasks because it left; ``enters`` was false then."""
    out = ConditionResults(audience=True, enters=False, leaves=True)
    return replace(transitions.leave(enrollment, out, at), can_retrigger=True)


def of_baseline(evaluations: Evaluations) -> bool:
    """Whether an account without a task matched at all of these moments: it was let in before, without actions."""
    return bool(evaluations) and all(results.starts is True for _, results in evaluations)


def entry_on(enrollment: Enrollment | None, day: date) -> int:
    """The number of the entry that began on a UTC day; 0 where the enrollment does not know it."""
    days = [entry.astimezone(UTC).date() for entry in enrollment.entries] if enrollment else []
    return enrollment.entry - days[::-1].index(day) if enrollment and day in days else 0
