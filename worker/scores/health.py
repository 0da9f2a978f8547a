"""Health: how well an account does, 0–100 or unknown, with the parts and changes that explain it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from worker.language.values import Fields, Value, tidy
from worker.scores.bands import next_band, plain_band, worse_of
from worker.scores.change import UNCOMPARED, Change, ScoreBasis, compare
from worker.scores.memory import Band, BandMemory, Published, ScoreMemory, publish
from worker.scores.parts import PartScore, WeightedSum, parts_grid, rounded, score_parts, weigh
from worker.scores.result import Grid, Note
from worker.scores.wording import kept_in_crms, one_line, signed
from worker.settings.score_specs import Count, ScoreField, ScoreSpec
from worker.settings.scores_health import Cap, HealthSettings, Profile

HealthStatus = Literal["ok", "not_enough_data", "not_scored"]


@dataclass(frozen=True, slots=True)
class CapHit:
    """A cap whose condition holds; ``binds`` when it lowers the score."""

    say: str
    at_most: int
    binds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """``score`` is the smoothed mean of the last ``days`` under its caps; ``today`` is unsmoothed.

    Everything is of this moment except ``written``: the score, change and reasons for the CRM, which stay together
    until the band, a cap, the profile, what is known or the score by ``publish_step`` points changes. The
    contributions of ``parts`` add up to ``today``. ``band`` is None whenever ``score`` is.
    """

    status: HealthStatus
    profile: str | None = None
    score: int | None = None
    band: Band | None = None
    coverage: float = 0.0
    today: float | None = None
    mean: float | None = None
    days: int = 0
    parts: tuple[PartScore, ...] = ()
    caps: tuple[CapHit, ...] = ()
    change: Change = UNCOMPARED
    reasons: str = ""
    written: Published | None = None

    def fields(self) -> dict[str, Value]:
        """The values of the fields of `SPEC`."""
        return {
            "health.score": self.score,
            "health.band": self.band,
            "health.status": self.status,
            "health.coverage": round(self.coverage, 4),
            "health.change_28d": self.change.points,
            "health.reasons": self.reasons or None,
            "health.profile": self.profile,
        }

    def kept_fields(self) -> dict[str, Value]:
        """The fields whose value in the CRM is `written`."""
        if self.written is None:
            return {}
        return {
            "health.score": self.written.score,
            "health.change_28d": self.written.change,
            "health.reasons": self.written.reasons or None,
        }

    def explained(self) -> Iterator[Note | Grid]:
        """The score, its parts, its caps, and what moved it in 28 days."""
        score = "no score" if self.score is None else f"{self.score} ({self.band})"
        words = f"{score} · {self.status.replace('_', ' ')} · profile {self.profile or 'none'}"
        yield Note(f"{words} · {self.coverage:.0%} of the weight is known")
        if self.mean is not None and self.today is not None:
            mean = f"the score is the mean of the last {self.days} days: {self.mean:.1f}"
            yield Note(f"today {self.today:.1f}; {mean}")
        if self.written is not None and self.written.score != self.score:
            yield Note(kept_in_crms(self.written.score))
        if self.parts:
            yield parts_grid(self.parts)
        for cap in self.caps:
            yield Note(f"capped at {cap.at_most}: {cap.say}" + ("" if cap.binds else " (does not bind)"), "yellow")
        yield Note(f"change since 28 days ago: {self.change.said()}")


NOT_SCORED = Health(status="not_scored")


def score_health(
    settings: HealthSettings, now: Fields, then: Fields | None, memory: ScoreMemory, as_of: datetime
) -> tuple[Health, ScoreMemory]:
    """Health as of one moment, and the memory for the next.

    ``then`` is the same account 28 days earlier. The caller keeps the old memory when time went backwards.
    """
    profile = _profile(settings, now, memory.profile)
    if profile is None:
        return replace(NOT_SCORED, status="not_enough_data"), memory
    if not profile.scored:
        return replace(NOT_SCORED, profile=profile.name), replace(memory, profile=profile.name)
    scored = weigh(score_parts(profile.parts, now), settings.min_coverage)
    active = tuple(cap for cap in settings.caps if _holds(cap, now, memory.caps))
    days = _days(settings, memory, profile, scored.total, as_of.date())
    change = compare(_basis(profile, scored, active), _earlier(settings, then, profile))
    after = replace(
        memory, version=settings.version, profile=profile.name, days=days, caps=tuple(cap.say for cap in active)
    )
    if scored.total is None:
        return _without_score(profile, scored, change), after

    mean = sum(score for _, score in days) / len(days)
    after = replace(after, band=_band(settings, memory, mean, as_of))
    hits = tuple(CapHit(cap.say, cap.at_most, cap.at_most < mean) for cap in active)
    score, band = _capped(settings, rounded(mean), after.band.band, hits)
    cause = "|".join((profile.name, str(band), *(hit.say for hit in hits if hit.binds), "", *_unknown(scored)))
    live = Published(score, change.points, _reasons(hits, change, scored), f"{settings.version}|{cause}")
    written = publish(memory.published.get("health"), live, settings.publish_step)
    return Health(
        status="ok",
        profile=profile.name,
        score=score,
        band=band,
        coverage=scored.coverage,
        today=scored.total,
        mean=mean,
        days=len(days),
        parts=scored.parts,
        caps=hits,
        change=change,
        reasons=live.reasons,
        written=written,
    ), replace(after, published={**memory.published, "health": written})


def _band(settings: HealthSettings, memory: ScoreMemory, mean: float, as_of: datetime) -> BandMemory:
    if memory.band.band is not None and not memory.moves_at(as_of):
        return memory.band
    new_day = memory.as_of is None or memory.as_of.date() < as_of.date()
    return next_band(settings.bands, memory.band, rounded(mean), as_of, new_day=new_day)


def _capped(
    settings: HealthSettings, score: int, band: Band | None, hits: tuple[CapHit, ...]
) -> tuple[int, Band | None]:
    for hit in hits:
        score = min(score, hit.at_most)
        band = worse_of(band, plain_band(settings.bands, hit.at_most)) if band else None
    return score, band


def _without_score(profile: Profile, scored: WeightedSum, change: Change) -> Health:
    reasons = one_line(["Not enough data", *_unknown(scored)])
    return Health(
        status="not_enough_data",
        profile=profile.name,
        coverage=scored.coverage,
        parts=scored.parts,
        change=change,
        reasons=reasons,
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
    settings: HealthSettings, memory: ScoreMemory, profile: Profile, today: float | None, day: date
) -> tuple[tuple[date, float], ...]:
    """The unsmoothed scores that the mean is made of; other settings or another profile start again."""
    same = memory.version == settings.version and memory.profile == profile.name
    days = memory.days if same else ()
    oldest = day - max(settings.smoothing, timedelta(days=1)) + timedelta(days=1)
    kept = tuple((d, score) for d, score in days if oldest <= d < day)
    if today is None:
        return kept + tuple((d, score) for d, score in days if d == day)
    return (*kept, (day, today))


def _basis(profile: Profile, scored: WeightedSum, caps: tuple[Cap, ...]) -> ScoreBasis:
    lowest = min(caps, key=lambda cap: cap.at_most, default=None)
    return (
        ScoreBasis(profile.name, scored)
        if lowest is None
        else ScoreBasis(profile.name, scored, lowest.say, lowest.at_most)
    )


def _earlier(settings: HealthSettings, then: Fields | None, profile: Profile) -> ScoreBasis | None:
    if then is None:
        return None
    old = _profile(settings, then, profile.name)
    if old is None or not old.scored:
        return None
    scored = weigh(score_parts(old.parts, then, worded=False), settings.min_coverage)
    return _basis(old, scored, tuple(cap for cap in settings.caps if cap.when.truth(then)))


def _reasons(hits: tuple[CapHit, ...], change: Change, scored: WeightedSum) -> str:
    """Caps first, then what moved, then the parts that cost the most points, then what is not known."""
    items = [f"{hit.say}: at most {hit.at_most}" for hit in hits if hit.binds]
    items += _moved(change)
    known = sum(part.weight for part in scored.parts if part.points is not None)
    rated = [(part, 100 * part.weight / known) for part in scored.parts if part.contribution is not None]
    rated.sort(key=lambda pair: (pair[0].contribution or 0.0) - pair[1])
    items += [f"{part.said} ({rounded(part.contribution or 0.0)} of {rounded(most)})" for part, most in rated]
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


SPEC = ScoreSpec(
    name="health",
    label="Health",
    about="The health score.",
    settings=HealthSettings,
    fields=(
        ScoreField(name="health.score", label="Health score", unit="points", history=True),
        ScoreField(
            name="health.band",
            label="Health band",
            kind="text",
            values=("red", "yellow", "green"),
            worst_first=("red", "yellow", "green"),
            history=True,
        ),
        ScoreField(
            name="health.status",
            label="Health status",
            kind="text",
            values=("ok", "not_enough_data", "not_scored"),
            history=True,
        ),
        ScoreField(name="health.coverage", label="Known weight of health", unit="share"),
        ScoreField(
            name="health.change_28d", label="Change of health in 28 days", unit="points", change_of="health.score"
        ),
        ScoreField(name="health.reasons", label="Reasons of the health score", kind="text"),
        ScoreField(name="health.profile", label="Health profile", kind="text"),
    ),
    score=score_health,
    unknown=NOT_SCORED,
    rank_field="health.score",
    rank="lowest",
    counts=(
        Count(key="health", field="health.band", first=("green", "yellow", "red"), other_values=False),
        Count(key="health_status", field="health.status", hidden=("ok",)),
    ),
    why=lambda fields: tidy(fields.get("health.reasons") or fields.get("health.status") or ""),
)
