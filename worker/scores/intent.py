"""Intent: points for what people did lately, worth half as much after every half-life."""

from __future__ import annotations

from dataclasses import dataclass

from worker.language.need import Need
from worker.language.values import Fields
from worker.scores.parts import number
from worker.settings.scores_pql import Intent, IntentEvent


@dataclass(frozen=True, slots=True)
class IntentScore:
    """One event's decayed points. None with a reason in ``missing`` where its events are not known."""

    event: str
    days_since: float | None
    points: float | None
    missing: str = ""
    contribution: float | None = None
    said: str = ""


def score_intent(settings: Intent, fields: Fields) -> tuple[tuple[IntentScore, ...], float | None]:
    """Every event's points and their sum, at most 100; None as soon as one event is not known.

    An event that happened ``age`` ago is worth ``points · 0.5 ^ (age ÷ half_life)``. Of the events of one day the
    earliest are worth something, until the day has brought ``at_most_per_day``.
    """
    scores = tuple(_score(settings, event, fields) for event in settings.events)
    if any(score.points is None for score in scores):
        return scores, None
    return scores, min(100.0, sum(score.points or 0.0 for score in scores))


def _score(settings: Intent, event: IntentEvent, fields: Fields) -> IntentScore:
    said = event.event if event.say is None else event.say.render(fields, None)
    left = number(fields.get(settings.faded(event).key))
    if left is None:
        return IntentScore(event.event, None, None, "not known", None, said)
    since = number(fields.get(Need("days_since", event.event).key))
    return IntentScore(event.event, since, event.points * left, "", None, said)
