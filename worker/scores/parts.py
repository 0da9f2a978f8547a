"""From a measured value to points, and from points to a score. Unknown is not zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import floor
from typing import cast, overload

from connectors.base.values import finite_number
from worker.language.expression import Expression
from worker.language.values import Fields, Value
from worker.scores.result import Grid, points, shown
from worker.settings.scores_parts import Part

_EXACT = 1e-9
"""Coverage is a sum of floats: 3 × 20 of 100 must reach a minimum of 60 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartScore:
    """One part for one account: ``points`` are 0–100 or None with the reason in ``missing``.

    ``contribution`` is what the part adds to the score; ``said`` how it reads in a sentence.
    """

    name: str
    weight: float
    value: Value
    points: float | None
    missing: str = ""
    contribution: float | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """Parts with their contributions. ``total`` is unrounded; None when too little of the weight is known."""

    parts: tuple[PartScore, ...]
    total: float | None
    coverage: float


def parts_grid(parts: Iterable[PartScore]) -> Grid:
    """The parts as a table for a person."""
    return Grid(
        ("part", "value", "points", "weight", "adds", "missing"),
        tuple(
            (p.name, shown(p.value), points(p.points), f"{p.weight:g}", points(p.contribution), p.missing)
            for p in parts
        ),
    )


@overload
def rounded(score: float) -> int: ...
@overload
def rounded(score: float | None) -> int | None: ...
def rounded(score: float | None) -> int | None:
    """Rounded half up, as people round: 54.5 is 55. What is not known stays unknown."""
    return None if score is None else floor(score + 0.5)


def number(value: Value) -> float | None:
    """The value as a finite number, or None for anything that is not one."""
    return float(value) if finite_number(value) else None


def score_parts(parts: Iterable[Part], fields: Fields, *, worded: bool = True) -> tuple[PartScore, ...]:
    """Every part that exists for this account. Where ``applies`` is unknown the part is unknown, not absent.

    Without ``worded`` every part is called by its name, which is cheaper.
    """
    scored = []
    for part in parts:
        applies = True if part.applies is None else part.applies.truth(fields)
        if applies:
            value, points, missing = _score(part, fields)
            said = part.say.render(fields, None) if worded and part.say is not None else part.name
            scored.append(
                PartScore(name=part.name, weight=part.weight, value=value, points=points, missing=missing, said=said)
            )
        elif applies is None:
            scored.append(
                PartScore(
                    name=part.name,
                    weight=part.weight,
                    value=None,
                    points=None,
                    missing="not known whether it applies",
                    said=part.name,
                )
            )
    return tuple(scored)


def weigh(parts: Sequence[PartScore], min_coverage: float) -> WeightedSum:
    """Σ wᵢsᵢ ÷ Σ w of what is known; unknown parts give their weight to the others, down to ``min_coverage``."""
    applicable = sum(part.weight for part in parts)
    known = sum(part.weight for part in parts if part.points is not None)
    coverage = known / applicable if applicable else 0.0
    if not known or coverage < min_coverage - _EXACT:
        return WeightedSum(tuple(parts), None, coverage)
    contributing = tuple(part if part.points is None else _contributing(part, known) for part in parts)
    return WeightedSum(contributing, sum(p.contribution or 0.0 for p in contributing), coverage)


def _contributing(part: PartScore, known: float) -> PartScore:
    share = part.weight * (part.points or 0.0) / known
    return replace(part, contribution=share)


def _score(part: Part, fields: Fields) -> tuple[Value, float | None, str]:
    """What was measured, its points, and why there are none."""
    if part.flag is not None:
        truth = part.flag.truth(fields)
        return truth, None if truth is None else 100.0 * truth, "" if truth is not None else "not known"
    value, missing = _measure(part, fields)
    return value, None if value is None else _points(part, value), missing


def _measure(part: Part, fields: Fields) -> tuple[float | None, str]:
    """The number to turn into points, or None and why there is none."""
    metric = cast("Expression", part.metric)  # a part without a flag has one
    value = number(metric.value(fields))
    if value is None:
        return None, f"{metric.text} is not known"
    if part.stale_after is not None:
        age = _number_of(part.age_of_value, fields)
        if age is None:
            return None, "its age is not known"
        if timedelta(days=age) > part.stale_after:
            return None, f"older than {part.stale_after.days} days"
    return (value, "") if part.compare is None else _compared(part, value, fields)


def _compared(part: Part, value: float, fields: Fields) -> tuple[float | None, str]:
    """The relative change against the account's own previous period."""
    if part.needs.age is not None:
        age = number(fields.get("account.age_days"))
        if age is None:
            return None, "the account's age is not known"
        if timedelta(days=age) < part.needs.age:
            return None, f"account younger than {part.needs.age.days} days"
    before = _number_of(part.baseline, fields)
    if before is None:
        return None, "the previous period is not known"
    if before < part.needs.volume:
        return None, f"fewer than {part.needs.volume:g} in the previous period"
    if before == 0:
        return None, "nothing in the previous period"
    return value / before - 1, ""


def _number_of(expression: Expression | None, fields: Fields) -> float | None:
    return None if expression is None else number(expression.value(fields))


def _points(part: Part, value: float) -> float:
    if part.bad is None or part.good is None:
        return next((step.points for step in reversed(part.steps) if value >= step.at_least), 0.0)
    return 100.0 * min(1.0, max(0.0, (value - part.bad) / (part.good - part.bad)))
