"""What the scores of one account must remember between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Literal

Band = Literal["red", "yellow", "green"]
_PUBLISHED = "_shown"
_READ_BEFORE = ("health_shown", "pql_shown")
"""What a worker of the version before needs to find in the JSON."""

PqlState = Literal["none", "open", "working", "converted", "disqualified", "expired"]


@dataclass(frozen=True, slots=True)
class BandMemory:
    """The band in force and the streak of runs that asked for another one."""

    band: Band | None = None
    wanted: Band | None = None
    runs: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What was last published of a score. ``because_of`` is everything else that calls for publishing it again."""

    score: int
    change: int | None
    reasons: str
    because_of: str


def publish(before: Published | None, now: Published, step: int) -> Published:
    """What to publish: the earlier score, change and reasons together, until something worth a CRM write happens.

    That is a score or change that moved by at least ``step`` points, or a difference in ``because_of``.
    """
    if before is None or before.because_of != now.because_of or abs(before.score - now.score) >= step:
        return now
    if (before.change is None) != (now.change is None) or abs((before.change or 0) - (now.change or 0)) >= 2 * step:
        return now
    return before


@dataclass(frozen=True, slots=True, kw_only=True)
class PqlMemory:
    """The state machine of one account's PQL.

    ``pending_since`` and ``off_since`` are running clocks; ``hand_raised`` and ``worked`` are the last known
    answers of their conditions, so that only a new yes counts; ``reason`` is the last disqualification reason
    seen in the CRM and ``fit_grade`` the grade it was given at. ``touched_at``: when a person last worked on it, which
    shows in ``touch``, the values that ``working_when`` reads.
    """

    state: PqlState = "none"
    since: datetime | None = None
    entered_at: datetime | None = None
    pending_since: datetime | None = None
    off_since: datetime | None = None
    hand_raised: bool = False
    worked: bool = False
    reason: str | None = None
    fit_grade: str | None = None
    touched_at: datetime | None = None
    touch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreMemory:
    """One account's memory: handed to `score_account`, replaced by what it returns.

    ``days`` are unsmoothed health scores by UTC day, newest last; ``milestones`` when each was first seen done.
    ``published`` is by score. ``own`` holds, by score, plain JSON of a score that has no attribute here.
    """

    as_of: datetime | None = None
    version: str = ""
    profile: str | None = None
    days: tuple[tuple[date, float], ...] = ()
    band: BandMemory = field(default_factory=BandMemory)
    caps: tuple[str, ...] = ()
    milestones: tuple[tuple[str, datetime], ...] = ()
    pql: PqlMemory = field(default_factory=PqlMemory)
    published: Mapping[str, Published] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)

    def only_milestones(self, as_of: datetime) -> ScoreMemory:
        """The milestones that were done by a moment, which stay done, and nothing else."""
        return ScoreMemory(milestones=tuple((name, when) for name, when in self.milestones if when <= as_of))

    def moves_at(self, as_of: datetime) -> bool:
        """True when ``as_of`` is later than everything remembered: only then counters and clocks advance."""
        return self.as_of is None or as_of > self.as_of

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {
            "as_of": _text(self.as_of),
            "version": self.version,
            "profile": self.profile,
            "days": [[day.isoformat(), score] for day, score in self.days],
            "band": {
                "band": self.band.band,
                "wanted": self.band.wanted,
                "runs": self.band.runs,
                "since": _text(self.band.since),
            },
            "caps": list(self.caps),
            "milestones": [[name, _text(when)] for name, when in self.milestones],
            "pql": {
                "state": self.pql.state,
                "since": _text(self.pql.since),
                "entered_at": _text(self.pql.entered_at),
                "pending_since": _text(self.pql.pending_since),
                "off_since": _text(self.pql.off_since),
                "hand_raised": self.pql.hand_raised,
                "worked": self.pql.worked,
                "reason": self.pql.reason,
                "fit_grade": self.pql.fit_grade,
                **({"touched_at": _text(self.pql.touched_at), "touch": self.pql.touch} if self.pql.touched_at else {}),
            },
            **dict.fromkeys(_READ_BEFORE),
            **{f"{name}{_PUBLISHED}": asdict(one) for name, one in self.published.items()},
            "own": dict(self.own),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ScoreMemory:
        """The inverse of `to_json`. Raises KeyError or ValueError on anything else."""
        band, pql = data["band"], data["pql"]
        return cls(
            as_of=_moment(data["as_of"]),
            version=data["version"],
            profile=data["profile"],
            days=tuple((date.fromisoformat(day), float(score)) for day, score in data["days"]),
            band=BandMemory(band["band"], band["wanted"], band["runs"], _moment(band["since"])),
            caps=tuple(data["caps"]),
            milestones=tuple((name, datetime.fromisoformat(when)) for name, when in data["milestones"]),
            pql=PqlMemory(
                state=pql["state"],
                since=_moment(pql["since"]),
                entered_at=_moment(pql["entered_at"]),
                pending_since=_moment(pql["pending_since"]),
                off_since=_moment(pql["off_since"]),
                hand_raised=pql["hand_raised"],
                worked=pql["worked"],
                reason=pql["reason"],
                fit_grade=pql["fit_grade"],
                touched_at=_moment(pql.get("touched_at")),
                touch=pql.get("touch", ""),
            ),
            published={
                name.removesuffix(_PUBLISHED): Published(**one)
                for name, one in data.items()
                if name.endswith(_PUBLISHED) and one
            },
            own=data.get("own", {}),
        )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
