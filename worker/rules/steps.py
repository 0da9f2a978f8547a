"""The steps of a playbook for one account that is inside."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date, datetime

from connectors.base.values import shorten
from worker.language.template import Template
from worker.language.values import Fields, Value
from worker.rules import program as steps
from worker.rules.actions import Action, Contact, MakeTask, SetField
from worker.rules.business_days import add_days, local_day, moment_after
from worker.rules.enrollment import Enrollment
from worker.rules.placement import Placement, place, placement_of, stop_at
from worker.rules.program import Program
from worker.rules.task_keys import counted_key_of, task_key_of
from worker.rules.transitions import without_steps
from worker.settings.playbook import Playbook
from worker.settings.playbook_steps import CreateTask
from worker.settings.schedule import Calendar

LONGEST_SUBJECT = 255
_LONGEST_BODY = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """The inputs of the steps of one account in one run. ``previous`` are the steps of the last run."""

    playbook: Playbook
    program: Program
    previous: Program | None
    account_id: str
    fields: Fields
    as_of: datetime
    calendar: Calendar
    open_tasks: Collection[str]
    project_id: str
    rank: Callable[[Fields], float]

    def text_fields(self, enrollment: Enrollment) -> Fields:
        """The account's fields and the names that only texts may use."""
        extra: dict[str, Value] = {"playbook.name": self.playbook.name, "playbook.matched": enrollment.matched or None}
        return {**self.fields, **extra}


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of the steps: the actions, whether a task is open already, and whether a branch is unknown.

    ``placement``: where the account goes on after an edit of the playbook.
    """

    enrollment: Enrollment
    actions: tuple[Action, ...] = ()
    already_open: bool = False
    unknown: bool = False
    placement: Placement | None = None

    @property
    def moved(self) -> bool:
        """Whether any step was taken."""
        return bool(self.actions) or self.already_open


def run_steps(context: StepContext, enrollment: Enrollment) -> StepResult:
    """Take every step that is due. A second call with the resulting enrollment changes nothing.

    After an edit of the playbook an account goes on at its step (`place`), and no step is taken twice.
    """
    if enrollment.step < 0:
        return StepResult(enrollment)
    placed = place(context.program, enrollment, context.previous)
    placement = placement_of(context.account_id, enrollment, placed)
    if placed is None:
        return StepResult(stop_at(enrollment), placement=placement)
    if placed.next_step_at is not None and context.as_of < placed.next_step_at:
        return StepResult(placed, placement=placement)
    return replace(_Walk(context, placed).result(), placement=placement)


class _Walk:
    """The way of one account through the steps that are due."""

    def __init__(self, context: StepContext, enrollment: Enrollment) -> None:
        self._context, self._enrollment = context, enrollment
        self._taken = list(enrollment.taken)
        self._fields_set = dict(enrollment.fields_set)
        self._actions: list[Action] = []
        self._already_open = self._unknown = False

    def result(self) -> StepResult:
        """Go on to the next wait, to a branch that is unknown, or to the end."""
        instructions = self._context.program.instructions
        step = self._enrollment.step
        while step < len(instructions):
            instruction, name = instructions[step], self._context.program.names[step]
            if name.key in self._taken and name.key in self._context.program.unique:
                step = self._context.program.after(step)  # only after an edit
                continue
            following = self._take(instruction, step)
            if following is None:
                return self._result(self._waiting_at(step, step, None), unknown=True)
            if name.key in self._context.program.unique:
                self._taken.append(name.key)
            if isinstance(instruction, steps.Wait):
                due = moment_after(self._context.calendar, self._context.as_of, instruction.duration)
                return self._result(self._waiting_at(step, following, due))
            step = following
        return self._result(without_steps(self._enrollment))

    def _take(self, instruction: steps.Instruction, step: int) -> int | None:
        """Take one step; the answer is the next one, or None where a branch is unknown."""
        match instruction:
            case steps.Fields():
                values = [
                    (name, _value_of(self._context, self._enrollment, value)) for name, value in instruction.values
                ]
                self._fields_set.update(values)
                self._actions += [SetField(name, value) for name, value in values]
            case steps.Task(task=task):
                if task.if_open_task == "skip" and _open_key(self._context, task) in self._context.open_tasks:
                    self._already_open = True
                else:
                    self._actions.append(_make_task(self._context, self._enrollment, task))
            case steps.Branch():
                truth = instruction.condition.run(self._context.fields)
                return None if truth is None else step + 1 if truth else instruction.otherwise
            case steps.Jump():
                return instruction.to
            case _:  # a wait
                pass
        return step + 1

    def _waiting_at(self, at: int, step: int, due: datetime | None) -> Enrollment:
        name, taken = self._context.program.names[at], tuple(self._taken)
        key, after = name.key, name.after
        return replace(self._enrollment, step=step, step_key=key, step_after=after, taken=taken, next_step_at=due)

    def _result(self, enrollment: Enrollment, *, unknown: bool = False) -> StepResult:
        now = replace(enrollment, fields_set=self._fields_set)
        return StepResult(now, tuple(self._actions), self._already_open, unknown)


def _open_key(context: StepContext, task: CreateTask) -> str:
    return f"{context.playbook.id}/{task.key}"


def _value_of(context: StepContext, enrollment: Enrollment, value: Template | bool | float) -> Value:
    return value.value(context.text_fields(enrollment)) if isinstance(value, Template) else value


def _key_of(context: StepContext, enrollment: Enrollment, action: str) -> str:
    """An entry keeps the kind of key that its first task has."""
    if not enrollment.task_day:
        return counted_key_of(context.playbook.id, context.account_id, enrollment.entry, action)
    day = date.fromisoformat(enrollment.task_day)
    return task_key_of(context.project_id, day, context.playbook.id, context.account_id, action)


def _make_task(context: StepContext, enrollment: Enrollment, task: CreateTask) -> MakeTask:
    fields = context.text_fields(enrollment)
    return MakeTask(
        key=_key_of(context, enrollment, task.key),
        task_key=task.key,
        account_id=context.account_id,
        playbook_id=context.playbook.id,
        entry=enrollment.entry,
        to=task.to,
        if_no_owner=task.if_no_owner,
        subject=shorten(" ".join(task.subject.render(fields).split()), LONGEST_SUBJECT),
        body=task.body.render(fields, cut=_LONGEST_BODY).strip(),
        priority=task.priority,
        due=add_days(context.calendar, local_day(context.calendar, context.as_of), task.due),
        if_open_task=task.if_open_task,
        close_when_leaves=task.close_when_leaves,
        rank=context.rank(context.fields),
        contact=Contact(task.contact, context.fields.get(task.contact)) if task.contact else None,
    )
