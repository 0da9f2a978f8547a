"""The weighted parts every score is made of."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from worker.language.expression import Expression, parse_expression
from worker.language.need import Need
from worker.language.units import parse_duration
from worker.settings.base import ConditionTree, ExpressionText, Loc, NumberText, Strict, TemplateText

_WINDOW = re.compile(r"_(\d+d)$")


@cache
def _implied(text: str) -> Expression:
    """The same few texts are asked for once per account."""
    return parse_expression(text)


def _span(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise ValueError("expected a length of time such as 24h, 7d or 2w")
    duration = parse_duration(value)
    if duration.kind not in {"hours", "days"}:
        raise ValueError("expected hours, days or weeks here, such as 24h, 7d or 2w")
    return duration.span


Span = Annotated[
    timedelta,
    PlainValidator(_span),
    WithJsonSchema({"type": "string", "description": "Hours (24h), days (7d) or weeks (2w).", "examples": ["7d"]}),
]
"""A plain length of time: no runs and no business days."""


class ScoreBlock(Strict):
    """A block of config/scores.yaml that may read more than what is written in it."""

    @abstractmethod
    def implied(self) -> Iterable[tuple[Loc, Need]]:
        """What is read without being written, each with the key below this block that asks for it."""


def ages_of_account() -> Iterator[tuple[Loc, Need]]:
    """What a score reads that depends on how old an account is."""
    for name in ("account.created_at", "account.tz", "account.age_days"):
        yield (), Need("field", name, None)


class Step(Strict):
    """One level of ``steps``."""

    at_least: NumberText
    """The least value of the metric for this level."""
    points: float = Field(ge=0, le=100)
    """The points at this level."""


class PartNeeds(Strict):
    """What must be there before a comparison with the account's own past means anything."""

    age: Span | None = None
    """Younger accounts have no baseline yet."""
    volume: float = Field(default=0, ge=0)
    """The least the earlier period must hold."""


class Part(ScoreBlock):
    """One measured thing, its weight, and how it becomes 0–100 points.

    Exactly one way: ``bad`` and ``good`` (a straight line between them, which may fall), ``steps``
    (the points of the highest step reached) or ``flag`` (a condition: true is 100, false is 0).
    """

    name: str = Field(min_length=1, max_length=60)
    """How people read it; it is remembered under this name."""
    weight: float = Field(gt=0)
    """Its share of the score."""
    metric: ExpressionText | None = None
    """What is measured: a signal, a function, or one operator between two of them."""
    bad: NumberText | None = None
    """The value that gives 0 points."""
    good: NumberText | None = None
    """The value that gives 100 points."""
    steps: tuple[Step, ...] = ()
    """The points of the highest level that the metric reaches; 0 below the first."""
    flag: ConditionTree | None = None
    """A condition: true is 100 points, false is 0."""
    compare: Literal["previous"] | None = None
    """``previous``: the metric becomes its relative change against the account's own previous period."""
    previous: ExpressionText | None = None
    """The previous period's value; ``key_events_28d`` finds ``key_events_prev_28d`` by itself."""
    needs: PartNeeds = PartNeeds()
    stale_after: Span | None = None
    """An older value counts as unknown."""
    age: ExpressionText | None = None
    """How many days old the value is; ``nps.latest`` finds ``nps.age_days`` by itself."""
    applies: ConditionTree | None = None
    """Where this is false the part does not exist for the account: neither points nor missing coverage."""
    say: TemplateText | None = None
    """How the part reads among the reasons; its name otherwise."""

    @model_validator(mode="after")
    def _one_way_to_points(self) -> Part:
        ranged = self.bad is not None or self.good is not None
        if sum((ranged, bool(self.steps), self.flag is not None)) != 1:
            raise ValueError("give exactly one of: bad and good, steps, flag")
        if self.flag is None and self.metric is None:
            raise ValueError("metric is missing: what should be measured?")
        if self.flag is not None and (self.metric is not None or self.compare):
            raise ValueError("a flag stands alone: take metric and compare away")
        if ranged and (self.bad is None or self.good is None or self.bad == self.good):
            raise ValueError("a range needs bad and good, and two different values")
        levels = [step.at_least for step in self.steps]
        if levels != sorted(set(levels)):
            raise ValueError("steps must be in rising order of at_least")
        if self.compare and self.baseline is None:
            raise ValueError("previous is missing: which field holds the period before?")
        if self.stale_after is not None and self.age_of_value is None:
            raise ValueError("age is missing: which field holds the age of this value in days?")
        return self

    def implied(self) -> Iterator[tuple[Loc, Need]]:
        """The baseline of a comparison, the age of the value, and the age of the account."""
        for expression in (self.baseline, self.age_of_value):
            for need in expression.needs() if expression else ():
                yield ("metric",), need
        if self.needs.age is not None:
            yield ("needs",), Need("field", "account.age_days", None)

    @property
    def baseline(self) -> Expression | None:
        """What ``compare: previous`` compares with."""
        if not self.compare or self.metric is None:
            return None
        if self.previous is not None:
            return self.previous
        derived = _WINDOW.sub(r"_prev_\1", self.metric.text)
        return _implied(derived) if derived != self.metric.text else None

    @property
    def age_of_value(self) -> Expression | None:
        """The field that says how old a value with ``stale_after`` is, in days."""
        if self.stale_after is None or self.metric is None:
            return None
        if self.age is not None:
            return self.age
        head, dot, _ = self.metric.text.rpartition(".")
        return _implied(f"{head}.age_days") if dot and " " not in head else None


def refuse_twice(kind: str, names: Iterable[str]) -> None:
    """Raises ValueError when a name is there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f'the {kind} "{name}" is there twice; names tell them apart in memory and reasons')
        seen.add(name)
