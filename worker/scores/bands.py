"""Bands that do not flap: a gap on the way up and a hold in both directions."""

from __future__ import annotations

from datetime import datetime

from worker.scores.memory import Band, BandMemory
from worker.settings.scores_health import BandSettings

ORDER: dict[Band, int] = {"red": 0, "yellow": 1, "green": 2}


def plain_band(settings: BandSettings, score: float) -> Band:
    """The band of a score by thresholds alone."""
    if score >= settings.green:
        return "green"
    return "yellow" if score >= settings.yellow else "red"


def worse_of(one: Band, other: Band) -> Band:
    return one if ORDER[one] <= ORDER[other] else other


def next_band(
    settings: BandSettings, memory: BandMemory, score: float, as_of: datetime, *, new_day: bool = True
) -> BandMemory:
    """The band after one more run with a known score.

    The first assignment takes the plain threshold. Afterwards a worse band needs a score below its
    threshold, a better one a score ``gap`` points above it, and either must last ``hold``. ``new_day``: the run before
    was on an earlier UTC day; runs of one day count once.
    """
    current = memory.band
    if current is None:
        return BandMemory(band=plain_band(settings, score))
    wanted = _wanted(settings, current, score)
    if wanted == current:
        return BandMemory(band=current)
    same_direction = memory.wanted is not None and (ORDER[memory.wanted] < ORDER[current]) == (
        ORDER[wanted] < ORDER[current]
    )
    if same_direction and memory.wanted is not None:
        # A streak earns only the mildest band that every run of it asked for.
        milder = min(memory.wanted, wanted, key=lambda band: abs(ORDER[band] - ORDER[current]))
        streak = BandMemory(current, milder, memory.runs + new_day, memory.since)
    else:
        streak = BandMemory(current, wanted, 1, as_of)
    return BandMemory(band=streak.wanted) if _held(settings, streak, as_of) else streak


def _wanted(settings: BandSettings, current: Band, score: float) -> Band:
    down = plain_band(settings, score)
    if ORDER[down] < ORDER[current]:
        return down
    up = plain_band(settings, score - settings.gap)
    return up if ORDER[up] > ORDER[current] else current


def _held(settings: BandSettings, streak: BandMemory, as_of: datetime) -> bool:
    hold = settings.hold
    if hold.kind == "runs":
        return streak.runs >= hold.n
    waited = as_of - (streak.since or as_of)
    return waited >= hold.span
