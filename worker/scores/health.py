"""Health: how well an account does, 0–100 or unknown, with the parts and changes that explain it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from worker.language.values import Fields
from worker.scores.bands import next_band, plain_band, worse_of
from worker.scores.change import Change, Standing, compare
from worker.scores.memory import Band, ScoreMemory, Shown, show
from worker.scores.parts import PartScore, WeightedSum, score_parts, weigh, whole
from worker.scores.wording import one_line, signed
from worker.settings.scores import Cap, HealthSettings, Profile

HealthStatus = Literal["ok", "not_enough_data", "not_scored"]


@dataclass(frozen=True, slots=True)
class CapHit:
    """A cap whose condition holds; ``binds`` when it lowers the score."""

    say: str
    at_most: int
    binds: bool


@dataclass(frozen=True, slots=True)
class Health:
    """``score`` is published: the smoothed mean of the last ``days`` under its caps. ``today`` is unsmoothed.

    ``score``, ``points_28d`` and ``reasons`` are published together and stay until the band, a cap, the profile, what
    is known or the score by ``publish_step`` points changes. ``mean``, ``today``, ``parts`` and ``change`` are of this
    very moment; the contributions of ``parts`` add up to ``today``. ``band`` is None whenever ``score`` is.
    """

    status: HealthStatus
    profile: str | None
    score: int | None
    band: Band | None
    coverage: float
    today: float | None
    mean: float | None
    days: int
    parts: tuple[PartScore, ...]
    caps: tuple[CapHit, ...]
    change: Change
    points_28d: int | None
    reasons: str


NOT_SCORED = Health("not_scored", None, None, None, 0.0, None, None, 0, (), (), Change(None), None, "")


def score_health(
    settings: HealthSettings, now: Fields, then: Fields | None, memory: ScoreMemory, as_of: datetime
) -> tuple[Health, ScoreMemory]:
    """Health as of one moment, and the memory for the next.

    ``then`` is the same account 28 days earlier. The caller keeps the old memory when time went backwards.
    """
    profile = _profile(settings, now, memory.profile)
    if profile is None or not profile.scored:
        name = None if profile is None else profile.name
        status: HealthStatus = "not_enough_data" if profile is None else "not_scored"
        return replace(NOT_SCORED, status=status, profile=name), replace(memory, profile=name or memory.profile)

    scored = weigh(score_parts(profile.parts, now), settings.min_coverage)
    active = tuple(cap for cap in settings.caps if _holds(cap, now, memory.caps))
    same = memory.version == settings.version and memory.profile == profile.name
    days = _days(settings, memory.days if same else (), scored.total, as_of.date())
    change = compare(_standing(profile, scored, active), _earlier(settings, then, profile))
    after = replace(
        memory, version=settings.version, profile=profile.name, days=days, caps=tuple(cap.say for cap in active)
    )
    if scored.total is None:
        return _without_score(profile, scored, change), after

    mean = sum(score for _, score in days) / len(days)
    if memory.moves_at(as_of) or memory.band.band is None:
        after = replace(after, band=next_band(settings.bands, memory.band, whole(mean), as_of))
    score, band = whole(mean), after.band.band
    hits = tuple(CapHit(cap.say, cap.at_most, cap.at_most < mean) for cap in active)
    for hit in hits:
        score = min(score, hit.at_most)
        band = worse_of(band, plain_band(settings.bands, hit.at_most)) if band else None
    cause = "|".join((profile.name, str(band), *(hit.say for hit in hits if hit.binds), "", *_unknown(scored)))
    live = Shown(score, change.points, _reasons(hits, change, scored), f"{settings.version}|{cause}")
    shown = show(memory.health_shown, live, settings.publish_step)
    return Health(
        status="ok",
        profile=profile.name,
        score=shown.score,
        band=band,
        coverage=scored.coverage,
        today=scored.total,
        mean=mean,
        days=len(days),
        parts=scored.parts,
        caps=hits,
        change=change,
        points_28d=shown.change,
        reasons=shown.reasons,
    ), replace(after, health_shown=shown)


def _without_score(profile: Profile, scored: WeightedSum, change: Change) -> Health:
    reasons = one_line(["Not enough data", *_unknown(scored)])
    coverage, parts = scored.coverage, scored.parts
    return Health(
        "not_enough_data", profile.name, None, None, coverage, None, None, 0, parts, (), change, None, reasons
    )


def _profile(settings: HealthSettings, fields: Fields, before: str | None) -> Profile | None:
    """The first profile that applies. An unknown answer keeps the account in the profile it was in."""
    for profile in settings.profiles:
        applies = True if profile.applies is None else profile.applies.truth(fields)
        if applies:
            return profile
        if applies is None:
            kept = next((p for p in settings.profiles if p.name == before), None)
            if kept is not None:
                return kept
    return None


def _holds(cap: Cap, fields: Fields, before: tuple[str, ...]) -> bool:
    truth = cap.when.truth(fields)
    return cap.say in before if truth is None else truth


def _days(
    settings: HealthSettings, days: tuple[tuple[date, float], ...], today: float | None, day: date
) -> tuple[tuple[date, float], ...]:
    oldest = day - max(settings.smoothing, timedelta(days=1)) + timedelta(days=1)
    kept = tuple((d, score) for d, score in days if oldest <= d < day)
    if today is None:
        return kept + tuple((d, score) for d, score in days if d == day)
    return (*kept, (day, today))


def _standing(profile: Profile, scored: WeightedSum, caps: tuple[Cap, ...]) -> Standing:
    lowest = min(caps, key=lambda cap: cap.at_most, default=None)
    return (
        Standing(profile.name, scored) if lowest is None else Standing(profile.name, scored, lowest.say, lowest.at_most)
    )


def _earlier(settings: HealthSettings, then: Fields | None, profile: Profile) -> Standing | None:
    if then is None:
        return None
    old = _profile(settings, then, profile.name)
    if old is None or not old.scored:
        return None
    scored = weigh(score_parts(old.parts, then, worded=False), settings.min_coverage)
    return _standing(old, scored, tuple(cap for cap in settings.caps if cap.when.truth(then)))


def _reasons(hits: tuple[CapHit, ...], change: Change, scored: WeightedSum) -> str:
    """Caps first, then what moved, then the parts that cost the most points, then what is not known."""
    items = [f"{hit.say}: at most {hit.at_most}" for hit in hits if hit.binds]
    items += _moved(change)
    known = sum(part.weight for part in scored.parts if part.points is not None)
    rated = [(part, 100 * part.weight / known) for part in scored.parts if part.contribution is not None]
    rated.sort(key=lambda pair: (pair[0].contribution or 0.0) - pair[1])
    items += [f"{part.said} ({whole(part.contribution or 0.0)} of {whole(most)})" for part, most in rated]
    return one_line([*items, *_unknown(scored)])


def _moved(change: Change) -> list[str]:
    if change.points is None:
        because = change.unknown_because
        return [because[0].upper() + because[1:]] if because.startswith("profile changed") else []
    felt = [move for move in change.moves if abs(move.points) >= 0.5]
    lines = []
    moved = [f"{move.name} {signed(move.points)}" for move in felt if move.kind in {"moved", "cap"}][:3]
    if moved:
        lines.append(f"{signed(change.points)} in 28 days: {', '.join(moved)}")
    lines += [f"{move.name} no longer counted: {signed(move.points)}" for move in felt if move.kind == "left"]
    lines += [f"{move.name} now counted: {signed(move.points)}" for move in felt if move.kind == "joined"]
    return lines


def _unknown(scored: WeightedSum) -> list[str]:
    names = [part.name for part in scored.parts if part.points is None]
    return [f"Unknown: {', '.join(names)}"] if names else []
