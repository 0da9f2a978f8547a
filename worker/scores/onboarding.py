"""Onboarding: how far an account is, how far it should be, and whether somebody has to help."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from worker.language.values import Fields, Value, midnight
from worker.scores.memory import ScoreMemory
from worker.scores.parts import number, whole
from worker.settings.scores import Milestone, OnboardingSettings

OnboardingStatus = Literal["complete", "dormant", "stuck", "behind", "on_track", "not_enough_data"]

_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class MilestoneProgress:
    """One milestone of one account. ``done`` is None where it is not known; ``overdue_days`` are whole local days."""

    name: str
    weight: float
    required: bool
    due_days: int
    done: bool | None
    done_at: datetime | None
    overdue_days: int
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Onboarding:
    """``score`` and ``expected`` are 0–100: the weight done, and the weight that was due, of what applies.

    ``days_stuck`` counts from the last completed milestone, or the account's start, and is 0 unless stuck or dormant.
    """

    status: OnboardingStatus | None
    score: int | None
    expected: int | None
    next_milestone: str | None
    days_stuck: int | None
    done: str | None
    milestones: tuple[MilestoneProgress, ...] = ()


NOT_CONFIGURED = Onboarding(None, None, None, None, None, None)


def score_onboarding(
    settings: OnboardingSettings, now: Fields, then: Fields | None, memory: ScoreMemory, as_of: datetime
) -> tuple[Onboarding, tuple[tuple[str, datetime], ...]]:
    """Progress as of one moment, and the milestones done so far with their moments: those never come undone."""
    created = now.get("account.created_at")
    started = created if isinstance(created, datetime) else None
    day = None if started is None else _local_day(started, as_of, now)
    remembered = dict(memory.milestones)
    progress: list[MilestoneProgress] = []
    for milestone in settings.milestones:
        applies = True if milestone.applies_when is None else milestone.applies_when.truth(now)
        done_at = remembered.get(milestone.name) or _done_at(milestone, now, then, started, as_of)
        if done_at is not None:
            remembered[milestone.name] = done_at
        if applies is not False:
            progress.append(_progress(milestone, applies, done_at, day, now))
    return _result(settings, tuple(progress), now, started, as_of), tuple(remembered.items())


def _done_at(
    milestone: Milestone, now: Fields, then: Fields | None, started: datetime | None, as_of: datetime
) -> datetime | None:
    """When a milestone seen done for the first time was done, as well as the data can say."""
    if not milestone.done_when.truth(now):
        return None
    moment = None if milestone.done_at is None else _moment(milestone.done_at.value(now), as_of)
    if moment is None:
        was_done = then is not None and milestone.done_when.truth(then)
        moment = as_of - timedelta(days=28) if was_done else as_of
    return moment if started is None else max(moment, min(started, as_of))


def _moment(value: Value, as_of: datetime) -> datetime | None:
    """A date as a signal gives it: itself, or the number of days since. Nothing later than ``as_of``."""
    ago = number(value)
    if ago is not None:
        value = as_of - timedelta(days=ago)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = midnight(value)
    return min(value, as_of) if isinstance(value, datetime) else None


def _progress(
    milestone: Milestone, applies: bool | None, done_at: datetime | None, day: int | None, now: Fields
) -> MilestoneProgress:
    if done_at is not None:
        done: bool | None = True
    else:
        done = False if applies and milestone.done_when.truth(now) is False else None
    overdue = 0 if day is None or done is not False else max(0, day - milestone.due_days)
    missing = "" if done is not None else "not known whether it applies" if applies is None else "not known"
    return MilestoneProgress(
        milestone.name, milestone.weight, milestone.required, milestone.due_days, done, done_at, overdue, missing
    )


def _result(
    settings: OnboardingSettings,
    progress: tuple[MilestoneProgress, ...],
    now: Fields,
    started: datetime | None,
    as_of: datetime,
) -> Onboarding:
    known = [step for step in progress if step.done is not None]
    weight = sum(step.weight for step in known)
    finished = [step for step in known if step.done]
    applicable = sum(step.weight for step in progress)
    if not weight or started is None or weight / applicable < settings.min_coverage - _EXACT:
        return Onboarding("not_enough_data", None, None, None, None, None, progress)
    score = 100 * sum(step.weight for step in finished) / weight
    day = _local_day(started, as_of, now)
    expected = 100 * sum(step.weight for step in known if day > step.due_days) / weight
    last = max((step.done_at for step in finished if step.done_at), default=started)
    idle = max(timedelta(0), as_of - last)
    status = _status(settings, progress, score < expected, idle, now)
    names = ", ".join(step.name for step in finished)
    return Onboarding(
        status,
        whole(score),
        whole(expected),
        None if status == "complete" else _next(progress),
        idle.days if status in {"stuck", "dormant"} else 0,
        f"{len(finished)} of {len(progress)}{': ' + names if names else ''}",
        progress,
    )


def _status(
    settings: OnboardingSettings, progress: tuple[MilestoneProgress, ...], late: bool, idle: timedelta, now: Fields
) -> OnboardingStatus:
    required = [step for step in progress if step.required]
    if all(step.done for step in required or progress):
        return "complete"
    overdue = max((step.overdue_days for step in required), default=0)
    if timedelta(days=overdue) > settings.stuck_after and idle >= settings.stuck_after:
        asleep = settings.dormant_when is not None and settings.dormant_when.truth(now)
        return "dormant" if asleep else "stuck"
    return "behind" if late or overdue > 0 else "on_track"


def _next(progress: tuple[MilestoneProgress, ...]) -> str | None:
    """The required milestone due first, else the optional one due first."""
    waiting = [step for step in progress if step.done is False]
    return min(waiting, key=lambda step: (not step.required, step.due_days)).name if waiting else None


def _local_day(started: datetime, as_of: datetime, now: Fields) -> int:
    """Whole days since the day the account was created, as its calendar counts them. Day 0 is that day."""
    zone = _zone(now)
    return (as_of.astimezone(zone).date() - started.astimezone(zone).date()).days


def _zone(now: Fields) -> tzinfo:
    name = now.get("account.tz")
    if not isinstance(name, str) or not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # Zones come from customers' data; a misspelt one must not stop a run.
        return UTC
