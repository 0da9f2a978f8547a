"""An enrollment that is made of an account's tasks in the CRM goes on as the one that was lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.unit.rules.playbook_stage import START, TASK, Stage, flags
from worker.rules.actions import MakeTask
from worker.rules.adopted import entered_on, entry_on, followed, left_by_us, of_baseline, start_of, with_steps
from worker.rules.enrollment import Enrollment
from worker.rules.program import compile_steps
from worker.rules.rank import rank_of
from worker.rules.steps import StepContext, run_steps
from worker.rules.transitions import ConditionResults
from worker.settings.schedule import Calendar

DAY = START.date()
IN, OUT = ConditionResults(True, True, False), ConditionResults(True, False, True)
STEPS = [
    {"set_fields": {"state": "called"}},
    {"create_task": TASK},
    {"wait": "9d"},
    {"if": "a is true", "then": [{"create_task": {**TASK, "key": "again"}}]},
    {"wait": "9d"},
]


def context_of(stage: Stage, **given: bool | None) -> StepContext:
    return StepContext(
        playbook=stage.playbook,
        program=compile_steps(stage.playbook.do),
        previous=None,
        account_id="acme",
        fields=flags(**given),
        as_of=START,
        calendar=Calendar(),
        open_tasks=(),
        project_id="acme",
        rank=rank_of(stage.playbook),
    )


def lacks_none(_task: MakeTask, _moment: datetime) -> bool:
    return False


@pytest.mark.parametrize("until", [0, 8, 9, 18, 40])
def test_the_steps_up_to_a_moment_are_those_that_were_taken(until: int) -> None:
    """The oracle is a run a day of the playbook itself, from the same entry on."""
    kept, start = Stage(do=STEPS), start_of(DAY)
    context = context_of(kept)
    entered = entered_on(Enrollment(), {DAY: 0}, context.program, START + timedelta(days=90))
    kept.stored = {"acme": replace(entered, last_as_of=None).to_json()}
    for day in range(until + 1):
        kept.run(day - (START - start) / timedelta(days=1), {"acme": flags()})
    adopted = with_steps(entered, lambda at: replace(context, as_of=at), start + timedelta(days=until), lacks_none)
    now = kept.enrollments()["acme"]
    assert (adopted.step, adopted.taken, adopted.next_step_at) == (now.step, now.taken, now.next_step_at)
    assert adopted.fields_set == now.fields_set == {"state": "called"}
    assert adopted.phase == "in"


def test_an_unknown_branch_waits_and_an_entry_ahead_keeps_the_day_of_its_key() -> None:
    stage = Stage(do=STEPS)
    program = compile_steps(stage.playbook.do)
    entered = entered_on(Enrollment(), {DAY: 0}, program, START)
    waiting = with_steps(entered, lambda _: context_of(stage, a=None), start_of(DAY), lacks_none)
    assert waiting.next_step_at is not None
    ahead = entered_on(Enrollment(), {DAY + timedelta(days=40): 0}, program, START)
    assert (ahead.entered_at, ahead.task_day) == (START, (DAY + timedelta(days=40)).isoformat())


@pytest.mark.parametrize(("lacking", "step", "state"), [(TASK["key"], 0, {}), ("again", 3, {"state": "called"})])
def test_a_step_is_taken_again_where_a_crm_lacks_its_task(lacking: str, step: int, state: dict[str, str]) -> None:
    context = context_of(Stage(do=STEPS))
    entered, asked = entered_on(Enrollment(), {DAY: 0}, context.program, START), list[tuple[str, datetime]]()

    def lacks(task: MakeTask, moment: datetime) -> bool:
        asked.append((task.task_key, moment))
        return task.task_key == lacking

    before = with_steps(entered, lambda at: replace(context, as_of=at), start_of(DAY) + timedelta(days=20), lacks)
    assert (before.step, before.fields_set, asked[-1][0]) == (step, state, lacking)
    again = run_steps(replace(context, as_of=START + timedelta(days=20)), before)
    assert [one.task_key for one in again.actions if isinstance(one, MakeTask)] == [lacking]
    assert asked[-1][1] == (start_of(DAY) if step == 0 else start_of(DAY) + timedelta(days=9))


def test_what_its_conditions_were_since_says_whether_it_left() -> None:
    entered = entered_on(Enrollment(), {DAY: 0}, compile_steps(Stage().playbook.do), START)
    later = [(START + timedelta(days=days), results) for days, results in enumerate((IN, OUT, IN), 1)]
    assert followed(entered, later[:1]).phase == "in"
    assert (followed(entered, later[:2]).phase, followed(entered, later[:2]).can_retrigger) == ("out", True)
    assert followed(entered, later).phase == "pending"
    closed = left_by_us(entered, START)
    assert (closed.phase, closed.can_retrigger, closed.left_at) == ("out", True, START)


def test_of_the_baseline_is_who_matched_at_every_moment_that_is_known() -> None:
    assert of_baseline([(START, IN), (START, IN)])
    assert not of_baseline([(START, IN), (START, OUT)])
    assert not of_baseline([])


def test_an_entry_has_the_number_that_the_enrollment_gives_its_day() -> None:
    program = compile_steps(Stage().playbook.do)
    days = [date(2026, 1, 1), date(2026, 2, 1)]
    enrollment = entered_on(Enrollment(), dict.fromkeys(days, 0), program, datetime(2026, 3, 1, tzinfo=UTC))
    assert [entry_on(enrollment, day) for day in (*days, date(2026, 1, 2))] == [1, 2, 0]
    assert entry_on(None, days[0]) == 0


def test_an_entry_with_counted_keys_keeps_its_number_for_its_later_steps() -> None:
    enrollment = entered_on(Enrollment(), {DAY: 7}, compile_steps(Stage().playbook.do), START)
    assert (enrollment.entry, enrollment.task_day) == (7, "")
