"""The PQL part of config/scores.yaml."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from worker.settings.base import ConditionTree, ExpressionText, Percent, Strict, TemplateText
from worker.settings.scores_parts import Part, Span, refuse_twice

INTENT_WINDOWS = (1, 2, 3, 4, 7, 14, 28)
"""Days of the nested counts from which intent points are decayed (`worker.scores.intent`)."""


class Fit(Strict):
    gate: float = Field(default=50, ge=0, le=100)
    """No account below it becomes a PQL by its score."""
    min_coverage: Percent = 0.6
    parts: tuple[Part, ...] = Field(min_length=1)


class Usage(Strict):
    weight: Percent = 0.6
    min_coverage: Percent = 0.6
    parts: tuple[Part, ...] = Field(min_length=1)


class IntentEvent(Strict):
    event: str = Field(min_length=1)
    points: float = Field(gt=0, le=100)
    at_most_per_day: float = Field(default=100, gt=0)
    """Points one day can bring, however often the event happens."""
    say: TemplateText | None = None


class Intent(Strict):
    weight: Percent = 0.4
    half_life: Span = timedelta(days=7)
    events: tuple[IntentEvent, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        refuse_twice("event", (event.event for event in self.events))
        if not self.half_life:
            raise ValueError("half_life must be longer than nothing")
        return self


class Labels(Strict):
    """A, B, C by fit and 1, 2, 3 by PQL score: the least that earns each."""

    a: float = 75
    b: float = 50
    one: float = 70
    two: float = 55


class CoolDowns(Strict):
    untouched: Span = timedelta(days=14)
    """An open PQL nobody works on expires after this."""
    cold: Span = timedelta(days=7)
    """An open PQL whose score stays below ``closes_below`` expires after this."""
    expired: Span = timedelta(days=30)
    disqualified: Span = timedelta(days=90)


class HandRaise(Strict):
    when: ConditionTree
    say: str = "Asked for sales"


class PqlSettings(Strict):
    converted_when: ConditionTree
    """True for accounts that pay: they are never PQLs, and a PQL that becomes one is converted."""
    hand_raise: HandRaise | None = None
    fit: Fit
    usage: Usage
    intent: Intent
    opens_at: float = Field(default=70, gt=0, le=100)
    closes_below: float = Field(default=55, ge=0, le=100)
    hold: Span = timedelta(hours=24)
    """How long the score must stay at ``opens_at`` before the PQL opens."""
    labels: Labels = Labels()
    publish_step: int = Field(default=5, ge=1, le=50)
    """Smaller moves within a label are not published."""
    working_when: ConditionTree | None = None
    disqualify_reason: ExpressionText | None = None
    """Where the rep's reason comes back from the CRM; any known reason disqualifies."""
    bad_fit: tuple[str, ...] = ("bad fit",)
    """Reasons that disqualify for as long as the fit grade stays what it was."""
    cool_downs: CoolDowns = CoolDowns()

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
