"""Who enters and leaves, when, and what is done about it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.unit.rules.playbook_stage import START, TASK, Stage, events, flags, make_playbook
from worker.rules.actions import CloseTasks, MakeTask, SetField
from worker.rules.admission import in_holdout
from worker.rules.context import PlaybookRun
from worker.rules.enrollment import Enrollment
from worker.rules.program import compile_steps
from worker.rules.task_keys import counted_key_of, task_key_of
from worker.rules.transitions import may_enter_again
from worker.settings.playbook import Assignee
from worker.settings.schedule import Calendar

YES, NO, MAYBE = flags(), flags(e=False), flags(e=None)


def acme(run: PlaybookRun) -> list[str]:
    return [event for _, event in events(run.decisions)]


def tasks(run: PlaybookRun) -> list[MakeTask]:
    return [action for one in run.decisions for action in one.actions if isinstance(action, MakeTask)]


# ---------------------------------------------------------------------------- entering


def test_entering_makes_the_task_once() -> None:
    on = Stage()
    made = tasks(on.run(0, {"acme": flags(owner="ann@example.com", **{"account.name": "Acme"})}))
    assert [(task.subject, task.to, task.due, task.entry) for task in made] == [
        ("Call Acme", Assignee("account_owner"), date(2026, 3, 3), 1)
    ]
    assert made[0].key.startswith("plgsync.20260302.")
    for day in (1, 2, 30):
        assert on.run(day, {"acme": YES}).decisions == ()


@pytest.mark.parametrize(
    ("long", "results", "days"),
    [
        ("24h", "TT", 1),
        ("3d", "TTTT", 3),
        ("2 runs", "TT", 1),
        ("2d", "TUTTT", 4),  # neither the time before nor that after an unknown is known to have held
        ("2d", "TTUTT", 4),
        ("2d", "TTFTTT", 5),
        ("2 runs", "TUT", 2),
        ("2 runs", "TFTT", 3),
    ],
)
def test_for_runs_while_true_stops_while_unknown_and_starts_anew_after_false(
    long: str, results: str, days: int
) -> None:
    on = Stage(when={"enters": "e is true", "for": long})
    entered = []
    for day, truth in enumerate(results):
        fields = flags(e={"T": True, "F": False, "U": None}[truth])
        if "entered" in acme(on.run(day, {"acme": fields})):
            entered.append(day)
    assert entered == [days]


def test_unknown_audience_or_enters_blocks_and_is_reported() -> None:
    on = Stage()
    run = on.run(0, {"acme": flags(a=None), "beta": MAYBE, "gone": flags(a=False, e=None), "ok": YES})
    assert events(run.decisions) == [("ok", "entered")]
    assert run.counts["blocked_missing"] == 2
    assert run.blocked == {"a": 1, "e": 1}


def test_an_account_that_is_leaving_at_the_same_time_does_not_enter() -> None:
    assert acme(Stage().run(0, {"acme": flags(l=True)})) == []


# ---------------------------------------------------------------------------- the first run


def test_accounts_that_match_when_it_goes_live_are_noted_and_left_alone() -> None:
    on = Stage(before=False)
    run = on.run(0, {"acme": YES, "beta": NO})
    assert events(run.decisions) == [("acme", "already_matching")]
    assert tasks(run) == []
    run = on.run(1, {"acme": YES, "beta": YES})
    assert events(run.decisions) == [("beta", "entered")]
    on.run(2, {"acme": NO, "beta": YES})
    on.run(3, {"acme": flags(e=False, l=True), "beta": YES})
    assert acme(on.run(4, {"acme": YES, "beta": YES})) == ["entered"]


def test_the_first_run_that_finds_nobody_was_still_the_first() -> None:
    on = Stage(before=False)
    on.run(0, {"acme": NO})
    assert acme(on.run(1, {"acme": YES})) == ["entered"]


def test_already_matching_include_acts_at_once() -> None:
    on = Stage(before=False, repeat={"already_matching": "include"})
    assert acme(on.run(0, {"acme": YES})) == ["entered"]


UNKNOWN = flags(e=None)


def test_an_account_that_was_unknown_when_it_went_live_is_a_baseline_once_it_matches() -> None:
    on = Stage(before=False)
    on.run(0, {"acme": UNKNOWN, "beta": UNKNOWN, "gamma": NO})
    on.run(1, {"acme": UNKNOWN, "beta": NO, "gamma": NO})
    run = on.run(2, {"acme": YES, "beta": YES, "gamma": UNKNOWN, "new": UNKNOWN})
    assert events(run.decisions) == [("acme", "already_matching"), ("beta", "entered")]
    run = on.run(3, {"acme": YES, "beta": YES, "gamma": YES, "new": YES})
    assert events(run.decisions) == [("gamma", "entered"), ("new", "entered")]


def test_runs_of_one_day_count_once() -> None:
    on = Stage(when={"enters": "e is true", "for": "2 runs"})
    minute = 1 / 1440
    assert acme(on.run(0, {"acme": YES})) == []
    assert acme(on.run(minute, {"acme": YES})) == []
    assert acme(on.run(2 * minute, {"acme": YES})) == []
    assert acme(on.run(1, {"acme": YES})) == ["entered"]


def test_an_edit_that_makes_more_accounts_match_than_the_breaker_allows_needs_an_approval() -> None:
    on = Stage(limits={"breaker": 2})
    crowd = {name: flags(e=None, a=True) | {"e2": True} for name in ("a", "b", "c")}
    assert on.run(0, crowd).flood == ""
    on.playbook = make_playbook(limits={"breaker": 2}, when={"enters": "e2 is true"})
    flooded = on.try_run(1, crowd)
    assert "3 accounts start to match at once, limits.breaker allows 2" in flooded.flood
    assert on.try_run(1, {name: crowd[name] for name in ("a", "b")}).flood == ""
    on.run(1, crowd)
    assert on.run(2, {**crowd, **dict.fromkeys(("d", "e", "f"), crowd["a"])}).flood == "", "no edit, no breaker"


# ---------------------------------------------------------------------------- leaving


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        (flags(l=True), True),
        (flags(a=False), True),
        (flags(l=None), False),
        (flags(a=None), False),
        (flags(e=False), False),
        (flags(a=None, e=None, l=None), False),
    ],
)
def test_leaves_or_a_lost_audience_end_it_and_unknown_does_not(fields: dict[str, Any], left: bool) -> None:
    on = Stage()
    on.run(0, {"acme": YES})
    assert acme(on.run(1, {"acme": fields})) == (["left"] if left else [])
    assert on.phase() == ("out" if left else "in")


def test_without_leaves_it_ends_when_enters_is_false() -> None:
    on = Stage(leaves=None)
    on.run(0, {"acme": YES})
    assert acme(on.run(1, {"acme": MAYBE})) == []
    assert acme(on.run(2, {"acme": NO})) == ["left"]


def test_leaving_closes_tasks_where_the_playbook_says_so() -> None:
    closing = Stage(do=[{"create_task": {**TASK, "close_when_leaves": True}}])
    closing.run(0, {"acme": YES})
    run = closing.run(1, {"acme": flags(l=True)})
    assert run.decisions[0].actions == (CloseTasks("flags", "acme", 1),)
    leaving = Stage()
    leaving.run(0, {"acme": YES})
    assert leaving.run(1, {"acme": flags(l=True)}).decisions[0].actions == ()


def test_an_account_that_no_longer_exists_leaves_and_its_task_is_closed() -> None:
    on = Stage(do=[{"create_task": {**TASK, "close_when_leaves": True}}, {"set_fields": {"flag": True}}])
    on.run(0, {"acme": YES, "beta": YES})
    run = on.run(1, {"beta": YES})
    assert events(run.decisions) == [("acme", "left")]
    assert run.decisions[0].actions == (CloseTasks("flags", "acme", 1),)
    assert (run.counts["left"], run.counts["inside"]) == (1, 1)
    gone = on.enrollments()["acme"]
    assert (gone.phase, gone.fields_set, gone.left_at) == ("out", {}, START + timedelta(days=1))
    assert on.run(2, {"beta": YES}).decisions == ()
    assert acme(on.run(40, {"acme": YES, "beta": YES})) == [], "it comes back as it was: that is no news"
    on.run(41, {"acme": NO, "beta": YES})
    assert acme(on.run(42, {"acme": YES, "beta": YES})) == ["entered"]


def test_an_account_that_disappears_while_it_waits_is_not_waited_for() -> None:
    pending = Stage(when={"enters": "e is true", "for": "3d"})
    pending.run(0, {"acme": YES})
    assert pending.run(1, {}).decisions == ()
    assert pending.phase() == "out"
    assert acme(pending.run(4, {"acme": YES})) == [], "its time begins anew"
    queued = Stage(limits={"per_run": 1})
    queued.run(0, {"acme": YES, "beta": YES})
    assert queued.phase("beta") == "queued"
    assert events(queued.run(1, {"acme": YES}).decisions) == [("beta", "dropped")]
    assert queued.phase("beta") == "out"


def test_fields_are_held_from_entry_until_leaving() -> None:
    on = Stage(do=[{"set_fields": {"why": "{{playbook.matched}}", "score": "{{n}}", "flag": True}}])
    run = on.run(0, {"acme": flags(n=3)})
    assert run.decisions[0].actions == (SetField("why", "e is true"), SetField("score", 3), SetField("flag", True))
    on.run(1, {"acme": flags(n=9)})
    assert on.enrollments()["acme"].fields_set == {"why": "e is true", "score": 3, "flag": True}
    on.run(2, {"acme": flags(l=True)})
    assert on.enrollments()["acme"].fields_set == {}


# ---------------------------------------------------------------------------- entering again


def enter_and_leave(on: Stage, day: float) -> None:
    on.run(day, {"acme": flags(e=False, l=True)})


def test_without_repeat_an_account_enters_once_for_ever() -> None:
    on = Stage(repeat={})
    on.run(0, {"acme": YES})
    enter_and_leave(on, 1)
    for day in (2, 300, 3000):
        assert acme(on.run(day, {"acme": YES})) == []


def test_wait_counts_from_the_last_entry_and_then_lets_in_who_still_matches() -> None:
    on = Stage(repeat={"wait": "10d"})
    on.run(0, {"acme": YES})
    enter_and_leave(on, 1)
    assert on.run(5, {"acme": YES}).counts["repeat"] == 1
    assert acme(on.run(9, {"acme": YES})) == []
    run = on.run(10, {"acme": YES})
    assert acme(run) == ["entered"]
    assert tasks(run)[0].entry == 2


def test_at_most_so_many_entries_in_so_many_days() -> None:
    on = Stage(repeat={"at_most": "2 per 30d"})
    days = []
    for day in range(0, 70, 2):
        if "entered" in acme(on.run(day, {"acme": YES})):
            days.append(day)
        enter_and_leave(on, day + 1)
    assert days == [0, 2, 30, 32, 60, 62]


def test_matching_all_along_after_leaving_is_no_news() -> None:
    on = Stage(repeat={"wait": "1d"})
    on.run(0, {"acme": YES})
    on.run(1, {"acme": flags(l=True)})
    assert acme(on.run(5, {"acme": YES})) == []
    on.run(6, {"acme": NO})
    assert acme(on.run(7, {"acme": YES})) == ["entered"]


# ---------------------------------------------------------------------------- limits


SCORED = [{"create_task": TASK}]


def test_the_highest_rank_comes_first_and_the_rest_queue() -> None:
    on = Stage(when={"enters": {"all": ["e is true", "pql.score > 0"]}}, limits={"per_run": 2})
    accounts = {name: flags(**{"pql.score": score}) for name, score in (("a", 10), ("b", 90), ("c", 50), ("d", 70))}
    run = on.run(0, accounts)
    assert sorted(events(run.decisions)) == [("a", "queued"), ("b", "entered"), ("c", "queued"), ("d", "entered")]
    assert [task.rank for task in tasks(run)] == [90, 70]
    assert run.counts["queued"] == 2
    assert sorted(events(on.run(1, accounts).decisions)) == [("a", "entered"), ("c", "entered")]


def test_a_queued_account_expires_after_seven_days_and_must_match_anew() -> None:
    on = Stage(limits={"per_owner": "1 per day"})
    queued = {"acme": flags(owner="ann@example.com")}
    busy = {"tasks_today": {"ann@example.com": 1}}
    assert acme(on.run(0, queued, **busy)) == ["queued"]
    assert acme(on.run(6, queued, **busy)) == []
    assert acme(on.run(7, queued, **busy)) == ["expired"]
    assert acme(on.run(8, queued)) == []
    on.run(9, {"acme": NO})
    assert acme(on.run(10, queued)) == ["entered"]


def test_a_queued_account_that_stops_matching_is_dropped_and_one_that_is_unknown_waits() -> None:
    on = Stage(limits={"per_run": 1})
    both = {"acme": flags(), "beta": flags()}
    on.run(0, both)
    assert events(on.run(1, {"acme": flags(), "beta": MAYBE}).decisions) == []
    assert events(on.run(2, {"acme": flags(), "beta": NO}).decisions) == [("beta", "dropped")]


def test_nobody_gets_more_tasks_in_a_day_than_per_owner() -> None:
    on = Stage(limits={"per_owner": "2 per day"})
    accounts = {f"a{n}": flags(owner="ann@example.com" if n < 4 else "bob@example.com") for n in range(6)}
    run = on.run(0, accounts, tasks_today={"ann@example.com": 1})
    assert [account for account, event in events(run.decisions) if event == "entered"] == ["a0", "a4", "a5"]


def test_the_fallback_is_who_counts_when_nobody_owns_the_account() -> None:
    task = {**TASK, "if_no_owner": "user(lead@example.com)"}
    on = Stage(limits={"per_owner": "1 per day"}, do=[{"create_task": task}])
    run = on.run(0, {"a": flags(), "b": flags(), "c": flags(owner="ann@example.com")})
    assert sorted(events(run.decisions)) == [("a", "entered"), ("b", "queued"), ("c", "entered")]


def test_an_account_with_more_tasks_than_per_owner_still_gets_them_on_a_free_day() -> None:
    two = [{"create_task": TASK}, {"create_task": {**TASK, "key": "write"}}]
    on = Stage(limits={"per_owner": "1 per day"}, do=two)
    run = on.run(0, {"a": flags(owner="ann@example.com"), "b": flags(owner="ann@example.com")})
    assert sorted(events(run.decisions)) == [("a", "entered"), ("b", "queued")]


# ---------------------------------------------------------------------------- circuit breaker


def flood(on: Stage, day: float, size: int, **context: Any) -> PlaybookRun:
    return on.run(day, {f"day {day} {n}": YES for n in range(size)}, **context)


def test_a_run_with_three_times_the_usual_matches_waits_for_approval() -> None:
    on = Stage()
    on.history.clear()
    on.history.append({"live": 1, "matched": 4})
    for day in range(6):
        assert flood(on, day, 4).paused is None
    run = flood(on, 7, 13)
    assert run.paused == "13 accounts match at once, usually 4; approve the run to let them in"
    assert tasks(run) == []
    assert on.run(7, {f"day 7 {n}": YES for n in range(13)}).paused
    approved = on.run(7, {f"day 7 {n}": YES for n in range(13)}, approved=True)
    assert (len(tasks(approved)), approved.paused) == (13, None)


def test_a_paused_run_does_not_become_the_usual() -> None:
    on = Stage()
    on.history[:] = [{"live": 1, "matched": 4}] * 5
    accounts = {f"a{n}": YES for n in range(50)}
    assert [bool(on.run(day, accounts).paused) for day in range(12)] == [True] * 12


def test_many_paused_runs_do_not_make_a_usual_one_look_large() -> None:
    on = Stage()
    on.history[:] = [{"live": 1, "matched": 4}] * 5 + [{"live": 1, "matched": 0, "paused": 1}] * 20
    assert flood(on, 0, 12).paused is None
    assert flood(on, 1, 13).paused


def test_without_history_or_with_few_accounts_nothing_is_paused() -> None:
    assert flood(Stage(), 0, 400).paused is None
    few = Stage()
    few.history[:] = [{"live": 1}] * 20
    assert flood(few, 0, 10).paused is None
    assert flood(few, 1, 11).paused


# ---------------------------------------------------------------------------- steps


STEPS: list[dict[str, Any]] = [
    {"create_task": TASK},
    {"wait": "5bd"},
    {
        "if": "worse is true",
        "then": [{"create_task": {**TASK, "key": "lead"}}, {"wait": "12h"}, {"create_task": {**TASK, "key": "boss"}}],
        "else": [{"set_fields": {"mild": True}}],
    },
    {"create_task": {**TASK, "key": "last"}},
]


def keys(run: PlaybookRun) -> list[str]:
    return [task.task_key for task in tasks(run)]


def test_steps_go_on_after_business_days() -> None:
    on = Stage(do=STEPS)
    assert keys(on.run(0, {"acme": flags(worse=True)})) == ["call"]
    assert keys(on.run(6.9, {"acme": flags(worse=True)})) == ["lead"]  # Monday plus five business days, any time
    assert keys(on.run(7.3, {"acme": flags(worse=True)})) == []
    assert keys(on.run(7.5, {"acme": flags(worse=False)})) == ["boss", "last"]
    assert on.run(40, {"acme": YES}).decisions == ()


def test_the_other_branch() -> None:
    on = Stage(do=STEPS)
    on.run(0, {"acme": YES})
    run = on.run(8, {"acme": flags(worse=False)})
    assert run.decisions[0].actions[0] == SetField("mild", True)
    assert keys(run) == ["last"]


def test_an_unknown_branch_waits() -> None:
    on = Stage(do=STEPS)
    on.run(0, {"acme": YES})
    run = on.run(8, {"acme": YES})
    assert (run.decisions, run.blocked) == ((), {"worse": 1})
    assert keys(on.run(20, {"acme": flags(worse=True)})) == ["lead"]


def test_an_account_enters_although_its_first_branch_is_unknown() -> None:
    on = Stage(do=STEPS[2:])
    run = on.run(0, {"acme": YES})
    assert (acme(run), keys(run), run.blocked) == (["entered"], [], {"worse": 1})
    assert keys(on.run(1, {"acme": flags(worse=True)})) == ["lead"]


def test_leaving_cancels_the_steps_to_come() -> None:
    on = Stage(do=STEPS)
    on.run(0, {"acme": YES})
    on.run(8, {"acme": flags(e=False, l=True, worse=True)})
    assert keys(on.run(9, {"acme": flags(e=False, worse=True)})) == []


def test_an_account_goes_on_where_it_waits_after_an_edit_of_words_or_of_other_steps() -> None:
    on = Stage(do=STEPS)
    on.run(0, {"acme": YES})
    on.playbook = make_playbook(do=[{"create_task": {**TASK, "subject": "Ring"}}, *STEPS[1:]])
    assert keys(on.run(8, {"acme": flags(worse=True)})) == ["lead"]

    on = Stage(do=STEPS)
    on.run(0, {"acme": YES})
    on.playbook = make_playbook(do=STEPS[:3])  # the wait is where it was: the account goes on after it
    assert keys(on.run(8, {"acme": flags(worse=True)})) == ["lead"]
    assert on.enrollments()["acme"].config_hash == compile_steps(on.playbook.do).version
    assert keys(on.run(9, {"acme": flags(worse=True)})) == ["boss"]

    on = Stage(do=STEPS)
    on.run(0, {"acme": YES})
    on.playbook = make_playbook(do=[{"set_fields": {"x": 1}}, *STEPS])
    run = on.run(8, {"acme": flags(worse=True)})
    assert (acme(run), keys(run)) == (["stepped"], ["lead"])


def test_a_task_that_is_still_open_is_skipped_where_the_playbook_says_so() -> None:
    for policy, made in (("skip", []), ("update", ["call"]), ("create", ["call"])):
        on = Stage(do=[{"create_task": {**TASK, "if_open_task": policy}}])
        run = on.run(0, {"acme": YES}, open_tasks={"acme": {"flags/call"}})
        assert (keys(run), acme(run), run.counts.get("already_open", 0)) == (made, ["entered"], int(not made))
        on = Stage(do=[{"create_task": {**TASK, "if_open_task": policy}}])
        assert keys(on.run(0, {"acme": YES}, open_tasks={"acme": {"other/call"}})) == ["call"]


def test_a_subject_is_one_line_of_at_most_255_characters_and_no_part_of_the_identity() -> None:
    first = tasks(Stage().run(0, {"acme": flags(**{"account.name": "A\n" * 300})}))[0]
    second = tasks(Stage().run(0, {"acme": flags(**{"account.name": "Acme"})}))[0]
    assert (len(first.subject), first.subject[-1], "\n" in first.subject) == (255, "…", False)
    assert first.key == second.key


def test_an_entry_has_the_key_of_its_day_and_one_that_began_before_keeps_its_number() -> None:
    on = Stage(
        do=[{"create_task": TASK}, {"wait": "2d"}, {"create_task": {**TASK, "key": "again"}}], repeat={"wait": "1h"}
    )

    def key(days: float, accounts: dict[str, Any]) -> list[str]:
        return [task.key for task in tasks(on.run(days, accounts, project_id="acme-eu"))]

    first = key(0, {"acme": YES})
    key(0.1, {"acme": flags(e=False, l=True)})
    assert first == key(0.2, {"acme": YES}) == [task_key_of("acme-eu", START.date(), "flags", "acme", "call")]
    key(1, {"acme": flags(e=False, l=True)})
    assert key(2, {"acme": YES}) == [task_key_of("acme-eu", date(2026, 3, 4), "flags", "acme", "call")]
    del on.stored["acme"]["task_day"]  # as the version before stores it
    assert key(4, {"acme": YES}) == [counted_key_of("flags", "acme", 3, "again")]


# ---------------------------------------------------------------------------- goal and holdout


GOAL: dict[str, Any] = {"goal": {"when": "won is true", "within": "30d"}}


def test_the_goal_is_noted_once_also_after_leaving_but_only_in_time() -> None:
    on = Stage(**GOAL)
    on.run(0, {"acme": YES})
    on.run(1, {"acme": flags(e=False, l=True, won=False)})
    assert acme(on.run(30, {"acme": flags(e=False, won=True)})) == ["goal"]
    assert on.enrollments()["acme"].goal_at == START + timedelta(days=30)
    assert acme(on.run(31, {"acme": flags(e=False, won=True)})) == []
    late = Stage(**GOAL)
    late.run(0, {"acme": YES})
    assert acme(late.run(31, {"acme": flags(won=True)})) == []


def test_held_out_accounts_are_followed_but_nothing_is_done_for_them() -> None:
    on = Stage(holdout="30%", do=[{"set_fields": {"x": 1}}, {"create_task": TASK}], **GOAL)
    accounts = {f"a{n}": YES for n in range(1000)}
    run = on.run(0, accounts)
    held = [one for one in run.decisions if one.event == "holdout"]
    assert 240 < len(held) < 360
    assert all(not one.actions for one in held)
    assert {one.account_id for one in held} == {a for a in accounts if in_holdout(on.playbook, a)}
    member = on.enrollments()[held[0].account_id]
    assert (member.variant, member.phase, member.fields_set) == ("holdout", "in", {})
    assert ("a0", "goal") in events(on.run(5, {a: flags(won=True) for a in accounts}).decisions)


def test_the_same_account_is_always_in_the_same_variant() -> None:
    """Known answers: a new release must not move accounts between the variants of a running playbook."""
    playbook = make_playbook(holdout="50%")
    assert "".join("x" if in_holdout(playbook, f"acc-{n}") else "." for n in range(16)) == ".x...x..xxxx.xxx"


# ---------------------------------------------------------------------------- modes and time


def test_a_preview_decides_but_holds_everything_back() -> None:
    on = Stage(
        mode="preview",
        before=False,
        repeat={"already_matching": "include"},
        do=[{"set_fields": {"x": 1}}, {"create_task": TASK}],
    )
    run = on.run(0, {"acme": YES})
    assert acme(run) == ["entered"]
    assert run.decisions[0].actions == ()
    assert run.counts["preview"] == 1
    assert on.enrollments()["acme"].fields_set == {}


def test_going_live_after_a_preview_is_a_first_run() -> None:
    on = Stage(mode="preview", before=False)
    on.run(0, {"acme": NO, "beta": YES})
    on.run(1, {"acme": YES, "beta": YES})
    on.playbook = make_playbook()
    assert events(on.run(2, {"acme": YES, "beta": YES}).decisions) == [
        ("acme", "already_matching"),
        ("beta", "already_matching"),
    ]


def test_a_preview_of_a_live_playbook_leaves_its_state_alone() -> None:
    on = Stage()
    on.run(0, {"acme": YES})
    stored = dict(on.stored)
    on.playbook = make_playbook(mode="preview")
    run = on.run(1, {"acme": flags(l=True)})
    assert acme(run) == ["left"]
    assert on.stored == stored


def test_an_off_playbook_does_nothing() -> None:
    on = Stage(mode="off")
    assert on.run(0, {"acme": YES}) == PlaybookRun()


def test_the_same_moment_again_does_nothing_and_the_past_is_refused() -> None:
    on = Stage(when={"enters": "e is true", "for": "2 runs"}, limits={"per_run": 1})
    accounts = {"acme": YES, "beta": YES}
    for day in (0, 1, 2):
        first = on.run(day, accounts)
        stored = dict(on.stored)
        again = on.run(day, accounts)
        assert (again.decisions, dict(again.counts), on.stored) == ((), dict(first.counts), stored)
    with pytest.raises(ValueError, match="has decided as of"):
        on.run(1, accounts)


def test_business_days_follow_the_calendar_of_the_project() -> None:
    calendar = Calendar(zone="Pacific/Auckland", holidays=(date(2026, 3, 4),))
    on = Stage()
    on.history.append({"live": 1})
    run = on.run(0.5, {"acme": YES}, calendar=calendar)  # Monday 17:00 UTC is Tuesday there
    assert tasks(run)[0].due == date(2026, 3, 5)


def test_an_account_that_entered_once_never_enters_again() -> None:
    once, often = make_playbook(repeat={}).repeat, make_playbook(repeat={"wait": "1d"}).repeat
    later = START + timedelta(days=4000)
    assert not may_enter_again(Enrollment(entries=(START,)), once, later)
    assert may_enter_again(Enrollment(entries=(START,)), often, later)
    assert may_enter_again(Enrollment(), once, later)
