"""An account that waits in a playbook goes on at the same step after an edit, and no step is taken twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import some_of
from tests.unit.rules.playbook_stage import START, TASK, Stage, flags, make_playbook
from worker.rules.actions import MakeTask
from worker.rules.context import PlaybookRun
from worker.rules.explain import explain
from worker.rules.program import compile_steps

Step = dict[str, Any]
NEW_NAMES = ("step_key", "step_after", "taken")
"""What workers of 0.1.0 neither read nor store."""


def task(key: str) -> Step:
    return {"create_task": {**TASK, "key": key}}


def wait(length: str, key: str | None = None) -> Step:
    return {"wait": length, **({"key": key} if key else {})}


def keys(run: PlaybookRun) -> list[str]:
    actions = (action for one in run.decisions for action in one.actions)
    return [action.task_key for action in actions if isinstance(action, MakeTask)]


def stage(do: Sequence[Step], **context: Any) -> Stage:
    on = Stage(do=list(do))
    on.run(0, {"acme": flags(**context)})
    return on


def edit(on: Stage, do: Sequence[Step]) -> None:
    on.playbook = make_playbook(do=list(do))


def as_stored_by_0_1_0(on: Stage) -> None:
    for state in on.stored.values():
        for name in NEW_NAMES:
            state.pop(name, None)


PAUSE = [task("call"), wait("5d"), task("again")]


@pytest.mark.parametrize(
    "edited",
    [
        [{"set_fields": {"x": 1}}, *PAUSE],
        [task("call"), task("more"), wait("5d"), task("again")],
        [wait("1d"), task("more"), *PAUSE],
        [{"create_task": {**TASK, "subject": "Ring"}}, wait("5d"), task("again")],
        [wait("5d"), task("again")],
        [{"if": "worse is true", "then": [task("call"), wait("5d")]}, task("again")],
        [task("call"), wait("5d", key="pause"), task("again")],
        [{"set_fields": {"x": 1}}, task("call"), wait("5d", key="pause"), task("again")],
        [task("call"), wait("9d"), task("again")],  # another length: it waits as long as it was to
        [wait("5d"), task("call"), task("again")],  # the call is made: not twice
        [{"set_fields": {"x": 1}}, task("call"), wait("5d"), {"if": "worse is true", "then": [task("again")]}],
    ],
)
def test_who_waits_goes_on_after_an_edit_elsewhere_and_no_sooner(edited: list[Step]) -> None:
    on = stage(PAUSE)
    edit(on, edited)
    assert keys(on.run(4.7, {"acme": flags(worse=True)})) == []
    assert on.enrollments()["acme"].next_step_at == START.replace(hour=0) + timedelta(days=5)
    assert keys(on.run(5, {"acme": flags(worse=True)})) == ["again"]


def test_a_key_is_found_wherever_its_step_went_and_whatever_it_says_now() -> None:
    on = stage([task("call"), wait("5d", key="pause"), task("again"), task("last")])
    edit(on, [task("last"), wait("1d"), task("new"), wait("2d", key="pause"), task("again")])
    run = on.run(1, {"acme": flags()})
    assert [(one.key, one.at, one.due) for one in run.placements] == [
        ("pause", "pause", START.replace(hour=0) + timedelta(days=5))
    ]
    assert keys(on.run(5, {"acme": flags()})) == ["again"]


@pytest.mark.parametrize(
    ("do", "edited", "key"),
    [
        (PAUSE, [task("call"), task("again")], "wait 5d"),
        (PAUSE, [task("other"), wait("9d"), task("again")], "wait 5d"),
        (PAUSE, [task("call"), wait("9d", key="x"), task("again")], "wait 5d"),
        ([task("call"), wait("5d", key="pause"), task("again")], [task("call"), wait("5d"), task("again")], "pause"),
    ],
)
def test_an_account_whose_step_is_gone_stops_and_everything_says_so(
    do: list[Step], edited: list[Step], key: str
) -> None:
    on = stage(do)
    edit(on, [*edited, task("more")])
    before = explain(on.playbook, flags(), on.enrollments()["acme"], START + timedelta(days=1))
    assert before.status.endswith(f'it stops in the next run, because its step "{key}" is gone: put it back to go on')
    run = on.run(1, {"acme": flags()})
    assert [(one.account_id, one.key, one.at) for one in run.placements] == [("acme", key, "")]
    assert [(one.event, one.because) for one in run.decisions] == [
        ("stopped", f'its step "{key}" is gone from the playbook: it takes no more steps of this entry')
    ]
    after = explain(on.playbook, flags(), on.enrollments()["acme"], START + timedelta(days=1))
    assert after.status.endswith(run.decisions[0].because)
    assert on.run(9, {"acme": flags()}).decisions == ()


def test_steps_that_read_the_same_are_told_apart_by_the_steps_around_them() -> None:
    do = [task("a"), wait("3d"), task("b"), wait("3d"), task("c"), wait("3d"), task("d")]
    on = stage(do)
    on.run(3, {"acme": flags()})  # waits after b
    edit(on, [task("a"), wait("3d"), task("n"), wait("3d"), *do[2:]])
    assert keys(on.run(6, {"acme": flags()})) == ["c"]
    assert keys(on.run(9, {"acme": flags()})) == ["d"]

    on = stage(do)
    on.run(3, {"acme": flags()})
    edit(on, [task("a"), wait("3d"), task("b"), task("n"), wait("3d"), *do[4:]])  # the step before is another one
    assert keys(on.run(6, {"acme": flags()})) == ["c"]

    on = stage(do)
    on.run(3, {"acme": flags()})
    edit(on, do[2:])  # the wait of before is gone: the one after c is not taken for it
    assert keys(on.run(6, {"acme": flags()})) == ["c"]
    assert keys(on.run(8, {"acme": flags()})) == []
    assert keys(on.run(9, {"acme": flags()})) == ["d"]


BRANCH = {"if": "worse is true", "then": [task("lead"), wait("1d"), task("boss")], "else": [wait("1d"), task("mild")]}


def test_a_branch_that_is_unknown_is_found_again_and_one_that_is_over_is_not_taken_twice() -> None:
    on = stage([task("call"), BRANCH])
    edit(on, [{"set_fields": {"x": 1}}, task("call"), {**BRANCH, "if": "worse is false", "else": []}])
    explained = explain(on.playbook, flags(), on.enrollments()["acme"], START + timedelta(days=1))
    assert explained.status.endswith(
        'a branch is unknown; after the edit of the playbook it goes on at "if worse is false"'
    )
    assert keys(on.run(1, {"acme": flags(worse=False)})) == ["lead"]

    on = stage([BRANCH, wait("3d"), task("last")], worse=True)
    on.run(1, {"acme": flags(worse=True)})
    edit(on, [wait("3d"), {**BRANCH, "else": [task("mild")]}, task("last")])
    assert keys(on.run(9, {"acme": flags(worse=False)})) == ["last"]


def test_the_two_sides_of_a_branch_are_two_places() -> None:
    on = stage([BRANCH], worse=False)
    edit(on, [task("new"), BRANCH])
    assert keys(on.run(1, {"acme": flags(worse=True)})) == ["mild"]
    on = stage([BRANCH], worse=True)
    edit(on, [task("new"), BRANCH])
    assert keys(on.run(1, {"acme": flags(worse=False)})) == ["boss"]


def test_the_two_sides_stay_two_places_when_the_condition_is_edited() -> None:
    for worse, expected in ((True, "boss"), (False, "mild")):
        sides = {"then": [wait("1d"), task("boss")], "else": [wait("1d"), task("mild")]}
        on = stage([{"if": "worse is true", **sides}], worse=worse)
        edit(on, [task("new"), {"if": "worse is not false", **sides}])
        assert keys(on.run(1, {"acme": flags(worse=not worse)})) == [expected]


def test_of_steps_that_read_the_same_the_nearest_is_taken_when_the_step_before_is_gone() -> None:
    on = stage([task("a"), wait("3d"), task("b"), wait("3d"), task("c")])
    on.run(3, {"acme": flags()})  # waits after b
    edit(on, [task("a"), wait("3d"), wait("3d"), task("c")])
    assert keys(on.run(6, {"acme": flags()})) == ["c"]


def test_a_position_without_a_key_resumes_exactly_and_gets_its_key() -> None:
    on = stage([BRANCH, wait("3d"), task("last")], worse=False)
    as_stored_by_0_1_0(on)
    on.run(0.5, {"acme": flags(worse=True)})
    stored = on.enrollments()["acme"]
    assert (stored.step_key, stored.step_after) == ("wait 1d", "if worse is true: else")
    assert stored.taken == ("if worse is true",)
    edit(on, [{"set_fields": {"x": 1}}, BRANCH, wait("3d"), task("last")])
    assert keys(on.run(1, {"acme": flags(worse=True)})) == ["mild"]


def test_a_position_without_a_key_is_placed_by_the_steps_of_the_last_run() -> None:
    on = stage(PAUSE)
    as_stored_by_0_1_0(on)
    edit(on, [wait("1d"), *PAUSE])
    previous = compile_steps(make_playbook(do=PAUSE).do)
    assert keys(on.run(5, {"acme": flags()}, previous=previous)) == ["again"]

    on = stage(PAUSE)
    as_stored_by_0_1_0(on)
    edit(on, [task("other"), *PAUSE])
    run = on.run(5, {"acme": flags()}, previous=compile_steps(on.playbook.do))  # steps that it never knew
    assert [(one.key, one.at) for one in run.placements] == [("step 2", "")]
    assert "step 2" in run.decisions[0].because


# ---------------------------------------------------------------------------- any playbook, any edit


def numbered_wait(number: int, *, keyed: bool) -> Step:
    return wait(f"{number + 20}h", f"w{number}" if keyed else None)


@st.composite
def steps(draw: st.DrawFn, first: int = 0) -> list[Step]:
    """Steps of which every key is used once."""
    numbers = iter(range(first, first + 30))

    def some(depth: int) -> list[Step]:
        found: list[Step] = []
        for kind in draw(
            st.lists(st.sampled_from(["task", "task", "wait", "wait", "set", "if"]), min_size=1, max_size=5)
        ):
            number = next(numbers, None)
            if number is None:
                break
            if kind == "task":
                found.append(task(f"t{number}"))
            elif kind == "wait":
                found.append(numbered_wait(number, keyed=draw(st.booleans())))
            elif kind == "set" or depth > 1:
                found.append({"set_fields": {f"x{number}": number}})
            else:
                condition, other = f"b{number % 3} is true", some(depth + 1) if draw(st.booleans()) else []
                key = {"key": f"i{number}"} if draw(st.booleans()) else {}
                found.append(
                    {"if": condition, **key, "then": some(depth + 1) or [task(f"t{first}-{number}")], "else": other}
                )
        return found

    return some(0)


def lists_of(do: list[Step]) -> list[list[Step]]:
    inner = [one for step in do for side in ("then", "else") if step.get(side) for one in lists_of(step[side])]
    return [do, *inner]


def edited(data: st.DataObject, do: list[Step], first: int) -> list[Step]:
    """The steps after some edits: insert, delete, reword, move."""
    do, draw = deepcopy(do), data.draw
    fresh = iter(draw(steps(first=first)))
    kinds = st.sampled_from(["insert", "insert", "delete", "reword", "move"])
    for kind in draw(st.lists(kinds, min_size=1, max_size=5)):
        where = draw(st.sampled_from(lists_of(do)))
        at = draw(st.integers(0, len(where) - 1))
        if kind == "insert":
            step = next(fresh, None)
            if step is not None:
                where.insert(at, step)
        elif kind == "reword" and "create_task" in where[at]:
            where[at]["create_task"]["subject"] = "Reworded"
        elif kind in {"delete", "move"} and len(where) > 1:
            step = where.pop(at)
            if kind == "move":
                target = draw(st.sampled_from(lists_of(do)))
                target.insert(draw(st.integers(0, len(target))), step)
    return do


truths = st.fixed_dictionaries({f"b{n}": st.sampled_from([True, True, False, None]) for n in range(3)})
KNOWN = {"b0": True, "b1": False, "b2": True}


@settings(max_examples=some_of(300))
@given(st.data())
def test_nobody_is_dropped_whose_step_is_there_and_no_task_is_made_twice(data: st.DataObject) -> None:
    do = data.draw(steps())
    on, hours, made = Stage(do=do), 0, Counter[str]()
    for _ in range(data.draw(st.integers(1, 4))):  # to anywhere
        made.update(keys(on.run(hours / 24, {"acme": flags(**data.draw(truths))})))
        hours += data.draw(st.integers(1, 50))
    for turn in range(1, data.draw(st.integers(2, 4))):
        before = on.enrollments()["acme"]
        do = edited(data, do, 100 * turn)
        edit(on, do)
        names = {name.key for name in compile_steps(on.playbook.do).names}
        run = on.run(hours / 24, {"acme": flags(**data.draw(truths))})
        made.update(keys(run))
        waits_still = before.next_step_at is not None and START + timedelta(hours=hours) < before.next_step_at
        stopped = any(one.event == "stopped" for one in run.decisions)
        if before.step >= 0 and before.step_key in names:
            assert not stopped
            if waits_still:
                now = on.enrollments()["acme"]
                assert (now.step_key, now.next_step_at) == (before.step_key, before.next_step_at)
                assert keys(run) == []
        hours += data.draw(st.integers(1, 50))
    for _ in range(40):  # to the end
        made.update(keys(on.run(hours / 24, {"acme": flags(**KNOWN)})))
        hours += 400
    assert all(count == 1 for count in made.values()), made
    assert on.enrollments()["acme"].step == -1


@settings(max_examples=some_of(100))
@given(st.data())
def test_a_worker_of_0_1_0_beside_this_one_changes_no_step(data: st.DataObject) -> None:
    do, course = (
        data.draw(steps()),
        data.draw(st.lists(st.tuples(st.integers(1, 50), truths, st.booleans()), max_size=8)),
    )
    alone, beside, hours = Stage(do=do), Stage(do=do), 0
    for gap, facts, older in course:
        first = alone.run(hours / 24, {"acme": flags(**facts)})
        second = beside.run(hours / 24, {"acme": flags(**facts)})
        assert first.decisions == second.decisions
        if older:
            as_stored_by_0_1_0(beside)
        hours += gap
