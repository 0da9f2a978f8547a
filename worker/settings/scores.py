"""config/scores.yaml: one block per score, and what the blocks read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from worker.language.condition import Condition
from worker.language.expression import Expression
from worker.language.need import Need
from worker.language.suggest import suggestion
from worker.language.template import Template
from worker.settings.base import Finding, Loc, Strict
from worker.settings.known import SCORE_FIELDS, Known
from worker.settings.late_tests import late_tests_of_condition
from worker.settings.old_words import old_words_of_condition
from worker.settings.score_specs import score_specs
from worker.settings.scores_onboarding import Milestone
from worker.settings.scores_parts import ScoreBlock
from worker.settings.share_tests import share_tests_of_condition

_blocks: dict[str, Any] = {
    spec.name: (spec.settings | None, Field(None, description=spec.about)) for spec in score_specs()
}
_Blocks: Any = create_model("_Blocks", __base__=Strict, **_blocks)


class ScoresSettings(_Blocks):  # type: ignore[misc]  # its fields are the scores that are declared
    """config/scores.yaml. A score that is left out is unknown for every account."""

    version: Literal[1]


def needs(settings: ScoresSettings) -> set[Need]:
    """Everything these scores read, so that signals can be asked for it. Includes functions such as counts."""
    return {need for _, need, _ in uses(settings, ())}


def needs_of_score(settings: ScoresSettings, name: str) -> set[Need]:
    """What one score reads."""
    return {need for loc, need, _ in uses(settings, ()) if loc[0] == name}


def check_scores(settings: ScoresSettings, known: Known) -> Iterable[Finding]:
    """Unknown names, scores that would read themselves, and weights that do not add up to 100."""
    for loc, need, column in uses(settings, ()):
        if need.kind not in {"field", "change"}:
            continue
        if need.name in SCORE_FIELDS or need.kind == "change":
            yield Finding(loc, f'a score cannot be made of another score or its change: "{need.key}"', column)
        elif need.name not in known.fields:
            yield Finding(loc, f'unknown field "{need.name}"{suggestion(need.name, known.fields)}', column)
    yield from _latest_for_first(settings, ())
    yield from _weights(settings, ())
    for place, condition in conditions(settings, ()):
        yield from old_words_of_condition(place, condition)
        yield from late_tests_of_condition(place, condition, known)
        yield from share_tests_of_condition(place, condition, known)


def _latest_for_first(value: object, loc: Loc) -> Iterator[Finding]:
    """Milestones dated by the latest occurrence of their event."""
    if isinstance(value, Milestone) and value.done_at is not None and value.done_at.left.kind == "days_since":
        first = Need("first", value.done_at.left.name).key
        message = f"{value.done_at.left.key} is the latest such event; when the milestone was done is {first}"
        yield Finding((*loc, "done_at"), message, 0, "warning")
    for inner, place in _below(value, loc):
        yield from _latest_for_first(inner, place)


def _weights(value: object, loc: Loc) -> Iterator[Finding]:
    """Lists of weighted items, anywhere below ``value``, whose weights are not percentages of a whole."""
    if isinstance(value, tuple):
        total = sum(getattr(item, "weight", 0) for item in value)
        if total and abs(total - 100) > 0.001:
            yield Finding(loc, f"the weights add up to {total:g}, not 100; each counts as its share", 0, "warning")
    for inner, place in _below(value, loc):
        yield from _weights(inner, place)


def conditions(value: object, loc: Loc = ()) -> Iterator[tuple[Loc, Condition]]:
    """Every condition below ``value`` with the place it stands at."""
    if isinstance(value, Condition):
        yield loc, value
    for inner, place in _below(value, loc):
        yield from conditions(inner, place)


def uses(value: object, loc: Loc) -> Iterator[tuple[Loc, Need, int]]:
    """Every need below ``value`` with the place it is written at and, where it is written out, its column there."""
    if isinstance(value, Condition):
        for inner, mention in value.mentions():
            yield (*loc, *inner), mention.need, mention.column
    elif isinstance(value, Expression | Template):
        for mention in value.mentions:
            yield loc, mention.need, mention.column
    for below, place in _below(value, loc):
        yield from uses(below, place)
    if isinstance(value, ScoreBlock):
        for inner, need in value.implied():
            yield (*loc, *inner), need, 0


def _below(value: object, loc: Loc) -> Iterator[tuple[object, Loc]]:
    """The fields of a block or the items of a list, each with its place."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield getattr(value, name), (*loc, field.alias or name)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield item, (*loc, index)
