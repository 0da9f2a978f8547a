"""Events that occurred until lately and then not at all, while the rest goes on: renamed, or no longer sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta

from worker.language.suggest import nearest
from worker.signals.data_report import EventFindings

_WEEKS = 4
_ENOUGH = 20
"""So many events are usual in the silence: no chance."""
_A_FEW = 5
_RARE = 1e-3
"""With fewer, so many silent days must be this rare."""
_GOES_ON = 0.5
"""The other events go on when they have at least this share of their usual number."""


def stopped_events(events: Mapping[str, EventFindings], last_day: date) -> dict[str, str | None]:
    """The stopped events, and for each the event that seems to have taken its place.

    Silent days are compared with the same weekdays of the four weeks before the silence. ``last_day`` is the last
    whole day of the data.
    """
    found: dict[str, str | None] = {}
    for event in events.values():
        silent = _silent_days(event, last_day)
        if silent and _is_stopped(event, silent, events):
            found[event.name] = _successor(event, events)
    return found


def _silent_days(event: EventFindings, last_day: date) -> list[date]:
    """The days up to ``last_day`` since the event last occurred."""
    if not event.days:
        return []
    latest = max(event.days)
    return [latest + timedelta(days=day) for day in range(1, (last_day - latest).days + 1)]


def _is_stopped(event: EventFindings, silent: list[date], events: Mapping[str, EventFindings]) -> bool:
    usual = sum(_usual(event, day, silent[0]) for day in silent)
    chance = math.prod(1 - _share_of_days(event, day, silent[0]) for day in silent)
    if usual < _A_FEW or (usual < _ENOUGH and chance > _RARE):
        return False
    others = [one for one in events.values() if one.name != event.name]
    now = sum(one.days.get(day, 0) for one in others for day in silent)
    before = sum(_usual(one, day, silent[0]) for one in others for day in silent)
    return now > 0 and now >= _GOES_ON * before


def _usual(event: EventFindings, day: date, silence: date) -> float:
    """The mean number on the same weekday in the weeks before the silence."""
    return sum(event.days.get(one, 0) for one in _weekdays_before(day, silence)) / _WEEKS


def _share_of_days(event: EventFindings, day: date, silence: date) -> float:
    """On how many of these weekdays it occurred, a little less than all."""
    return sum(event.days.get(one, 0) > 0 for one in _weekdays_before(day, silence)) / (_WEEKS + 0.25)


def _weekdays_before(day: date, silence: date) -> list[date]:
    while day >= silence:
        day -= timedelta(weeks=1)
    return [day - timedelta(weeks=week) for week in range(_WEEKS)]


def _successor(event: EventFindings, events: Mapping[str, EventFindings]) -> str | None:
    """The event that began when this one stopped: the one with the nearest name, or the only one."""
    latest = max(event.days)
    began = [one.name for one in events.values() if one.first is not None and one.first.date() >= latest]
    return nearest(event.name, began) or (began[0] if len(began) == 1 else None)
