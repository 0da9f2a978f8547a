"""The steps of a playbook as a flat list of instructions, so that one number is the position of an account."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from worker.language.condition import Condition
from worker.language.units import Duration
from worker.settings.playbook_steps import AnyStep, BranchStep, CreateTask, FieldsStep, FieldValue, TaskStep, WaitStep

_LONGEST_TEXT = 60


@dataclass(frozen=True, slots=True)
class Fields:
    """Set these fields."""

    values: tuple[tuple[str, FieldValue], ...]


@dataclass(frozen=True, slots=True)
class Task:
    """Create this task."""

    task: CreateTask


@dataclass(frozen=True, slots=True)
class Wait:
    """Continue after this time."""

    duration: Duration


@dataclass(frozen=True, slots=True)
class Branch:
    """Continue when the condition is true, jump to ``otherwise`` when it is false, stay when it is unknown.

    ``end`` is the instruction after both sides.
    """

    condition: Condition
    otherwise: int
    end: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Continue at ``to``."""

    to: int


Instruction: TypeAlias = Fields | Task | Wait | Branch | Jump


@dataclass(frozen=True, slots=True)
class StepName:
    """What identifies a step from one version of a playbook to the next.

    ``key`` is the author's, else the ``text``: what the step does, such as ``wait 5bd``. A text has a blank, so it is
    never the key of an author. ``after`` is the key of the step before, or the side of the branch that it begins.
    """

    key: str
    text: str
    after: str


@dataclass(frozen=True, slots=True)
class Program:
    """All instructions with their names; ``version`` changes when an instruction does.

    ``unique`` are the keys that one step has. Two steps without a key can have the same text.
    """

    instructions: tuple[Instruction, ...]
    names: tuple[StepName, ...]
    version: str
    unique: frozenset[str]

    def can_resume_at(self, step: int) -> bool:
        """Whether an account that stopped at ``step`` of another version finds itself after a wait or at a branch."""
        after_wait = 0 < step <= len(self.instructions) and isinstance(self.instructions[step - 1], Wait)
        return after_wait or (0 <= step < len(self.instructions) and isinstance(self.instructions[step], Branch))

    def after(self, index: int) -> int:
        """The instruction after a whole step: behind a branch with both sides."""
        instruction = self.instructions[index]
        return instruction.end if isinstance(instruction, Branch) else index + 1


def compile_steps(steps: Sequence[AnyStep]) -> Program:
    """The program of a playbook's ``do``."""
    found: list[_Named] = []
    _add(found, steps, "")
    instructions, names = tuple(one for one, _ in found), tuple(name for _, name in found)
    version = hashlib.sha256("\n".join(map(_text_of, instructions)).encode()).hexdigest()[:16]
    times = Counter(name.key for name in names)
    return Program(instructions, names, version, frozenset(key for key, count in times.items() if count == 1))


_Named: TypeAlias = tuple[Instruction, StepName]
_NO_STEP = StepName("", "", "")


def _add(found: list[_Named], steps: Sequence[AnyStep], after: str) -> None:
    for step in steps:
        name = _name_of(step, after)
        match step:
            case FieldsStep():
                found.append((Fields(tuple(step.set_fields.items())), name))
            case TaskStep():
                found.append((Task(step.create_task), name))
            case WaitStep():
                found.append((Wait(step.wait), name))
            case _:  # a branch
                _add_branch(found, step, name)
        after = name.key


def _add_branch(found: list[_Named], step: BranchStep, name: StepName) -> None:
    at = len(found)
    found.append((Branch(step.if_, 0, 0), name))
    _add(found, step.then, f"{name.key}: then")
    otherwise = len(found)
    if step.else_:
        found.append((Jump(0), _NO_STEP))
        otherwise += 1
        _add(found, step.else_, f"{name.key}: else")
        found[otherwise - 1] = (Jump(len(found)), _NO_STEP)
    found[at] = (Branch(step.if_, otherwise, len(found)), name)


def _name_of(step: AnyStep, after: str) -> StepName:
    match step:
        case FieldsStep():
            text = f"set_fields {', '.join(sorted(step.set_fields))}"
        case TaskStep():
            return StepName(step.create_task.key, f"create_task {step.create_task.key}", after)
        case WaitStep():
            text = f"wait {step.wait}"
        case _:  # a branch
            text = f"if {step.if_}"
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}… {hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return StepName(step.key or text, text, after)


def _text_of(instruction: Instruction) -> str:
    """The identity of an instruction; the texts of a task and the keys of other steps do not count."""
    match instruction:
        case Fields():
            return f"fields {','.join(name for name, _ in instruction.values)}"
        case Task():
            return f"task {instruction.task.key}"
        case Wait():
            return f"wait {instruction.duration}"
        case Branch():
            return f"branch {instruction.condition} {instruction.otherwise}"
        case _:  # a jump
            return f"jump {instruction.to}"
