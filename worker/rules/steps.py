"""The steps of a playbook for one account that is inside."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from worker.language.template import Template, shorten
from worker.language.values import Fields, Value
from worker.rules import program as steps
from worker.rules.actions import Action, Contact, MakeTask, SetField, task_key_of
from worker.rules.business_days import add_days, local_day, moment_after
from worker.rules.enrollment import Enrollment
from worker.rules.program import Program
from worker.settings.playbook import Playbook
from worker.settings.playbook_steps import CreateTask
from worker.settings.schedule import Calendar

LONGEST_SUBJECT = 255
_LONGEST_BODY = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """The inputs of the steps of one account in one run."""

    playbook: Playbook
    program: Program
    account_id: str
    fields: Fields
    as_of: datetime
    calendar: Calendar
    open_tasks: Collection[str]
    rank: Callable[[Fields], float]

    def text_fields(self, enrollment: Enrollment) -> Fields:
        """The account's fields and the names that only texts may use."""
        extra: dict[str, Value] = {"playbook.name": self.playbook.name, "playbook.matched": enrollment.matched or None}
        return {**self.fields, **extra}


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of the steps: the actions, whether a task is open already, and whether a branch is unknown."""

    enrollment: Enrollment
    actions: tuple[Action, ...] = ()
    already_open: bool = False
    stopped: bool = False
    unknown: bool = False

    @property
    def moved(self) -> bool:
        """Whether any step was taken."""
        return bool(self.actions) or self.already_open


def run_steps(context: StepContext, enrollment: Enrollment) -> StepResult:
    """Take every step that is due. A second call with the resulting enrollment changes nothing."""
    step = enrollment.step
    if step < 0 or (enrollment.next_step_at is not None and context.as_of < enrollment.next_step_at):
        return StepResult(enrollment)
    if enrollment.config_hash != context.program.version:
        if not context.program.can_resume_at(step):
            return StepResult(replace(enrollment, step=-1, next_step_at=None), stopped=True)
        enrollment = replace(enrollment, config_hash=context.program.version)
    return _take(context, enrollment)


def _take(context: StepContext, enrollment: Enrollment) -> StepResult:
    instructions = context.program.instructions
    actions: list[Action] = []
    fields_set = dict(enrollment.fields_set)
    already_open = False
    step = enrollment.step
    while step < len(instructions):
        instruction = instructions[step]
        step += 1
        match instruction:
            case steps.Fields():
                values = [(name, _value_of(context, enrollment, value)) for name, value in instruction.values]
                fields_set.update(values)
                actions += [SetField(name, value) for name, value in values]
            case steps.Task():
                if (
                    instruction.task.if_open_task == "skip"
                    and _open_key(context, instruction.task) in context.open_tasks
                ):
                    already_open = True
                else:
                    actions.append(_make_task(context, enrollment, instruction.task))
            case steps.Wait():
                due = moment_after(context.calendar, context.as_of, instruction.duration)
                now = replace(enrollment, step=step, next_step_at=due, fields_set=fields_set)
                return StepResult(now, tuple(actions), already_open)
            case steps.Branch():
                truth = instruction.condition.run(context.fields)
                if truth is None:
                    now = replace(enrollment, step=step - 1, next_step_at=None, fields_set=fields_set)
                    return StepResult(now, tuple(actions), already_open, unknown=True)
                step = step if truth else instruction.otherwise
            case _:  # a jump
                step = instruction.to
    now = replace(enrollment, step=-1, next_step_at=None, fields_set=fields_set)
    return StepResult(now, tuple(actions), already_open)


def _open_key(context: StepContext, task: CreateTask) -> str:
    return f"{context.playbook.id}/{task.key}"


def _value_of(context: StepContext, enrollment: Enrollment, value: Template | bool | float) -> Value:
    return value.value(context.text_fields(enrollment)) if isinstance(value, Template) else value


def _make_task(context: StepContext, enrollment: Enrollment, task: CreateTask) -> MakeTask:
    fields = context.text_fields(enrollment)
    return MakeTask(
        key=task_key_of(context.playbook.id, context.account_id, enrollment.entry, task.key),
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
