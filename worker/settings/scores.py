"""config/scores.yaml: what health, onboarding and product-qualified mean for this product."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from worker.language.condition import Condition
from worker.language.expression import Expression
from worker.language.need import Need
from worker.language.suggest import did_you_mean
from worker.language.template import Template
from worker.language.units import Duration
from worker.settings.base import (
    ConditionTree,
    DurationText,
    ExpressionText,
    Finding,
    Loc,
    Percent,
    Strict,
)
from worker.settings.known import SCORE_FIELDS, Known
from worker.settings.scores_parts import Part, Span, refuse_twice
from worker.settings.scores_pql import INTENT_WINDOWS, IntentEvent, PqlSettings


class BandSettings(Strict):
    """Where red, yellow and green begin, and what keeps an account from flapping between them."""

    red: Literal[0] = 0
    yellow: float = Field(default=40, gt=0, lt=100)
    """The score at which yellow begins."""
    green: float = Field(default=70, gt=0, le=100)
    """The score at which green begins."""
    gap: float = Field(default=10, ge=0, le=50)
    """Points above a threshold an account needs to climb over it."""
    hold: DurationText = Duration("runs", 2)
    """How long it must stay there, or below, before the band changes."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.green <= self.yellow:
            raise ValueError("green must begin above yellow")
        if self.hold.kind == "business_days":
            raise ValueError("hold counts runs, hours or days, not business days")
        return self


class Profile(Strict):
    """The parts of health for one kind of account. The first profile whose ``applies`` is true is taken."""

    name: str = Field(min_length=1, max_length=40)
    """How people read the profile."""
    applies: ConditionTree | None = None
    """The accounts of this profile. Left out: all that no earlier profile took."""
    scored: bool = True
    """False: accounts of this profile get no health score at all, such as your own test accounts."""
    parts: tuple[Part, ...] = ()
    """What health is made of for these accounts."""

    @model_validator(mode="after")
    def _has_parts(self) -> Self:
        if self.scored and not self.parts:
            raise ValueError("parts is missing: what is this profile's health made of?")
        refuse_twice("part", (part.name for part in self.parts))
        return self


class Cap(Strict):
    """A condition that alone keeps health down, whatever the parts say."""

    when: ConditionTree
    """The cap holds while this is true."""
    at_most: int = Field(ge=0, le=100)
    """The highest health score while it holds."""
    say: str = Field(min_length=1, max_length=80)
    """How the cap reads among the reasons."""


class HealthSettings(Strict):
    """How healthy an account is: the weighted mean of the parts of its profile."""

    smoothing: Span = timedelta(days=7)
    """The published score is the mean of this many days."""
    min_coverage: Percent = 0.6
    """With less of the weight known there is no score."""
    publish_step: int = Field(default=5, ge=1, le=50)
    """Smaller moves within a band are not published: they would cost a CRM write and tell nobody anything."""
    bands: BandSettings = BandSettings()
    profiles: tuple[Profile, ...] = Field(min_length=1)
    caps: tuple[Cap, ...] = ()

    _version: str = PrivateAttr(default="")

    @model_validator(mode="wrap")
    @classmethod
    def _remember_text(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        settings = handler(data)
        if isinstance(data, dict):
            canonical = json.dumps(data, sort_keys=True, default=str)
            version = hashlib.sha256(canonical.encode()).hexdigest()[:12]
            settings._version = version  # noqa: SLF001 - its own class
        return settings

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        refuse_twice("profile", (profile.name for profile in self.profiles))
        refuse_twice("cap", (cap.say for cap in self.caps))
        return self

    @property
    def version(self) -> str:
        """Changes whenever anything written under ``health`` changes."""
        return self._version


class Milestone(Strict):
    """One step of onboarding. Once done it stays done."""

    name: str = Field(min_length=1, max_length=60)
    """How people read it; it is remembered under this name."""
    weight: float = Field(gt=0)
    """Its share of the score."""
    required: bool = True
    """Whether onboarding is complete only with it."""
    due_days: int = Field(ge=0)
    """Days after the account was created, counted in the account's own time zone."""
    done_when: ConditionTree
    """The milestone is done once this has been true."""
    done_at: ExpressionText | None = None
    """When it was done, where a signal knows: a date, or how many days ago. Otherwise the first run that sees it."""
    applies_when: ConditionTree | None = None
    """Where this is false the milestone does not exist for the account."""


class OnboardingSettings(Strict):
    """How far an account is in its onboarding: the weight of the milestones it has done."""

    stuck_after: Span = timedelta(days=7)
    """Stuck: a required milestone overdue by more than this, and nothing completed for as long."""
    dormant_when: ConditionTree | None = None
    """A stuck account of which this is true is dormant: nobody is there to be helped."""
    min_coverage: Percent = 0.6
    """With less of the weight known there is no score."""
    milestones: tuple[Milestone, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        refuse_twice("milestone", (milestone.name for milestone in self.milestones))
        return self


class ScoresSettings(Strict):
    """config/scores.yaml. A score that is left out is unknown for every account."""

    version: Literal[1]
    health: HealthSettings | None = None
    """The health score."""
    onboarding: OnboardingSettings | None = None
    """The onboarding score."""
    pql: PqlSettings | None = None
    """Product-qualified leads."""


def needs(settings: ScoresSettings) -> set[Need]:
    """Everything these scores read, so that signals can be asked for it. Includes functions such as counts."""
    return {need for _, need, _ in _uses(settings, ())}


def check_scores(settings: ScoresSettings, known: Known) -> Iterable[Finding]:
    """Names nobody provides, scores that would read themselves, and weights that do not add up to 100."""
    for loc, need, column in _uses(settings, ()):
        if need.kind not in {"field", "change"}:
            continue
        if need.name in SCORE_FIELDS or need.kind == "change":
            yield Finding(loc, f'a score cannot be made of another score or its change: "{need.key}"', column)
        elif need.name not in known.fields:
            guess = did_you_mean(need.name, known.fields)
            hint = f' Did you mean "{guess}"?' if guess else ""
            yield Finding(loc, f'unknown field "{need.name}".{hint}', column)
    yield from _weights(settings)


def _weights(settings: ScoresSettings) -> Iterator[Finding]:
    sums: list[tuple[Loc, Iterable[Part | Milestone]]] = []
    if settings.health:
        for index, profile in enumerate(settings.health.profiles):
            sums.append((("health", "profiles", index, "parts"), profile.parts))
    if settings.onboarding:
        sums.append((("onboarding", "milestones"), settings.onboarding.milestones))
    if settings.pql:
        sums.append((("pql", "fit", "parts"), settings.pql.fit.parts))
        sums.append((("pql", "usage", "parts"), settings.pql.usage.parts))
    for loc, weighted in sums:
        total = sum(item.weight for item in weighted)
        if total and abs(total - 100) > 0.001:
            yield Finding(loc, f"the weights add up to {total:g}, not 100; each counts as its share", 0, "warning")


def _uses(value: object, loc: Loc) -> Iterator[tuple[Loc, Need, int]]:
    """Every need below ``value`` with the place it is written at and, where it is written out, its column there."""
    if isinstance(value, Condition):
        for inner, mention in value.mentions():
            yield (*loc, *inner), mention.need, mention.column
    elif isinstance(value, Expression | Template):
        for mention in value.mentions:
            yield loc, mention.need, mention.column
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _uses(getattr(value, name), (*loc, field.alias or name))
        yield from _implied(value, loc)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _uses(item, (*loc, index))


def _implied(value: BaseModel, loc: Loc) -> Iterator[tuple[Loc, Need, int]]:
    """What is read without being written: baselines, ages, deadlines, and the windows of decaying intent."""
    if isinstance(value, Part):
        for expression in (value.baseline, value.age_of_value):
            for need in expression.needs() if expression else ():
                yield (*loc, "metric"), need, 0
        if value.needs.age is not None:
            yield (*loc, "needs"), Need("field", "account.age_days", None), 0
    elif isinstance(value, IntentEvent):
        for days in INTENT_WINDOWS:
            yield (*loc, "event"), Need("count", value.event, days), 0
        yield (*loc, "event"), Need("days_since", value.event, None), 0
    elif isinstance(value, OnboardingSettings | PqlSettings):
        for name in ("account.created_at", "account.tz", "account.age_days"):
            yield loc, Need("field", name, None), 0
