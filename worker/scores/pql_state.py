"""The life of a product-qualified lead: open, working, converted, disqualified, expired, and back again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.scores.memory import PqlMemory, PqlState
from worker.settings.scores_pql import PqlSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PqlInputs:
    """What one run knows of one account. None is unknown and never moves anything.

    Clocks run out only for accounts known not to pay.
    """

    score: int | None
    fit: int | None
    fit_grade: str | None
    hand_raised: bool | None
    converted: bool | None
    worked: bool | None
    touch: str
    reason: str | None
    reason_cleared: bool
    age: timedelta | None


def next_state(settings: PqlSettings, memory: PqlMemory, seen: PqlInputs, as_of: datetime, *, first: bool) -> PqlMemory:
    """The state after one more run at a later ``as_of``. ``first``: this account was never scored before."""
    new_hand = bool(seen.hand_raised) and not memory.hand_raised
    moved = _step(settings, memory, seen, as_of, new_hand=new_hand, first=first)
    return replace(
        moved,
        hand_raised=memory.hand_raised if seen.hand_raised is None else seen.hand_raised,
        worked=memory.worked if seen.worked is None else seen.worked,
        reason=seen.reason or (None if seen.reason_cleared else memory.reason),
    )


def _step(
    settings: PqlSettings, memory: PqlMemory, seen: PqlInputs, as_of: datetime, *, new_hand: bool, first: bool
) -> PqlMemory:
    if memory.state == "converted":
        return memory
    if seen.converted:
        # Only what once was a PQL can convert; an account that simply pays never becomes one.
        return (
            replace(PqlMemory(), entered_at=memory.entered_at)
            if memory.state == "none"
            else _enter(memory, "converted", as_of)
        )
    if memory.state in {"open", "working"}:
        return _while_active(settings, memory, seen, as_of)
    rested = seen.converted is False and _cooled_down(settings, memory, seen, as_of)
    if memory.state != "none" and not new_hand and not rested:
        return memory
    resting = memory if memory.state == "none" else _enter(memory, "none", as_of)
    return _while_resting(settings, resting, seen, as_of, new_hand=new_hand, first=first)


def _while_resting(
    settings: PqlSettings, memory: PqlMemory, seen: PqlInputs, as_of: datetime, *, new_hand: bool, first: bool
) -> PqlMemory:
    if new_hand and seen.converted is False:
        return replace(_enter(memory, "open", as_of), entered_at=as_of)
    if seen.score is None or seen.fit is None or seen.converted is None:
        return memory
    if seen.score < settings.opens_at or seen.fit < settings.fit.gate:
        return replace(memory, pending_since=None)
    pending = replace(memory, pending_since=memory.pending_since or as_of)
    # Nothing was measured before the first run: an account older than the hold has very likely held it.
    grown = first and seen.age is not None and seen.age >= settings.hold
    if grown or as_of - (pending.pending_since or as_of) >= settings.hold:
        return replace(_enter(pending, "open", as_of), entered_at=as_of)
    return pending


def _while_active(settings: PqlSettings, memory: PqlMemory, seen: PqlInputs, as_of: datetime) -> PqlMemory:
    if seen.reason is not None and seen.reason != memory.reason:
        return replace(_enter(memory, "disqualified", as_of), fit_grade=seen.fit_grade)
    waits = settings.cool_downs
    if memory.state == "working" and memory.touched_at is None and seen.worked is False:
        # Stored by a release that took our own closing of a task for work by a person.
        memory = replace(memory, state="open")
    if memory.state == "working" or (seen.worked and not memory.worked):
        return _while_working(memory, seen, as_of, waits.working)
    off_since = memory.off_since
    if seen.score is not None:
        off = seen.score < settings.closes_below and not seen.hand_raised
        off_since = (off_since or as_of) if off else None
    untouched = memory.since is not None and as_of - memory.since >= waits.untouched
    cold = seen.score is not None and off_since is not None and as_of - off_since >= waits.cold
    if seen.converted is False and (untouched or cold):
        return _enter(memory, "expired", as_of)
    return replace(memory, off_since=off_since)


def _while_working(memory: PqlMemory, seen: PqlInputs, as_of: datetime, longest: timedelta) -> PqlMemory:
    """A new PQL to work on, another touch of it, or its end after so long without one."""
    if memory.state == "open":
        return replace(_enter(memory, "working", as_of), touched_at=as_of, touch=seen.touch)
    touched_at = memory.touched_at or memory.since
    if seen.worked and seen.touch != memory.touch:
        # The first run that records touches does not know the one before: it counts from where the state began.
        touched_at = as_of if memory.touch else touched_at
    if seen.converted is False and touched_at is not None and as_of - touched_at >= longest:
        return _enter(memory, "expired", as_of)
    return replace(memory, touched_at=touched_at, touch=seen.touch if seen.worked else memory.touch)


def _cooled_down(settings: PqlSettings, memory: PqlMemory, seen: PqlInputs, as_of: datetime) -> bool:
    waited = as_of - (memory.since or as_of)
    if memory.state == "expired":
        return waited >= settings.cool_downs.expired
    if (memory.reason or "").strip().casefold() in settings.bad_fit:
        return seen.fit_grade is not None and seen.fit_grade != memory.fit_grade
    return waited >= settings.cool_downs.disqualified


def _enter(memory: PqlMemory, state: PqlState, as_of: datetime) -> PqlMemory:
    return replace(memory, state=state, since=as_of, pending_since=None, off_since=None)
