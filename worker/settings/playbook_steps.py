"""What a playbook does, step by step: set fields, make CRM tasks, wait, branch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    StrictBool,
    Tag,
    WithJsonSchema,
    model_validator,
)

from connectors.base.values import email_address
from worker.language.suggest import suggestion
from worker.language.template import Template, parse_template
from worker.settings.base import ConditionTree, DurationText, Loc, Strict, TemplateText

AssigneeKind = Literal["account_owner", "csm", "user", "queue", "round_robin", "hold"]
Priority = Literal["low", "medium", "high"]
IfOpenTask = Literal["skip", "update", "create"]

_ASSIGNEE = re.compile(r"(user|queue|round_robin)\(\s*([^()\s]+)\s*\)")
_ASSIGNEE_FORMS = "account_owner, csm, user(ann@example.com), queue(onboarding) or round_robin(sales-inbound)"
_SHORT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Assignee:
    """Who a CRM task is for. ``name`` is the e-mail address of a user, or the name of a queue.

    ``hold`` is nobody: the task waits in the outbox until the ones before it name a person.
    """

    kind: AssigneeKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}({self.name})" if self.name else self.kind


HOLD = Assignee("hold")


def _assignee(value: Any) -> Assignee:
    if not isinstance(value, str):
        raise ValueError(f"expected one of {_ASSIGNEE_FORMS}")
    text = value.strip()
    if text in {"account_owner", "csm"}:
        return Assignee("csm" if text == "csm" else "account_owner")
    match = _ASSIGNEE.fullmatch(text)
    if match is None:
        raise ValueError(_what_is_wrong_with(text))
    if match[1] == "user":
        if not email_address(match[2]):
            raise ValueError(f'user(...) takes an e-mail address, not "{match[2]}"')
        return Assignee("user", match[2])
    return Assignee("queue" if match[1] == "queue" else "round_robin", match[2])


def _what_is_wrong_with(text: str) -> str:
    if email_address(text):
        return f"write user({text})"
    word = text.split("(")[0].strip()
    kinds = {"account_owner", "csm", "user", "queue", "round_robin"} - {word}
    meant = "account_owner" if word == "owner" else word
    hint = suggestion(meant, kinds, f". Write {_ASSIGNEE_FORMS}")
    return f'"{text}" is not an assignee of a task{hint}'


AssigneeText = Annotated[
    Assignee,
    PlainValidator(_assignee),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(account_owner|csm|(user|queue|round_robin)\([^()\s]+\))$",
            "description": f"Who gets the task: {_ASSIGNEE_FORMS}.",
        }
    ),
]


def _fallback(value: Any) -> Assignee:
    return HOLD if value == "hold" else _assignee(value)


FallbackText = Annotated[
    Assignee,
    PlainValidator(_fallback),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(hold|account_owner|csm|(user|queue|round_robin)\([^()\s]+\))$",
            "description": f"Who gets the task otherwise: hold, {_ASSIGNEE_FORMS}.",
        }
    ),
]

FieldValue: TypeAlias = Template | bool | int | float


def _field_value(value: Any) -> FieldValue:
    if isinstance(value, str):
        return parse_template(value)
    if isinstance(value, bool | int | float):
        return value
    raise ValueError('expected a text such as "{{playbook.matched}}", a number, true or false')


FieldValueText = Annotated[
    FieldValue, PlainValidator(_field_value), WithJsonSchema({"type": ["string", "number", "boolean"]})
]


def short_name(text: str) -> str:
    """The text, if it is made of small letters, digits and dashes."""
    if not _SHORT_NAME.fullmatch(text):
        raise ValueError(f'"{text}" must be small letters, digits and dashes, such as first-touch')
    return text


def email(text: str) -> str:
    """The text, if it looks like an e-mail address."""
    if not email_address(text):
        raise ValueError(f'"{text}" is not an e-mail address, such as revops@example.com')
    return text


StepKey: TypeAlias = Annotated[str, AfterValidator(short_name), Field(max_length=40)]


class CreateTask(Strict):
    """One CRM task. ``key`` identifies it for ever: a new subject never creates a second task."""

    key: StepKey
    """A short name, once in this playbook; keep it when you reword the task."""
    to: AssigneeText
    if_no_owner: FallbackText | None = None
    """Who gets it when the account has no owner or CSM, or that person has left; ``hold`` keeps it in the outbox."""
    contact: str | None = None
    """The field with the e-mail address of the person to talk to, such as top_user.email. When the CRM knows exactly
    one such person, the task names that person; otherwise it names nobody."""
    subject: TemplateText
    body: TemplateText = parse_template("")
    priority: Priority = "medium"
    """The priority of the CRM task."""
    due: DurationText
    """Days (3d) or business days (1bd) from the day the task is created."""
    if_open_task: IfOpenTask = "skip"
    """What to do when this task of an earlier entry is still open."""
    close_when_leaves: StrictBool = False
    """Close the task when the account leaves, unless somebody has started it."""

    @model_validator(mode="after")
    def _can_be_made(self) -> CreateTask:
        if self.due.kind not in {"days", "business_days"}:
            raise ValueError(f"due counts days (3d) or business days (1bd), not {self.due}")
        if not self.subject.text.strip():
            raise ValueError("the subject is empty")
        return self


class FieldsStep(Strict):
    """Set CRM fields of ours while the account is in the playbook."""

    key: StepKey | None = None
    """A short name, once in this playbook."""
    set_fields: Annotated[dict[str, FieldValueText], Field(min_length=1)]
    """Our name of a field of config/crm.yaml: its value. A field with ``from`` cannot be set here."""


class TaskStep(Strict):
    """Create a CRM task."""

    create_task: CreateTask


class WaitStep(Strict):
    """Continue after some time, if the account is still in the playbook."""

    key: StepKey | None = None
    """A short name, once in this playbook: after an edit, an account goes on at the step with the same key."""
    wait: DurationText

    @model_validator(mode="after")
    def _can_be_waited(self) -> WaitStep:
        if self.wait.kind == "runs" or self.wait.n < 1:
            raise ValueError("wait counts hours (24h), days (3d) or business days (5bd), at least 1")
        return self


def at_least_one(steps: tuple[Any, ...]) -> tuple[Any, ...]:
    """The steps, unless there are none."""
    if not steps:
        raise ValueError("there is no step here; give at least one")
    return steps


class BranchStep(Strict):
    """Go one way or the other. While the condition is unknown, nothing happens and it is asked again next run."""

    key: StepKey | None = None
    """A short name, once in this playbook: after an edit, an account goes on at the step with the same key."""
    if_: Annotated[ConditionTree, Field(alias="if")]
    """The condition."""
    then: Annotated[tuple[Step, ...], AfterValidator(at_least_one)]
    """The steps while it is true."""
    else_: Annotated[tuple[Step, ...], Field(alias="else")] = ()
    """The steps while it is false."""


_FORM_OF = {"set_fields": "fields step", "create_task": "task step", "wait": "wait step", "if": "branch step"}


def _form_of(value: Any) -> str:
    """Which step a block is; an unknown one is judged as a task step, after `_one_step` has found it invalid."""
    if isinstance(value, dict):
        return next((form for key, form in _FORM_OF.items() if key in value), "task step")
    made = ((FieldsStep, "fields step"), (WaitStep, "wait step"), (BranchStep, "branch step"))
    return next((form for kind, form in made if isinstance(value, kind)), "task step")


def _one_step(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f'"{value}" is no step; a step is a key with what it needs, such as: wait: 5bd')
    if not isinstance(value, dict):
        return value
    steps = [key for key in value if key in _FORM_OF]
    if not steps:
        word = str(next(iter(value), ""))
        hint = suggestion(word, _FORM_OF, f". Known: {', '.join(_FORM_OF)}")
        raise ValueError(f'unknown step "{word}"{hint}')
    if len(steps) > 1:
        raise ValueError(f'one step after each dash: put "{steps[1]}" on a line of its own, after "- "')
    return value


Step: TypeAlias = Annotated[
    Annotated[FieldsStep, Tag("fields step")]
    | Annotated[TaskStep, Tag("task step")]
    | Annotated[WaitStep, Tag("wait step")]
    | Annotated[BranchStep, Tag("branch step")],
    Discriminator(_form_of),
    BeforeValidator(_one_step),
]
AnyStep: TypeAlias = FieldsStep | TaskStep | WaitStep | BranchStep


def walk_steps(steps: Sequence[AnyStep], loc: Loc = ("do",)) -> Iterator[tuple[Loc, AnyStep]]:
    """Every step with its place, those inside branches after the branch itself."""
    for index, step in enumerate(steps):
        here = (*loc, index)
        yield here, step
        if isinstance(step, BranchStep):
            yield from walk_steps(step.then, (*here, "then"))
            yield from walk_steps(step.else_, (*here, "else"))
