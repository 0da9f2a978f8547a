"""Intent: points for what people did lately, worth half as much after every half-life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import pairwise
from math import floor

from worker.language.need import Need
from worker.language.values import Fields
from worker.scores.parts import number
from worker.settings.scores_pql import INTENT_WINDOWS, Intent, IntentEvent


@dataclass(frozen=True, slots=True)
class IntentScore:
    """One event's decayed points. None with a reason in ``missing`` where its counts are not known."""

    event: str
    count_28d: int | None
    points: float | None
    missing: str = ""
    contribution: float | None = None
    said: str = ""


def score_intent(settings: Intent, fields: Fields) -> tuple[tuple[IntentScore, ...], float | None]:
    """Every event's points and their sum, at most 100; None as soon as one event is not known.

    ``points · 0.5 ^ (age in days ÷ half-life)`` per event. Ages come from nested counts of whole days
    (`INTENT_WINDOWS`): exact for the four newest days and for the latest event; older ones are spread evenly
    over the days of their window. Nothing older than 28 days counts.
    """
    scores = tuple(_score(settings, event, fields) for event in settings.events)
    if any(score.points is None for score in scores):
        return scores, None
    return scores, min(100.0, sum(score.points or 0.0 for score in scores))


def _score(settings: Intent, event: IntentEvent, fields: Fields) -> IntentScore:
    said = event.event if event.say is None else event.say.render(fields, None)
    windows, since = _keys(event.event)
    counts = [number(fields.get(key)) for key in windows]
    known = [int(count) for count in counts if count is not None]
    if len(known) < len(counts):
        return IntentScore(event.event, None, None, "not known", None, said)
    latest = number(fields.get(since))
    points = 0.0
    newest = True
    for (inner, outer), (fewer, more) in zip(pairwise((0, *INTENT_WINDOWS)), pairwise((0, *known)), strict=True):
        happened = max(0, more - fewer)
        if happened:
            first = min(max(inner, floor(latest)), outer - 1) if newest and latest is not None else None
            points += _bucket(settings, event, happened, range(inner, outer), first)
            newest = False
    return IntentScore(event.event, known[-1], points, "", None, said)


@cache
def _keys(event: str) -> tuple[tuple[str, ...], str]:
    """Under which names signals give the counts of ``event`` and the days since it."""
    return tuple(Need("count", event, days).key for days in INTENT_WINDOWS), Need("days_since", event).key


def _bucket(settings: Intent, event: IntentEvent, happened: int, ages: range, latest: int | None) -> float:
    """Points of ``happened`` events that are ``ages`` days old, the latest of them ``latest`` days if known."""
    points = 0.0
    spread = list(ages)
    if latest is not None:
        points = min(event.points, event.at_most_per_day) * _decay(settings, latest)
        happened -= 1
        spread = [age for age in spread if age >= latest]
    per_day = min(happened * event.points / len(spread), event.at_most_per_day)
    points += per_day * sum(_decay(settings, age) for age in spread)
    if latest is not None:
        # The latest event shares its day's limit with the others of that day.
        over = min(event.points, event.at_most_per_day) + per_day - event.at_most_per_day
        points -= max(0.0, over) * _decay(settings, latest)
    return points


def _decay(settings: Intent, age_days: int) -> float:
    return float(0.5 ** (timedelta(days=age_days) / settings.half_life))
