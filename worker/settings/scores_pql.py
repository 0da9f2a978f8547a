"""The PQL part of config/scores.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from worker.language.need import Decay, Need
from worker.settings.base import ConditionTree, ExpressionText, Loc, Percent, Strict, TemplateText
from worker.settings.scores_parts import Part, ScoreBlock, Span, ages_of_account, refuse_twice


class Fit(Strict):
    """Who the account is."""

    gate: float = Field(default=50, ge=0, le=100)
    """No account below it becomes a PQL by its score."""
    min_coverage: Percent = 0.6
    """With less of the weight known, fit is unknown and the status is ``needs_enrichment``."""
    parts: tuple[Part, ...] = Field(min_length=1)
    """What fit is made of."""


class Usage(Strict):
    """What the account does in the product."""

    weight: Percent = 0.6
    """Its share of the PQL score."""
    min_coverage: Percent = 0.6
    """With less of the weight known, usage is unknown."""
    parts: tuple[Part, ...] = Field(min_length=1)
    """What usage is made of."""


class IntentEvent(Strict):
    """One event that shows interest."""

    event: str = Field(min_length=1)
    """The name of the event in the product data."""
    points: float = Field(gt=0, le=100)
    """Points that one event brings."""
    at_most_per_day: float = Field(default=100, gt=0)
    """Points one day can bring, however often the event happens."""
    say: TemplateText | None = None
    """How it reads among the reasons; its name otherwise."""


class Intent(ScoreBlock):
    """What the account wants: events whose points fade."""

    weight: Percent = 0.4
    """Its share of the PQL score."""
    half_life: Span = timedelta(days=7)
    """The points of an event halve in this time."""
    events: tuple[IntentEvent, ...] = Field(min_length=1)
    """The events that count, each with its points."""

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        refuse_twice("event", (event.event for event in self.events))
        if not self.half_life:
            raise ValueError("half_life must be longer than nothing")
        return self

    def faded(self, event: IntentEvent) -> Need:
        """How many such events there were, each counted by what its age leaves of it."""
        return Need("decayed", event.event, decay=Decay(self.half_life, event.at_most_per_day / event.points))

    def implied(self) -> Iterator[tuple[Loc, Need]]:
        """Of every event what is left of it, and the days since the latest."""
        for index, event in enumerate(self.events):
            yield ("events", index, "event"), self.faded(event)
            yield ("events", index, "event"), Need("days_since", event.event)


class Labels(Strict):
    """A, B, C by fit and 1, 2, 3 by PQL score: the least that earns each."""

    a: float = 75
    """The least fit for A."""
    b: float = 50
    """The least fit for B; below it, C."""
    one: float = 70
    """The least PQL score for 1."""
    two: float = 55
    """The least PQL score for 2; below it, 3."""


class CoolDowns(Strict):
    """How long an open PQL may rest, and how long an account cannot become one again."""

    untouched: Span = timedelta(days=14)
    """An open PQL nobody works on expires after this."""
    cold: Span = timedelta(days=7)
    """An open PQL whose score stays below ``closes_below`` expires after this."""
    working: Span = timedelta(days=30)
    """A PQL that a person works on expires after this time without another touch."""
    expired: Span = timedelta(days=30)
    """How long an expired PQL cannot open again."""
    disqualified: Span = timedelta(days=90)
    """How long a disqualified account cannot open again."""


class HandRaise(Strict):
    """An account that asks for sales: it becomes a PQL at once, whatever its scores are."""

    when: ConditionTree
    """True for an account that asks for sales."""
    say: str = "Asked for sales"
    """How it reads among the reasons."""


class PqlSettings(ScoreBlock):
    """Which accounts are product-qualified leads, and how long they stay so."""

    converted_when: ConditionTree
    """True for accounts that pay: they are never PQLs, and a PQL that becomes one is converted."""
    hand_raise: HandRaise | None = None
    """What opens a PQL at once and ends every cool-down."""
    fit: Fit
    """Who the account is; below its gate no score opens a PQL."""
    usage: Usage
    """What the account does."""
    intent: Intent
    """What the account wants."""
    opens_at: float = Field(default=70, gt=0, le=100)
    """The PQL score at which a PQL opens."""
    closes_below: float = Field(default=55, ge=0, le=100)
    """The PQL score below which an open PQL turns cold."""
    hold: Span = timedelta(hours=24)
    """How long the score must stay at ``opens_at`` before the PQL opens."""
    labels: Labels = Labels()
    publish_step: int = Field(default=5, ge=1, le=50)
    """Smaller moves within a label are not written to the CRMs. Playbooks decide on the live score."""
    working_when: ConditionTree | None = None
    """True once a person works on the PQL."""
    disqualify_reason: ExpressionText | None = None
    """Where the rep's reason comes back from the CRM; any known reason disqualifies."""
    bad_fit: tuple[str, ...] = ("bad fit",)
    """Reasons that disqualify for as long as the fit grade stays what it was."""
    cool_downs: CoolDowns = CoolDowns()
    """When an open PQL expires, and when it may open again."""

    @field_validator("bad_fit")
    @classmethod
    def _compare_as_text(cls, reasons: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(reason.strip().casefold() for reason in reasons)

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.closes_below > self.opens_at:
            raise ValueError("closes_below must not be above opens_at")
        if self.usage.weight + self.intent.weight <= 0:
            raise ValueError("usage and intent cannot both weigh nothing")
        return self

    def implied(self) -> Iterator[tuple[Loc, Need]]:
        """The age of the account: young accounts wait for ``hold``."""
        return ages_of_account()
