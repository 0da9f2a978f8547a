"""Where an account that waits goes on after its playbook was edited.

It goes on at the step with the same key, at the time it waits for already. A step without a key is found by its text
(``wait 5bd``), also when it has a key by now; where several have this text, by the steps around it; and where none has
it, because its length or condition was changed, by its kind and the step before it. Where its step is gone, it stops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from worker.rules.enrollment import Enrollment
from worker.rules.program import Branch, Jump, Program, StepName, Wait
from worker.rules.transitions import without_steps


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an account that waited at ``key`` goes on after an edit: at the step ``at``; empty when its step is gone.

    ``due``: when it goes on; None: as soon as the condition of a branch is known.
    """

    account_id: str
    key: str
    at: str
    due: datetime | None


def place(program: Program, enrollment: Enrollment, previous: Program | None = None) -> Enrollment | None:
    """The enrollment at its step of this program; None when that step is gone.

    A position of the same version is exact. Workers of 0.1.0 store it without a key: it gets its key from ``previous``,
    the program of the last run. If it is of an older one, the account goes on as it did there: at the same number, if
    that is after a wait or at a branch.
    """
    if previous and not enrollment.step_key and enrollment.config_hash == previous.version:
        enrollment = place(previous, enrollment) or enrollment
    if enrollment.config_hash == program.version:
        step: int | None = enrollment.step
    elif enrollment.step_key:
        step = _step_of(program, enrollment)
    else:
        step = enrollment.step if program.can_resume_at(enrollment.step) else None
    if step is None:
        return None
    waits = enrollment.next_step_at is not None and isinstance(program.instructions[step - 1], Wait)
    at = step - 1 if waits else step
    name = program.names[at]
    return replace(
        enrollment,
        step=step,
        step_key=name.key,
        step_after=name.after,
        taken=enrollment.taken if enrollment.step_key else _steps_up_to(program, step),
        config_hash=program.version,
    )


def placement_of(account_id: str, before: Enrollment, placed: Enrollment | None) -> Placement | None:
    """What `place` did with an account after an edit; None when it was placed by its exact position."""
    if placed and placed.config_hash == before.config_hash:
        return None
    at = placed.step_key if placed else ""
    return Placement(account_id, before.step_key or at or _number(before), at, before.next_step_at)


def gone_text(key: str) -> str:
    """What happened to an account whose step is gone."""
    return f'its step "{key}" is gone from the playbook: it takes no more steps of this entry'


def stop_at(enrollment: Enrollment) -> Enrollment:
    """The enrollment of an account whose step is gone: no step is to come, and ``step_key`` names that step."""
    return replace(without_steps(enrollment), step_key=enrollment.step_key or _number(enrollment))


def _number(enrollment: Enrollment) -> str:
    return f"step {enrollment.step}"


def _step_of(program: Program, enrollment: Enrollment) -> int | None:
    """The next instruction of an account that waits at ``step_key``; None when no step is that one."""
    wanted, names = enrollment.step_key, program.names
    found = [index for index, name in enumerate(names) if wanted in (name.key, name.text)]
    if not found and " " in wanted:
        found = [index for index, name in enumerate(names) if _is_reworded(enrollment, name)]
    if not found:
        return None
    taken = frozenset(enrollment.taken)

    def likeness(index: int) -> tuple[bool, bool, int, int, int]:
        before = {name.key for name in names[:index]} & program.unique
        after = names[index].after
        same_side = _side(after) == _side(enrollment.step_after)
        near = -abs(index - enrollment.step)
        return after == enrollment.step_after, same_side, len(before & taken), -len(before - taken), near

    at = max(found, key=likeness)
    return at + 1 if enrollment.next_step_at is not None and isinstance(program.instructions[at], Wait) else at


def _side(after: str) -> str:
    """The side of a branch that a step begins; empty for any other step."""
    side = after.rpartition(": ")[2]
    return side if side in {"then", "else"} else ""


def _is_reworded(enrollment: Enrollment, name: StepName) -> bool:
    """Whether a step without a key is of the kind of the one that the account waits at, and in its place."""
    kind = enrollment.step_key.partition(" ")[0]
    return name.key == name.text and name.after == enrollment.step_after and name.text.startswith(f"{kind} ")


def _steps_up_to(program: Program, step: int) -> tuple[str, ...]:
    """The keys of the steps from which ``step`` is reached; of a branch that is over, those of both sides."""
    reaching = {step}
    for index in range(step - 1, -1, -1):
        match program.instructions[index]:
            case Branch(otherwise=otherwise):
                following = {index + 1, otherwise}
            case Jump(to=to):
                following = {to}
            case _:
                following = {index + 1}
        if following & reaching:
            reaching.add(index)
    keys = (program.names[index].key for index in sorted(reaching - {step}))
    return tuple(key for key in keys if key in program.unique)
