"""A playbook: who it is for, what starts and ends it, what is done, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from worker.language.condition import Condition
from worker.language.need import Need
from worker.language.template import Template
from worker.language.units import Duration
from worker.settings.base import ConditionTree, DurationText, Loc, Percent, RateText, Strict
from worker.settings.known import TEMPLATE_FIELDS
from worker.settings.playbook_steps import Assignee as Assignee
from worker.settings.playbook_steps import (
    BranchStep,
    CreateTask,
    FieldsStep,
    Step,
    TaskStep,
    at_least_one,
    email,
    short_name,
    walk_steps,
)


def _mode(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError('write mode: "off" with quotes, or preview or live')
    return value


def _level(value: Any) -> Any:
    if value == "user":
        raise ValueError("level: user is not available yet; write level: account")
    return value


def _group(value: Any) -> Any:
    if value is not None:
        raise ValueError("group is not available yet; remove it")
    return value


def _clock(duration: Duration | None, name: str) -> None:
    if duration is not None and (duration.kind not in {"hours", "days"} or duration.n < 1):
        raise ValueError(f"{name} counts hours (24h) or days (3d), at least 1, not {duration}")


class When(Strict):
    """What starts the playbook for an account."""

    enters: ConditionTree
    """The playbook starts for an account when this becomes true."""
    for_: Annotated[DurationText | None, Field(alias="for")] = None
    """How long this has to hold without a break: hours, days or runs."""

    @model_validator(mode="after")
    def _can_be_measured(self) -> When:
        if self.for_ is not None and (self.for_.kind == "business_days" or self.for_.n < 1):
            raise ValueError(f"for counts hours (24h), days (3d) or runs (2 runs), not {self.for_}")
        return self


class Repeat(Strict):
    """Whether an account may enter again. Without ``wait`` and ``at_most`` it enters once for ever."""

    wait: DurationText | None = None
    """The least time from one entry to the next."""
    at_most: RateText | None = None
    """The most entries in so many days."""
    already_matching: Literal["ignore", "include"] = "ignore"
    """Accounts that match already when the playbook first goes live: leave them alone, or act on them."""

    @model_validator(mode="after")
    def _can_repeat(self) -> Repeat:
        _clock(self.wait, "wait")
        if self.at_most is not None and not 1 <= self.at_most.n <= 100:
            raise ValueError("at_most is between 1 and 100 entries")
        return self

    @property
    def once(self) -> bool:
        """Whether one entry is all there ever is."""
        return self.wait is None and self.at_most is None


class Limits(Strict):
    """How much may start at a time. Who comes first is decided by score; the others queue for up to 7 days."""

    per_run: Annotated[int, Field(ge=1)] | None = None
    """The most accounts that enter in one run."""
    breaker: Annotated[int, Field(ge=1)] = 20
    """After an edit of its conditions: the most accounts that may start to match at once without an approval."""
    per_owner: RateText | None = None
    """The most new tasks for one person on one day in that person's time zone (Salesforce), else in the calendar's."""

    @model_validator(mode="after")
    def _can_be_counted(self) -> Limits:
        if self.per_owner is not None and (self.per_owner.days != 1 or self.per_owner.n < 1):
            raise ValueError(f"per_owner counts tasks per day, such as 5 per day, not {self.per_owner}")
        return self


class Goal(Strict):
    """What the playbook is meant to achieve, looked for within some time of each entry."""

    when: ConditionTree
    """What the playbook is meant to achieve."""
    within: DurationText
    """How long after each entry it is looked for."""

    @model_validator(mode="after")
    def _can_be_reached(self) -> Goal:
        _clock(self.within, "within")
        return self


class Playbook(Strict):
    """The whole of one file in playbooks/."""

    version: Literal[1]
    id: Annotated[str, AfterValidator(short_name), Field(max_length=60)]
    """State is kept under this id: a changed id is a new playbook."""
    name: Annotated[str, Field(min_length=1, max_length=120)]
    """How people read the playbook."""
    owner: Annotated[str, AfterValidator(email)]
    """Whom to ask about this playbook."""
    mode: Annotated[Literal["off", "preview", "live"], BeforeValidator(_mode)] = "preview"
    """"off", preview (decides, but writes and sends nothing) or live."""
    level: Annotated[Literal["account"], BeforeValidator(_level)] = "account"
    """What the playbook acts on: accounts."""
    audience: ConditionTree | None = None
    """Who the playbook is for at all. An account that stops being in the audience leaves."""
    when: When
    leaves: ConditionTree | None = None
    """What ends it. Without it, an account leaves as soon as "enters" is false."""
    repeat: Repeat = Repeat()
    limits: Limits = Limits()
    do: Annotated[tuple[Step, ...], AfterValidator(at_least_one)]
    """The steps, in order."""
    once_decided: Literal["withdraw", "deliver"] = "withdraw"
    """What becomes of a task that has not reached a CRM when its account leaves: withdrawn there, or delivered all the
    same. It is withdrawn in any case when the playbook is removed or not live any more, or the account is gone."""
    goal: Goal | None = None
    holdout: Annotated[Percent, Field(le=0.5)] = 0.0
    """This share of the accounts gets no action, so that the others can be compared with it."""
    group: Annotated[None, BeforeValidator(_group)] = None
    """Not available yet."""

    def conditions(self) -> Iterator[tuple[Loc, Condition]]:
        """Every condition with the place it stands at."""
        if self.audience is not None:
            yield ("audience",), self.audience
        yield ("when", "enters"), self.when.enters
        if self.leaves is not None:
            yield ("leaves",), self.leaves
        for loc, step in walk_steps(self.do):
            if isinstance(step, BranchStep):
                yield (*loc, "if"), step.if_
        if self.goal is not None:
            yield ("goal", "when"), self.goal.when

    def templates(self) -> Iterator[tuple[Loc, Template]]:
        """Every text with gaps, with the place it stands at."""
        for loc, step in walk_steps(self.do):
            if isinstance(step, TaskStep):
                yield (*loc, "create_task", "subject"), step.create_task.subject
                yield (*loc, "create_task", "body"), step.create_task.body
            elif isinstance(step, FieldsStep):
                for name, value in step.set_fields.items():
                    if isinstance(value, Template):
                        yield (*loc, "set_fields", name), value

    def uses(self) -> Iterator[tuple[Loc, Need, int]]:
        """What its conditions and texts read, with the place it is named at and its column there."""
        for loc, condition in self.conditions():
            yield from (((*loc, *inner), mention.need, mention.column) for inner, mention in condition.mentions())
        for loc, template in self.templates():
            yield from ((loc, mention.need, mention.column) for mention in template.mentions)

    def tasks(self) -> Iterator[tuple[Loc, CreateTask]]:
        """Every CRM task it can make, with the place it stands at."""
        for loc, step in walk_steps(self.do):
            if isinstance(step, TaskStep):
                yield (*loc, "create_task"), step.create_task

    def step_keys(self) -> Iterator[tuple[Loc, str]]:
        """Every key that a step has, with the place it stands at."""
        for loc, step in walk_steps(self.do):
            if isinstance(step, TaskStep):
                yield (*loc, "create_task", "key"), step.create_task.key
            elif step.key is not None:
                yield (*loc, "key"), step.key

    def set_field_names(self) -> Iterator[tuple[Loc, str]]:
        """Every CRM field it sets, with the place of its name."""
        for loc, step in walk_steps(self.do):
            if isinstance(step, FieldsStep):
                for name in step.set_fields:
                    yield (*loc, "set_fields", name), name

    def needs(self) -> frozenset[Need]:
        """Everything about an account that this playbook looks at."""
        read = {need for _, need, _ in self.uses()}
        people = {Need("field", task.contact) for _, task in self.tasks() if task.contact}
        return frozenset(need for need in read | people if need.name not in TEMPLATE_FIELDS)
