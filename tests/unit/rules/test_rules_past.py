"""Where an account was in a playbook, from whatever is still kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import some_of
from tests.unit.rules.playbook_stage import START, TASK, Stage, flags
from worker.rules.enrollment import Enrollment
from worker.rules.past import KnownPast, PastEvent, PastState, state_then


def day(number: float) -> datetime:
    return START + timedelta(days=number)


ALL = KnownPast(since=None, live={})


def then(now: Enrollment, events: Sequence[tuple[float, str]], at: float, known: KnownPast = ALL) -> PastState:
    decided = [PastEvent(day(number), event, f"why {event}") for number, event in events]
    return state_then("flags", now, decided, day(at), known)


FIRST = "inside since 2026-03-03 05:00 UTC (entry 1): why entered"
TWICE = [(1, "entered"), (2, "stepped"), (3, "goal"), (4, "left"), (6, "queued"), (7, "entered")]
INSIDE = Enrollment(phase="in", variant="treated", entry=2, entries=(day(1), day(7)), entered_at=day(7))


@pytest.mark.parametrize(
    ("at", "phase", "status"),
    [
        (0.5, "out", "outside"),
        (1, "in", FIRST),
        (3.5, "in", f"{FIRST}; last step taken 2026-03-04 05:00 UTC; goal reached 2026-03-05 05:00 UTC"),
        (5, "out", "outside since 2026-03-06 05:00 UTC: why left"),
        (6, "queued", "queued since 2026-03-08 05:00 UTC: why queued"),
        (9, "in", "inside since 2026-03-09 05:00 UTC (entry 2): why entered"),
    ],
)
def test_an_account_that_left_and_entered_again_was_where_its_decisions_say(at: float, phase: str, status: str) -> None:
    state = then(INSIDE, TWICE, at)
    assert (state.phase, state.status) == (phase, status)


def test_the_events_are_those_of_the_entry_of_then() -> None:
    state = then(INSIDE, TWICE, 3.5)
    assert [one.event for one in state.events] == ["entered", "stepped", "goal"]
    assert (state.entry, then(INSIDE, TWICE, 5).entry, then(INSIDE, TWICE, 9).entry) == (1, 0, 2)


def test_other_ends_and_variants() -> None:
    baseline = Enrollment(phase="in", variant="baseline")
    assert then(baseline, [(1, "already_matching")], 2).status == (
        "inside since before the playbook went live: nothing was done"
    )
    held = Enrollment(phase="in", variant="holdout", entry=1, entries=(day(1),), entered_at=day(1))
    assert then(held, [], 2).status == "inside since 2026-03-03 05:00 UTC (entry 1), held out: nothing was done"
    assert then(Enrollment(), [(1, "queued"), (2, "expired")], 3).status.startswith("outside since 2026-03-04")
    stopped = then(Enrollment(phase="in"), [(1, "entered"), (2, "stopped")], 3)
    assert stopped.status == ("inside since 2026-03-03 05:00 UTC: why entered; its steps stopped 2026-03-04 05:00 UTC")


PRUNED = KnownPast(since=day(8), live={})
LEFT = Enrollment(phase="out", variant="treated", entry=1, entries=(day(1),), left_at=day(4), goal_at=day(3))


@pytest.mark.parametrize(
    ("now", "events", "at", "phase", "says"),
    [
        (INSIDE, [], 9, "in", "inside since 2026-03-09 05:00 UTC (entry 2)"),
        (INSIDE, [], 7.5, "in", "inside since 2026-03-09 05:00 UTC (entry 2)"),
        (INSIDE, [], 5, "unknown", "it entered 2026-03-03 05:00 UTC; when it left is not known any more: decisions"),
        (INSIDE, [], 0.5, "unknown", "decisions before 2026-03-10 05:00 UTC are not kept"),
        (LEFT, [], 3.5, "in", "(entry 1); goal reached 2026-03-05 05:00 UTC"),
        (LEFT, [], 5, "unknown", "it left 2026-03-06 05:00 UTC; whether it was queued after that is not known"),
        (LEFT, [], 8, "out", "outside since 2026-03-06 05:00 UTC"),
        (Enrollment(phase="queued", queued_since=day(7)), [], 8, "queued", "queued since 2026-03-09 05:00 UTC"),
        (Enrollment(), [(9, "dropped")], 8.5, "queued", "queued since before 2026-03-10 05:00 UTC"),
        (INSIDE, [(9, "left"), (9.5, "entered")], 8.5, "in", "inside since 2026-03-09 05:00 UTC (entry 2)"),
        (Enrollment(), [(9, "entered")], 8.5, "unknown", "not inside; whether it was queued is not known any more"),
        (Enrollment(), [(19, "entered")], 18, "out", "outside"),
        (Enrollment(phase="in", variant="baseline"), [], 8.5, "in", "inside since before 2026-03-10 05:00 UTC"),
        (Enrollment(entries=(day(1), day(40))), [], 20, "out", "outside since before 2026-03-10 05:00 UTC"),
        (INSIDE, [(5, "left")], 2, "in", "inside since 2026-03-03 05:00 UTC (entry 1)"),
        (Enrollment(), [], 9, "out", "outside"),
        (Enrollment(phase="pending", entries=(day(1),)), [], 2, "unknown", "when it left is not known any more"),
    ],
)
def test_what_was_pruned_is_known_from_the_enrollment_or_said_to_be_unknown(
    now: Enrollment, events: list[tuple[float, str]], at: float, phase: str, says: str
) -> None:
    state = then(now, events, at, PRUNED)
    assert (state.phase, says in state.status) == (phase, True), state.status


def test_an_entry_of_a_preview_ends_when_the_playbook_goes_live() -> None:
    known = KnownPast(since=None, live={day(1): False, day(2): False, day(3): True})
    assert then(Enrollment(), [(1, "entered")], 2.5, known).status.endswith("(preview: nothing was done)")
    assert then(Enrollment(), [(1, "entered")], 3, known).phase == "out"
    assert then(Enrollment(), [(1, "entered")], 3, KnownPast(since=None, live={day(1): False})).phase == "in"
    assert known.was_live(day(0)) is None


truths = st.tuples(st.sampled_from([True, True, False, None]), st.booleans())


@settings(max_examples=some_of(150))
@given(st.lists(truths, min_size=2, max_size=14), st.integers(0, 13), st.booleans(), st.booleans())
def test_the_past_is_what_it_was_or_not_known(
    course: list[tuple[bool | None, bool]], cut: int, limited: bool, waits: bool
) -> None:
    do: list[dict[str, Any]] = [{"create_task": TASK}, {"wait": "1d"}, {"create_task": {**TASK, "key": "b"}}]
    limits = {"per_owner": "1 per day"} if limited else {}
    on = Stage(do=do if waits else do[:1], limits=limits)
    phases: list[str] = []
    decided: list[PastEvent] = []
    for number, (enters, leaves) in enumerate(course):
        facts = flags(True, enters, leaves, owner="ann@example.com")
        run = on.run(number, {"acme": facts}, tasks_today={"ann@example.com": 1} if number % 3 else {})
        decided += [PastEvent(day(number), one.event, one.because) for one in run.decisions]
        phases.append(on.phase())
    now = on.enrollments().get("acme", Enrollment())
    kept = [one for one in decided if one.as_of >= day(cut)]
    for known, events in ((ALL, decided), (KnownPast(since=day(cut), live={}), kept)):
        for number, phase in enumerate(phases):
            state = state_then("flags", now, events, day(number + 0.5), known)
            usual = "out" if phase == "pending" else phase
            assert state.phase in ({usual} if known is ALL else {usual, "unknown"}), (number, phase, state)
            assert state.phase != "unknown" or number < cut + 7
