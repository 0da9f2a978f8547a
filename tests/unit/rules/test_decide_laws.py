"""Promises that hold for every playbook of flags and every course of events."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rules.playbook_stage import START, TASK, Stage, flags
from worker.language.values import Value
from worker.rules.actions import MakeTask
from worker.rules.context import PlaybookRun
from worker.rules.enrollment import Enrollment

ACCOUNTS = ("acme", "beta", "gamma")
TRUTH = st.sampled_from([True, True, False, None])

steps = st.sampled_from(
    [
        [{"create_task": TASK}],
        [{"set_fields": {"x": "{{playbook.matched}}"}}, {"create_task": {**TASK, "close_when_leaves": True}}],
        [{"create_task": TASK}, {"wait": "1bd"}, {"create_task": {**TASK, "key": "again"}}],
        [
            {"create_task": TASK},
            {"wait": "20h"},
            {"if": "b is true", "then": [{"create_task": {**TASK, "key": "again"}}], "else": [{"wait": "2d"}]},
            {"create_task": {**TASK, "key": "last", "if_open_task": "create"}},
        ],
    ]
)
repeats = st.sampled_from([{}, {"wait": "2d"}, {"at_most": "2 per 9d"}, {"wait": "3d", "at_most": "1 per 8d"}])


@st.composite
def playbooks(draw: st.DrawFn) -> dict[str, Any]:
    when = {"enters": "e is true", "for": draw(st.sampled_from([None, "1d", "30h", "2 runs"]))}
    limits = {"per_run": draw(st.sampled_from([None, 1, 2])), "per_owner": draw(st.sampled_from([None, "1 per day"]))}
    return {
        "when": when,
        "limits": limits,
        "repeat": {**draw(repeats), "already_matching": draw(st.sampled_from(["ignore", "include"]))},
        "do": draw(steps),
        "leaves": draw(st.sampled_from(["l is true", None])),
        "goal": {"when": "b is true", "within": "4d"},
        "holdout": draw(st.sampled_from([0, 0.5])),
    }


def facts() -> st.SearchStrategy[dict[str, dict[str, Value]]]:
    owners = st.sampled_from(["ann@example.com", "bob@example.com", None])
    usual = st.sampled_from([(True, True, False), (True, False, True)])  # matching, and leaving
    results = st.one_of(usual, usual, st.tuples(TRUTH, TRUTH, TRUTH))
    one = st.builds(lambda three, b, owner: flags(*three, b=b, owner=owner), results, TRUTH, owners)
    return st.fixed_dictionaries(dict.fromkeys(ACCOUNTS, one))


courses = st.lists(st.tuples(st.integers(1, 60), facts()), min_size=1, max_size=14)


def made(run: PlaybookRun) -> list[MakeTask]:
    return [action for one in run.decisions for action in one.actions if isinstance(action, MakeTask)]


@settings(max_examples=40)
@given(playbooks(), courses, st.booleans())
def test_no_task_is_made_twice_whatever_happens(
    changes: dict[str, Any], course: list[tuple[int, dict[str, dict[str, Value]]]], before: bool
) -> None:
    on, hours, keys = Stage(before=before, **changes), 0, Counter[str]()
    for gap, accounts in course:
        hours += gap
        keys.update(task.key for task in made(on.run(hours / 24, accounts)))
    assert all(count == 1 for count in keys.values())


@settings(max_examples=40)
@given(playbooks(), courses, st.booleans())
def test_a_run_applied_twice_is_a_run_applied_once(
    changes: dict[str, Any], course: list[tuple[int, dict[str, dict[str, Value]]]], before: bool
) -> None:
    on, hours = Stage(before=before, **changes), 0
    for gap, accounts in course:
        hours += gap
        first = on.run(hours / 24, accounts)
        stored = dict(on.stored)
        on.history.pop()
        again = on.run(hours / 24, accounts)
        assert again.decisions == ()
        assert on.stored == stored
        assert {**again.counts, "blocked_missing": 0} == {**first.counts, "blocked_missing": 0}


@settings(max_examples=40)
@given(playbooks(), courses)
def test_unknown_moves_nobody(changes: dict[str, Any], course: list[tuple[int, dict[str, dict[str, Value]]]]) -> None:
    on, hours = Stage(**changes), 0
    for gap, accounts in course:
        hours += gap
        on.run(hours / 24, accounts)
        phases = [on.phase(account) for account in ACCOUNTS]
        blank = {account: flags(None, None, None, b=None) for account in ACCOUNTS}
        hours += gap
        run = on.run(hours / 24, blank)
        assert [on.phase(account) for account in ACCOUNTS] == phases
        assert all(one.event == "stepped" for one in run.decisions)  # a wait that was begun on what was known


@settings(max_examples=40)
@given(playbooks(), courses)
def test_entries_keep_to_the_repeat_limits(
    changes: dict[str, Any], course: list[tuple[int, dict[str, dict[str, Value]]]]
) -> None:
    on, hours = Stage(**changes), 0
    entries: dict[str, list[datetime]] = {account: [] for account in ACCOUNTS}
    for gap, accounts in course:
        hours += gap
        for one in on.run(hours / 24, accounts).decisions:
            if one.event in {"entered", "holdout"}:
                entries[one.account_id].append(START + timedelta(hours=hours))
    repeat = on.playbook.repeat
    for times in entries.values():
        if repeat.once:
            assert len(times) <= 1
        for index, moment in enumerate(times):
            if repeat.wait is not None and index:
                assert moment - times[index - 1] >= timedelta(days=repeat.wait.n)
            if repeat.at_most is not None:
                recent = [one for one in times[: index + 1] if one > moment - timedelta(days=repeat.at_most.days)]
                assert len(recent) <= repeat.at_most.n


@settings(max_examples=40)
@given(playbooks(), courses)
def test_no_run_goes_beyond_its_limits_and_only_those_inside_hold_fields(
    changes: dict[str, Any], course: list[tuple[int, dict[str, dict[str, Value]]]]
) -> None:
    on, hours = Stage(**changes), 0
    for gap, accounts in course:
        hours += gap
        run = on.run(hours / 24, accounts)
        entered = [one for one in run.decisions if one.event == "entered"]
        limits = on.playbook.limits
        assert limits.per_run is None or len(entered) <= limits.per_run
        if limits.per_owner is not None:
            firsts = [action for one in entered for action in one.actions if isinstance(action, MakeTask)]
            owners = Counter(accounts[task.account_id]["owner"] for task in firsts)
            assert all(count <= limits.per_owner.n for owner, count in owners.items() if owner)
        for member in on.enrollments().values():
            assert member.phase == "in" or not member.fields_set
            assert member.variant == "treated" or not member.fields_set


@given(
    st.builds(
        Enrollment,
        phase=st.sampled_from(["out", "pending", "queued", "in"]),
        live=st.booleans(),
        can_retrigger=st.booleans(),
        last_truth=st.sampled_from([True, False, None]),
        matched_s=st.integers(0, 10**9),
        entries=st.lists(st.datetimes(timezones=st.just(UTC)), max_size=3).map(tuple),
        next_step_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        step=st.integers(-1, 9),
        step_key=st.text(max_size=5),
        taken=st.lists(st.text(max_size=5), max_size=3).map(tuple),
        fields_set=st.dictionaries(
            st.text(max_size=5),
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(),
                st.floats(allow_nan=False),
                st.text(max_size=9),
                st.dates(),
                st.datetimes(timezones=st.just(UTC)),
                st.sampled_from(["2026-01-01", date(2026, 1, 1)]),
            ),
            max_size=3,
        ),
        last_events=st.lists(st.sampled_from(["entered", "holdout", "left"]), max_size=2).map(tuple),
    )
)
def test_an_enrollment_survives_json(member: Enrollment) -> None:
    back = Enrollment.from_json(json.loads(json.dumps(member.to_json())))
    assert back == member
    assert [type(value) for value in back.fields_set.values()] == [type(value) for value in member.fields_set.values()]


def test_an_enrollment_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert Enrollment.from_json({"phase": "in", "invented": 3}) == Enrollment(phase="in")


def test_an_enrollment_is_stored_under_the_names_that_workers_of_the_version_before_read() -> None:
    stored = {"arm": "held_out", "armed": False, "held_s": 7, "last_events": ["matched", "held_out"]}
    read = Enrollment(variant="holdout", can_retrigger=False, matched_s=7, last_events=("matched", "holdout"))
    assert read.to_json() == stored
    assert Enrollment.from_json(stored) == read
    assert Enrollment(variant="baseline").to_json() == {"arm": "noted"}
    assert Enrollment.from_json({"arm": "noted"}).variant == "baseline"
    assert Enrollment.from_json(Enrollment(matched="holdout").to_json()).matched == "holdout"
