"""The block ``onboarding:`` of config/scores.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from worker.language.need import Need
from worker.settings.base import ConditionTree, ExpressionText, Loc, Percent, Strict
from worker.settings.scores_parts import ScoreBlock, Span, ages_of_account, refuse_twice


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
    """When it was done first: a date such as ``first(Event)``, or how many days ago. Default: the first run that sees
    it."""
    applies_when: ConditionTree | None = None
    """Where this is false the milestone does not exist for the account."""


class OnboardingSettings(ScoreBlock):
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

    def implied(self) -> Iterator[tuple[Loc, Need]]:
        """The start of the account and its calendar."""
        return ages_of_account()
