"""Where an account was in a playbook at an earlier moment, from its decisions and what its enrollment still holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from worker.language.values import tidy
from worker.rules.enrollment import Enrollment
from worker.rules.transitions import QUEUE_EXPIRES_AFTER

PastPhase = Literal["in", "out", "queued", "unknown"]

_PHASES: Mapping[str, PastPhase] = {
    "already_matching": "in",
    "entered": "in",
    "holdout": "in",
    "queued": "queued",
    "expired": "out",
    "dropped": "out",
    "left": "out",
}
"""The events that change the phase; whether an account was pending is not stored."""


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One event of an account in a playbook, at the moment of its run."""

    as_of: datetime
    event: str
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastState:
    """Where an account was. ``entry`` is the number of the entry it was in, 0 for none or where that is not known.

    ``events`` are those since it last changed its phase.
    """

    playbook_id: str
    phase: PastPhase
    status: str
    entry: int = 0
    events: tuple[PastEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPast:
    """What is kept of a playbook's past.

    ``since``: every decision from this moment on; None: every decision there was. ``live``: by the moment of a run,
    whether the playbook was live in it, where that is known.
    """

    since: datetime | None
    live: Mapping[datetime, bool]

    def was_live(self, moment: datetime) -> bool | None:
        """Whether the newest run up to ``moment`` was live."""
        runs = [run for run in self.live if run <= moment]
        return self.live[max(runs)] if runs else None


def state_then(
    playbook_id: str, now: Enrollment, decided: Sequence[PastEvent], as_of: datetime, known: KnownPast
) -> PastState:
    """The state as of a moment. ``now`` is the enrollment of the last run, ``decided`` what was decided, oldest first.

    The decisions may be incomplete (`KnownPast`); the enrollment holds its last entries and the end of the newest.
    """
    timeline = _timeline(now, decided)
    before = [one for one in timeline if one.as_of <= as_of]
    turning = next((at for at in reversed(range(len(before))) if before[at].event in _PHASES), None)
    last, events = (None, ()) if turning is None else (before[turning], tuple(before[turning:]))
    if known.since is not None and (last is None or last.as_of < known.since):
        following = next((one.event for one in timeline if one.as_of > as_of and one.event in _PHASES), "")
        inferred = _inferred(now, last, following, as_of, known.since)
        if inferred is not None:
            phase, status = inferred
            return PastState(playbook_id=playbook_id, phase=phase, status=status, events=events)
    if last is None:
        return PastState(playbook_id=playbook_id, phase="out", status="outside")
    preview = known.live.get(last.as_of) is False
    if preview and known.was_live(as_of):
        status = "outside; before the playbook went live it was inside in the preview"
        return PastState(playbook_id=playbook_id, phase="out", status=status)
    entry = _entry(now, last)
    status = _status(last, events, entry) + (" (preview: nothing was done)" if preview else "")
    return PastState(playbook_id=playbook_id, phase=_PHASES[last.event], status=status, entry=entry, events=events)


def _inferred(
    now: Enrollment, last: PastEvent | None, following: str, as_of: datetime, since: datetime
) -> tuple[PastPhase, str] | None:
    """The phase where decisions before ``since`` are not kept; None where it is still that of the ``last`` event.

    ``following`` is the next event after ``as_of`` that changes the phase; empty when there is none. Entries are known.
    """
    was_inside = last is not None and _PHASES[last.event] == "in"
    still_inside = following == "left" or (not following and now.phase == "in")
    if was_inside and still_inside:
        return None
    if as_of < since:
        return "unknown", f"{_what_is_known(last)} is not known any more: {_pruned(since)}"
    if still_inside:
        return "in", f"inside since before {tidy(since)}: {_pruned(since)}"
    if following in {"dropped", "expired"}:
        return "queued", f"queued since before {tidy(since)}: {_pruned(since)}"
    if following in {"entered", "holdout"} and as_of < since + QUEUE_EXPIRES_AFTER:
        return "unknown", f"not inside; whether it was queued is not known any more: {_pruned(since)}"
    return ("out", f"outside since before {tidy(since)}: {_pruned(since)}") if was_inside else None


def _what_is_known(last: PastEvent | None) -> str:
    if last is None:
        return "in no entry; whether it was queued or of the baseline"
    if last.event == "left":
        return f"it left {tidy(last.as_of)}; whether it was queued after that"
    return f"it entered {tidy(last.as_of)}; when it left"


def _timeline(now: Enrollment, decided: Sequence[PastEvent]) -> list[PastEvent]:
    """What was decided, and what only the enrollment still knows."""
    entered = "holdout" if now.variant == "holdout" else "entered"
    derived = [PastEvent(moment, entered) for moment in now.entries]
    derived += [PastEvent(now.left_at, "left")] if now.left_at else []
    derived += [PastEvent(now.goal_at, "goal")] if now.goal_at else []
    derived += [PastEvent(now.queued_since, "queued")] if now.queued_since else []
    known = {(one.as_of, one.event) for one in decided}
    return sorted(
        [*decided, *(one for one in derived if (one.as_of, one.event) not in known)], key=lambda one: one.as_of
    )


def _entry(now: Enrollment, last: PastEvent) -> int:
    return now.entry - now.entries[::-1].index(last.as_of) if last.as_of in now.entries else 0


def _status(last: PastEvent, events: Sequence[PastEvent], entry: int) -> str:
    why = f": {last.because}" if last.because else ""
    match last.event:
        case "already_matching":
            return "inside since before the playbook went live: nothing was done"
        case "queued":
            return f"queued since {tidy(last.as_of)}{why}"
        case "left" | "expired" | "dropped":
            return f"outside since {tidy(last.as_of)}{why}"
    inside = f"inside since {tidy(last.as_of)}{f' (entry {entry})' if entry else ''}"
    if last.event == "holdout":
        return f"{inside}, held out: nothing was done"
    newest = {one.event: one.as_of for one in events}
    named = (("last step taken", "stepped"), ("its steps stopped", "stopped"), ("goal reached", "goal"))
    return "; ".join([f"{inside}{why}", *(f"{text} {tidy(newest[name])}" for text, name in named if name in newest)])


def _pruned(since: datetime) -> str:
    return f"decisions before {tidy(since)} are not kept"
