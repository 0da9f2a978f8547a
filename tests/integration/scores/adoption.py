"""The one file of a fourth score: how much of the product an account uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from worker.language.values import Fields, Value
from worker.scores.memory import ScoreMemory
from worker.scores.parts import PartScore, parts_grid, rounded, score_parts, weigh
from worker.scores.result import Grid, Note, shown
from worker.settings.base import Percent, Strict
from worker.settings.score_specs import Count, ScoreField, ScoreSpec
from worker.settings.scores_parts import Part


class AdoptionSettings(Strict):
    """How much of the product an account uses."""

    min_coverage: Percent = 0.6
    """With less of the weight known there is no score."""
    parts: tuple[Part, ...] = Field(min_length=1)
    """What is measured, each with its weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """0–100, or unknown; wide from 50 points on."""

    score: int | None = None
    parts: tuple[PartScore, ...] = ()

    def fields(self) -> dict[str, Value]:
        """The values of the fields of `SPEC`."""
        breadth = None if self.score is None else "wide" if self.score >= 50 else "narrow"
        return {"adoption.score": self.score, "adoption.breadth": breadth}

    def kept_fields(self) -> dict[str, Value]:
        """Nothing: every change is written."""
        return {}

    def explained(self) -> Iterator[Note | Grid]:
        """The score and its parts."""
        yield Note(f"adoption is {shown(self.score)}")
        yield parts_grid(self.parts)


def score_adoption(
    settings: AdoptionSettings, now: Fields, then: Fields | None, memory: ScoreMemory, as_of: datetime
) -> tuple[Adoption, ScoreMemory]:
    """The weighted mean of the parts."""
    scored = weigh(score_parts(settings.parts, now), settings.min_coverage)
    return Adoption(score=None if scored.total is None else rounded(scored.total), parts=scored.parts), memory


SPEC = ScoreSpec(
    name="adoption",
    label="Adoption",
    about="How much of the product an account uses.",
    settings=AdoptionSettings,
    fields=(
        ScoreField(name="adoption.score", label="Adoption score", unit="points", history=True),
        ScoreField(name="adoption.breadth", label="Breadth", kind="text", values=("wide", "narrow"), history=True),
    ),
    score=score_adoption,
    unknown=Adoption(),
    rank_field="adoption.score",
    rank="lowest",
    counts=(Count(key="adoption", field="adoption.breadth", first=("wide", "narrow")),),
    why=lambda fields: f"{shown(fields.get('adoption.score'))} points of adoption",
)
