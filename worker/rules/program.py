"""The steps of a playbook as a flat list of instructions, so that one number is the position of an account."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from worker.language.condition import Condition
from worker.language.units import Duration
from worker.settings.playbook_steps import AnyStep, BranchStep, CreateTask, FieldsStep, FieldValue, TaskStep, WaitStep


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
    """Continue when the condition is true, jump to ``otherwise`` when it is false, stay when it is unknown."""

    condition: Condition
    otherwise: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Continue at ``to``."""

    to: int


Instruction: TypeAlias = Fields | Task | Wait | Branch | Jump


@dataclass(frozen=True, slots=True)
class Program:
    """All instructions; ``version`` changes when any of them does."""

    instructions: tuple[Instruction, ...]
    version: str

    def can_resume_at(self, step: int) -> bool:
        """Whether an account that stopped at ``step`` of another version finds itself after a wait or at a branch."""
        after_wait = 0 < step <= len(self.instructions) and isinstance(self.instructions[step - 1], Wait)
        return after_wait or (0 <= step < len(self.instructions) and isinstance(self.instructions[step], Branch))


def compile_steps(steps: Sequence[AnyStep]) -> Program:
    """The program of a playbook's ``do``."""
    instructions: list[Instruction] = []
    _add(instructions, steps)
    version = hashlib.sha256("\n".join(map(_text_of, instructions)).encode()).hexdigest()[:16]
    return Program(tuple(instructions), version)


def _add(instructions: list[Instruction], steps: Sequence[AnyStep]) -> None:
    for step in steps:
        match step:
            case FieldsStep():
                instructions.append(Fields(tuple(step.set_fields.items())))
            case TaskStep():
                instructions.append(Task(step.create_task))
            case WaitStep():
                instructions.append(Wait(step.wait))
            case _:  # a branch
                _add_branch(instructions, step)


def _add_branch(instructions: list[Instruction], step: BranchStep) -> None:
    at = len(instructions)
    instructions.append(Branch(step.if_, 0))
    _add(instructions, step.then)
    if step.else_:
        end_of_then = len(instructions)
        instructions.append(Jump(0))
        instructions[at] = Branch(step.if_, len(instructions))
        _add(instructions, step.else_)
        instructions[end_of_then] = Jump(len(instructions))
    else:
        instructions[at] = Branch(step.if_, len(instructions))


def _text_of(instruction: Instruction) -> str:
    """The identity of an instruction; the texts of a task do not count."""
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
