"""The block ``health:`` of config/scores.yaml."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from worker.language.units import Duration
from worker.settings.base import ConditionTree, DurationText, Percent, Strict
from worker.settings.scores_parts import Part, Span, refuse_twice


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
    """The score is the mean of this many days."""
    min_coverage: Percent = 0.6
    """With less of the weight known there is no score."""
    publish_step: int = Field(default=5, ge=1, le=50)
    """Smaller moves within a band are not written to the CRMs. Playbooks decide on the live score."""
    bands: BandSettings = BandSettings()
    profiles: tuple[Profile, ...] = Field(min_length=1)
    caps: tuple[Cap, ...] = ()

    _version: str = PrivateAttr(default="")

    @model_validator(mode="wrap")
    @classmethod
    def _remember_text(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        settings = handler(data)
        canonical = json.dumps(data, sort_keys=True, default=str)
        settings._version = hashlib.sha256(canonical.encode()).hexdigest()[:12]  # noqa: SLF001 - its own class
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
