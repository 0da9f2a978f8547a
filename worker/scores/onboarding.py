"""Onboarding: how far an account is, how far it should be, and whether it needs help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from worker.language.values import Fields, Value, midnight, tidy
from worker.language.zones import zone_named
from worker.scores.memory import ScoreMemory
from worker.scores.parts import number, rounded
from worker.scores.result import Grid, Note, shown
from worker.settings.score_specs import Count, ScoreField, ScoreSpec
from worker.settings.scores_onboarding import Milestone, OnboardingSettings

OnboardingStatus = Literal["complete", "dormant", "stuck", "behind", "on_track", "not_enough_data"]

_EXACT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarding:
    """``score`` and ``expected`` are 0–100: the weight done, and the weight that was due, of what applies.

    ``days_stuck`` counts from the last completed milestone, or the account's start, and is 0 unless stuck or dormant.
    """

    status: OnboardingStatus | None = None
    score: int | None = None
    expected: int | None = None
    next_milestone: str | None = None
    days_stuck: int | None = None
    done: str | None = None
    milestones: tuple[MilestoneProgress, ...] = ()

    def fields(self) -> dict[str, Value]:
        """The values of the fields of `SPEC`."""
        return {
            "onboarding.score": self.score,
            "onboarding.status": self.status,
            "onboarding.expected": self.expected,
            "onboarding.next_milestone": self.next_milestone,
            "onboarding.days_stuck": self.days_stuck,
            "onboarding.done": self.done,
        }

    def kept_fields(self) -> dict[str, Value]:
        """Nothing: every change is written."""
        return {}

    def explained(self) -> Iterator[Note | Grid]:
        """How far the account is, milestone by milestone."""
        expected = "" if self.expected is None else f" (expected by now: {self.expected})"
        yield Note(f"{shown(self.score)}{expected} · {(self.status or 'unknown').replace('_', ' ')}")
        if self.milestones:
            yield Grid(("milestone", "weight", "due", "done", "missing"), tuple(_row(step) for step in self.milestones))


def _row(step: MilestoneProgress) -> tuple[str, ...]:
    done = f"{step.done_at:%Y-%m-%d}" if step.done_at else _DONE[step.done]
    late = f" ({step.overdue_days} days late)" if step.overdue_days > 0 and not step.done else ""
    name = step.name if step.required else f"{step.name} (optional)"
    return name, f"{step.weight:g}", f"day {step.due_days}{late}", done, step.missing


_DONE = {True: "true", False: "false", None: "–"}
NOT_CONFIGURED = Onboarding()


def score_onboarding(
    settings: OnboardingSettings, now: Fields, then: Fields | None, memory: ScoreMemory, as_of: datetime
) -> tuple[Onboarding, ScoreMemory]:
    """Progress as of one moment, and the memory with the milestones done so far: those never come undone."""
    created = now.get("account.created_at")
    started = created if isinstance(created, datetime) else None
    day = None if started is None else _local_day(started, as_of, now)
    remembered = dict(memory.milestones)
    progress: list[MilestoneProgress] = []
    for milestone in settings.milestones:
        applies = True if milestone.applies_when is None else milestone.applies_when.truth(now)
        done_at = _done_at(milestone, now, then, started, as_of, remembered.get(milestone.name))
        if done_at is not None:
            remembered[milestone.name] = done_at
        if applies is not False:
            progress.append(_progress(milestone, applies, done_at, day, now))
    result = _result(settings, tuple(progress), now, started, as_of)
    return result, replace(memory, milestones=tuple(remembered.items()))


def _done_at(
    milestone: Milestone,
    now: Fields,
    then: Fields | None,
    started: datetime | None,
    as_of: datetime,
    remembered: datetime | None,
) -> datetime | None:
    """When a milestone was done first, as well as the data can say; earlier data corrects what is remembered."""
    if not milestone.done_when.truth(now):
        return remembered
    moment = None if milestone.done_at is None else _moment(milestone.done_at.value(now), as_of)
    if moment is None:
        was_done = then is not None and milestone.done_when.truth(then)
        moment = remembered or (as_of - timedelta(days=28) if was_done else as_of)
    if started is not None:
        moment = max(moment, min(started, as_of))
    return moment if remembered is None else min(moment, remembered)


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
        name=milestone.name,
        weight=milestone.weight,
        required=milestone.required,
        due_days=milestone.due_days,
        done=done,
        done_at=done_at,
        overdue_days=overdue,
        missing=missing,
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
        return Onboarding(status="not_enough_data", milestones=progress)
    score = 100 * sum(step.weight for step in finished) / weight
    day = _local_day(started, as_of, now)
    expected = 100 * sum(step.weight for step in known if day > step.due_days) / weight
    last = max((step.done_at for step in finished if step.done_at), default=started)
    idle = max(timedelta(0), as_of - last)
    status = _status(settings, progress, score < expected, idle, now)
    names = ", ".join(step.name for step in finished)
    return Onboarding(
        status=status,
        score=rounded(score),
        expected=rounded(expected),
        next_milestone=None if status == "complete" else _next(progress),
        days_stuck=idle.days if status in {"stuck", "dormant"} else 0,
        done=f"{len(finished)} of {len(progress)}{': ' + names if names else ''}",
        milestones=progress,
    )


def _status(
    settings: OnboardingSettings, progress: tuple[MilestoneProgress, ...], late: bool, idle: timedelta, now: Fields
) -> OnboardingStatus:
    required = [step for step in progress if step.required]
    if all(step.done for step in required or progress):
        return "complete"
    overdue = max((step.overdue_days for step in required), default=0)
    if timedelta(days=overdue) > settings.stuck_after and idle >= settings.stuck_after:
        dormant = settings.dormant_when is not None and settings.dormant_when.truth(now)
        return "dormant" if dormant else "stuck"
    return "behind" if late or overdue > 0 else "on_track"


def _next(progress: tuple[MilestoneProgress, ...]) -> str | None:
    """The required milestone due first, else the optional one due first."""
    waiting = [step for step in progress if step.done is False]
    return min(waiting, key=lambda step: (not step.required, step.due_days)).name if waiting else None


def _local_day(started: datetime, as_of: datetime, now: Fields) -> int:
    """Whole days since the day the account was created, as its calendar counts them. Day 0 is that day."""
    zone = zone_named(now.get("account.tz")) or UTC
    return (as_of.astimezone(zone).date() - started.astimezone(zone).date()).days


def _why(fields: Fields) -> str:
    status = tidy(fields.get("onboarding.status") or "").replace("_", " ")
    following = fields.get("onboarding.next_milestone")
    return f"{status}; next: {tidy(following)}" if following else status


SPEC = ScoreSpec(
    name="onboarding",
    label="Onboarding",
    about="The onboarding score.",
    settings=OnboardingSettings,
    fields=(
        ScoreField(name="onboarding.score", label="Onboarding score", unit="points", history=True),
        ScoreField(
            name="onboarding.status",
            label="Onboarding status",
            kind="text",
            values=("complete", "dormant", "stuck", "behind", "on_track", "not_enough_data"),
            worst_first=("dormant", "stuck", "behind", "on_track", "complete"),
            history=True,
        ),
        ScoreField(name="onboarding.expected", label="Expected onboarding score", unit="points"),
        ScoreField(name="onboarding.next_milestone", label="Next milestone", kind="text"),
        ScoreField(name="onboarding.days_stuck", label="Days without a milestone", unit="days"),
        ScoreField(name="onboarding.done", label="Milestones done", kind="text"),
    ),
    score=score_onboarding,
    unknown=NOT_CONFIGURED,
    rank_field="onboarding.score",
    rank="lowest",
    counts=(
        Count(
            key="onboarding",
            field="onboarding.status",
            first=("complete", "on_track", "behind", "stuck", "dormant"),
        ),
    ),
    why=_why,
)
