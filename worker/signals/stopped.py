"""Events that occurred until lately and then hardly at all, while the rest goes on: renamed, or no longer sent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median_low

from worker.language.suggest import nearest
from worker.signals.data_report import EventFindings

_WEEKS = 4
_DAYS = timedelta(days=34)
"""`EventFindings` has the days of five weeks."""
_HARDLY_ANY = 0.1
"""A day with less than this share of its usual number is silent: a few old clients still send a renamed event."""
_ENOUGH = 20
"""So many events are usual in the silence: no chance, if they are spread over the days."""
_SELDOM = 0.1
_A_FEW = 5
_RARE = 1e-3
"""How rare so many silent days must be in a row: seldom where many events are usual, rare where a few are."""
_GOES_ON = 0.5
"""The other events go on when they have at least this share of their usual number."""


def stopped_events(events: Mapping[str, EventFindings], last_day: date) -> dict[str, str | None]:
    """The stopped events, and for each the event that seems to have taken its place.

    Silent days are compared with the same weekdays of up to four weeks before the silence. ``last_day`` is the last
    whole day of the data.
    """
    found: dict[str, str | None] = {}
    whole: Counter[date] = Counter()
    for event in events.values():
        whole.update(event.days)
    for event in events.values():
        days = _Days(event.days, last_day)
        silence = days.silence()
        if silence and _is_stopped(days, silence, _Days(whole, last_day)):
            found[event.name] = _successor(event, silence, events)
    return found


@dataclass(frozen=True, slots=True)
class _Days:
    """How many events the days up to ``last_day`` have."""

    events: Mapping[date, int]
    last_day: date

    def silence(self) -> date | None:
        """The first of the silent days up to the last; None where that one is not silent."""
        if sum(self.events.values()) < _A_FEW:
            return None
        least = _HARDLY_ANY * max(self.events.values())  # no day with more is silent
        latest = max(day for day, number in self.events.items() if number > least)
        starts = (latest + timedelta(days=day) for day in range(1, (self.last_day - latest).days + 1))
        return next((start for start in starts if self._is_silent(start)), None)

    def _is_silent(self, silence: date) -> bool:
        return all(self.on(day) <= _HARDLY_ANY * self._typical(day, silence) for day in self.since(silence))

    def _typical(self, day: date, silence: date) -> int:
        """The median number on the same weekday before the silence: a huge day, such as of an import, moves none."""
        before = self._weekdays_before(day, silence)
        return median_low(map(self.on, before)) if before else 0

    def on(self, day: date) -> int:
        return self.events.get(day, 0)

    def since(self, first: date) -> list[date]:
        return [first + timedelta(days=day) for day in range((self.last_day - first).days + 1)]

    def usual(self, day: date, silence: date) -> float:
        """The mean number on the same weekday before the silence."""
        before = self._weekdays_before(day, silence)
        return sum(map(self.on, before)) / len(before) if before else 0.0

    def share(self, day: date, silence: date) -> float:
        """On how many of these weekdays there was any, a little less than all."""
        before = self._weekdays_before(day, silence)
        return sum(self.on(one) > 0 for one in before) / (len(before) + 0.25)

    def _weekdays_before(self, day: date, silence: date) -> list[date]:
        weeks = max(0, (day - silence).days // 7 + 1)
        latest = day - timedelta(weeks=weeks)
        known = (latest - (self.last_day - _DAYS)).days // 7 + 1
        return [latest - timedelta(weeks=week) for week in range(min(_WEEKS, known))]


def _is_stopped(event: _Days, silence: date, whole: _Days) -> bool:
    """Whether so long a silence is no chance, and the others of the ``whole`` go on."""
    silent = event.since(silence)
    usual = sum(event.usual(day, silence) for day in silent)
    chance = math.prod(1 - event.share(day, silence) for day in silent)
    if usual < _A_FEW or chance > (_SELDOM if usual >= _ENOUGH else _RARE):
        return False
    now = sum(whole.on(day) - event.on(day) for day in silent)
    before = sum(whole.usual(day, silence) for day in silent) - usual
    return now > 0 and now >= _GOES_ON * before


def _successor(event: EventFindings, silence: date, events: Mapping[str, EventFindings]) -> str | None:
    """The event that began when this one stopped: the one with the nearest name, or the only one."""
    began = [
        one.name
        for one in events.values()
        if one.name != event.name and one.first is not None and one.first.date() >= silence - timedelta(days=1)
    ]
    return nearest(event.name, began) or (began[0] if len(began) == 1 else None)
