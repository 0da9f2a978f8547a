"""What a plan holds: only differences in the CRM's own precision, every task for a person, nothing guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from connectors.base import FieldSpec, Match, MatchKey, Owner, ReadBack, Scalar, Unavailable, Usage
from worker.delivery.backlog import WaitingTask
from worker.delivery.task_context import TaskContext
from worker.planning.crm_view import CrmView, StoredCrm, crm_view
from worker.planning.desired import Desired
from worker.planning.guard import ALWAYS_ALLOWED, UnsafePlan, check_plan
from worker.planning.make_plan import make_plan
from worker.planning.owners import People
from worker.planning.plan import Plan
from worker.planning.read_crm import read_crm
from worker.rules.actions import MakeTask
from worker.settings.crm import CrmSettings, Guard
from worker.settings.playbook import Assignee
from worker.store.crm import Record, TaskRow

SETTINGS = CrmSettings.model_validate(
    {
        "version": 1,
        "destinations": {
            "crm": {
                "kind": "hubspot",
                "auth": {"token": "env:TOKEN"},
                "account": {
                    "object": "companies",
                    "match_field": "account_key",
                    "fallbacks": [{"field": "domain", "with": "account.domain", "kind": "domain"}],
                },
                "tasks": {"key_field": "task_key"},
                "fields": {
                    "health_score": {"field": "health", "from": "health.score", "type": "number"},
                    "health_band": {"field": "band", "from": "health.band", "null": "keep"},
                    "signal": {"field": "signal"},
                },
            }
        },
        "queues": {"sales": ["ann@example.com", "bob@example.com", "gone@example.com"]},
    }
)
SPECS = {
    "account_key": FieldSpec(name="account_key", type="string", length=64),
    "health": FieldSpec(name="health", type="number", precision=3, scale=0),
    "band": FieldSpec(name="band", type="string", length=16),
    "signal": FieldSpec(name="signal", type="string", length=255),
}
PEOPLE = [
    Owner("1", "ann@example.com", "Ann", True),
    Owner("2", "bob@example.com", "Bob", True),
    Owner("3", "gone@example.com", "Gone", False),
]


class QuietConnector:
    """A CRM that answers from memory; ``matches`` are what it finds, by account id."""

    name = "crm"

    def __init__(self, matches: Mapping[str, Match] | None = None, failure: Exception | None = None) -> None:
        self.matches = matches or {}
        self.failure = failure

    def describe(self, object: str) -> Mapping[str, FieldSpec]:
        if self.failure:
            raise self.failure
        return SPECS

    def usage(self) -> Usage:
        return Usage(0, 0)

    def owners(self) -> list[Owner]:
        return PEOPLE

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> list[Any]:
        return []

    def read_back(self, since: Any, fields: Any, tasks: Any) -> ReadBack:
        return ReadBack([], {"at": "now"})

    def match(self, keys: list[MatchKey], fields: Any) -> list[Match]:
        return [self.matches.get(key.account_id, Match(account_id=key.account_id, status="missing")) for key in keys]

    def server_time(self) -> None:
        return None

    def record_url(self, record_id: str) -> str:
        return f"https://crm.example/{record_id}"


def record(account_id: str, owner_id: str | None = None) -> Record:
    return Record(
        account_id=account_id,
        status="matched",
        record_id=f"R{account_id}",
        matched_by="account_key",
        candidates=(),
        owner_id=owner_id,
        values={},
    )


def view(
    *records: Record, shown: Mapping[str, Mapping[str, Scalar]] | None = None, connector: Any = None, **more: Any
) -> CrmView:
    read = {name: more.pop(name) for name in ("specs", "problem") if name in more}
    stored = StoredCrm(
        records={one.account_id: one for one in records},
        snapshot={f"R{account}": {"account_key": account, **values} for account, values in (shown or {}).items()},
        **more,
    )
    people = People(PEOPLE, SETTINGS.queues, Counter())
    crm: Any = connector or QuietConnector()
    made = crm_view("crm", SETTINGS.destinations["crm"], crm, stored, people)
    for name, value in {"specs": SPECS, **read}.items():
        setattr(made.readings, name, value)
    return made


def wanted(accounts: Mapping[str, Mapping[str, Any]], *tasks: MakeTask, **more: Any) -> Desired:
    return Desired(accounts, more.get("set_fields", {}), tasks, more.get("left", frozenset()))


def plan_of(made: CrmView, desired: Desired) -> Plan:
    return make_plan([made], desired, "2026-07-01T00:00:00Z", "v1")


def changes(plan: Plan) -> dict[str, dict[str, tuple[Scalar, Scalar]]]:
    return {c.account_id: {x.field: (x.old, x.new) for x in c.changes} for c in plan.records}


def task(account_id: str = "a", **changed: Any) -> MakeTask:
    values: dict[str, Any] = {
        "key": f"key-{account_id}",
        "task_key": "call",
        "account_id": account_id,
        "playbook_id": "pql",
        "entry": 1,
        "to": Assignee("account_owner"),
        "if_no_owner": Assignee("round_robin", "sales"),
        "subject": "Call",
        "body": "Why",
        "priority": "high",
        "due": date(2026, 7, 2),
        "if_open_task": "skip",
        "close_when_leaves": True,
        "rank": 50.0,
    }
    return MakeTask(**(values | changed))


def open_row(account_id: str = "a", key: str = "old", **changed: Any) -> TaskRow:
    values = {
        "destination": "crm",
        "key": key,
        "task_id": f"T-{key}",
        "account_id": account_id,
        "playbook_id": "pql",
        "task_key": "call",
        "entry": 1,
        "status": "open",
        "owner_id": "1",
        "close_when_leaves": True,
    }
    return TaskRow(**(values | changed))  # type: ignore[arg-type]


# ---------------------------------------------------------------------------- fields


def test_only_values_that_differ_in_the_crms_precision_are_planned() -> None:
    made = view(record("a"), record("b"), shown={"a": {"health": 71, "band": "green"}, "b": {"health": 70}})
    plan = plan_of(made, wanted({"a": {"health.score": 70.6, "health.band": "green"}, "b": {"health.score": 71.2}}))
    assert changes(plan) == {"b": {"health": (70, 71)}}


def test_an_unknown_value_clears_or_keeps_as_the_field_says() -> None:
    made = view(record("a"), shown={"a": {"health": 71, "band": "green"}})
    assert changes(plan_of(made, wanted({"a": {}}))) == {"a": {"health": (71, None)}}


def test_the_account_id_is_stamped_when_another_field_found_the_record() -> None:
    made = view(record("a"))
    made.readings.snapshot["Ra"] = {"account_key": None, "health": 70}
    assert changes(plan_of(made, wanted({"a": {"health.score": 70}}))) == {"a": {"account_key": (None, "a")}}


def test_what_a_playbook_set_is_wanted_until_it_is_dropped() -> None:
    made = view(record("a"), shown={"a": {"signal": None}})
    plan = plan_of(made, wanted({"a": {}}, set_fields={"a": {"signal": "near the limit"}}))
    assert changes(plan) == {"a": {"signal": (None, "near the limit")}}
    made.readings.snapshot["Ra"] = {**made.readings.snapshot["Ra"], "signal": "near the limit"}
    assert changes(plan_of(made, wanted({"a": {}}))) == {"a": {"signal": ("near the limit", None)}}


def test_a_value_the_field_cannot_hold_is_refused_and_its_neighbours_go() -> None:
    made = view(record("a"), shown={"a": {}})
    plan = plan_of(made, wanted({"a": {"health.score": 12345, "health.band": "green"}}))
    assert changes(plan) == {"a": {"band": (None, "green")}}
    assert [(one.field, one.account_id) for one in plan.invalid] == [("health", "a")]
    assert "12345" not in plan.invalid[0].reason


def test_a_value_sent_without_an_answer_is_sent_again_even_if_it_seems_right() -> None:
    made = view(record("a"), shown={"a": {"health": 70}}, attempted={"Ra": {"health": 70}})
    assert changes(plan_of(made, wanted({"a": {"health.score": 70}}))) == {"a": {"health": (70, 70)}}


def test_values_that_were_refused_before_are_marked_and_not_counted() -> None:
    made = view(record("a"), shown={"a": {"health": 70}}, parked={"Ra": {"health": 71}})
    (change,) = plan_of(made, wanted({"a": {"health.score": 71}})).records
    assert change.parked
    (change,) = plan_of(made, wanted({"a": {"health.score": 72}})).records
    assert not change.parked


def test_a_field_the_crm_does_not_have_is_said_once_and_skipped() -> None:
    made = view(record("a"), record("b"), specs={k: v for k, v in SPECS.items() if k != "health"})
    plan = plan_of(made, wanted({"a": {"health.score": 1, "health.band": "red"}, "b": {"health.score": 2}}))
    assert plan.missing_fields == {"crm": ["health"]}
    assert all("health" not in fields for fields in changes(plan).values())


def test_a_field_that_our_user_may_not_write_keeps_none_of_the_others_back() -> None:
    made = view(record("a"), specs={**SPECS, "health": replace(SPECS["health"], writable=False)})
    plan = plan_of(made, wanted({"a": {"health.score": 1, "health.band": "red"}}))
    assert set(changes(plan)["a"]) == {"account_key", "band"}
    (refused,) = plan.invalid
    assert (refused.field, refused.reason) == ("health", "health cannot be written by our user: allow editing it")


# ---------------------------------------------------------------------------- matching


def match(account_id: str, record_id: str, by: str = "domain") -> Match:
    return Match(account_id=account_id, status="matched", record_id=record_id, by=by)


def test_two_accounts_on_one_record_are_reported_and_never_guessed() -> None:
    connector = QuietConnector({"a": match("a", "R1"), "b": match("b", "R1"), "c": match("c", "R2")})
    made = view(connector=connector)
    read_crm(made, {"a": {}, "b": {}, "c": {}})
    plan = plan_of(made, wanted({"a": {}, "b": {}, "c": {}}))
    assert {one.account_id: (one.status, one.candidates) for one in plan.unmatched} == {
        "a": ("ambiguous", ("https://crm.example/R1",)),
        "b": ("ambiguous", ("https://crm.example/R1",)),
    }
    assert set(changes(plan)) == {"c"}


def test_the_account_whose_id_the_record_carries_keeps_it() -> None:
    connector = QuietConnector({"a": match("a", "R1", "account_key"), "b": match("b", "R1")})
    made = view(connector=connector)
    read_crm(made, {"a": {}, "b": {}})
    assert made.record_of("a") is not None
    assert made.record_of("b") is None


def test_a_record_that_belongs_to_a_known_account_is_not_given_away() -> None:
    made = view(
        replace(record("a"), record_id="R1", matched_by="domain"), connector=QuietConnector({"b": match("b", "R1")})
    )
    read_crm(made, {"a": {}, "b": {}})
    assert made.record_of("a") is not None
    assert made.record_of("b") is None


def test_a_crm_that_cannot_be_read_gets_no_fields_but_its_tasks_wait() -> None:
    made = view(record("a"), connector=QuietConnector(failure=Unavailable("maintenance", 30)))
    read_crm(made, {"a": {}})
    plan = plan_of(made, wanted({"a": {"health.score": 1}}, task()))
    assert plan.problems == {"crm": "maintenance"}
    assert plan.records == []
    assert [(one.kind, one.record_id) for one in plan.tasks] == [("task_create", None)]


# ---------------------------------------------------------------------------- tasks


def owners_of(plan: Plan) -> list[str | None]:
    return [one.payload["owner_id"] for one in plan.tasks]


@pytest.mark.parametrize(
    ("record_owner", "fields", "to", "expected"),
    [
        ("2", {}, Assignee("account_owner"), "2"),
        ("3", {"account.owner_email": "ANN@example.com"}, Assignee("account_owner"), "1"),
        ("3", {}, Assignee("account_owner"), "1"),
        (None, {"account.csm_email": "bob@example.com"}, Assignee("csm"), "2"),
        (None, {"account.csm_email": "gone@example.com"}, Assignee("csm"), "1"),
        (None, {}, Assignee("user", "bob@example.com"), "2"),
    ],
)
def test_a_task_goes_to_the_first_active_person_of_its_wishes(
    record_owner: str | None, fields: dict[str, Any], to: Assignee, expected: str
) -> None:
    plan = plan_of(view(record("a", record_owner)), wanted({"a": fields}, task(to=to)))
    assert owners_of(plan) == [expected]


def test_nobody_is_better_than_somebody_who_left() -> None:
    wishes: dict[str, Any] = {"to": Assignee("user", "gone@example.com"), "if_no_owner": None}
    assert owners_of(plan_of(view(record("a")), wanted({"a": {}}, task(**wishes)))) == [None]


def test_a_queue_shares_its_tasks_out() -> None:
    accounts: dict[str, dict[str, Any]] = {name: {} for name in "abcd"}
    tasks = [task(name, to=Assignee("queue", "sales")) for name in accounts]
    plan = plan_of(view(*(record(name) for name in accounts)), wanted(accounts, *tasks))
    assert Counter(owners_of(plan)) == {"1": 2, "2": 2}


@pytest.mark.parametrize(
    ("if_open_task", "kinds"), [("skip", []), ("update", ["task_update"]), ("create", ["task_create"])]
)
def test_an_open_task_is_left_updated_or_joined_as_the_playbook_says(if_open_task: str, kinds: list[str]) -> None:
    made = view(record("a"), tasks={"old": open_row()})
    plan = plan_of(made, wanted({"a": {}}, task(if_open_task=if_open_task)))
    assert [one.kind for one in plan.tasks] == kinds


def test_leaving_closes_what_nobody_has_touched_and_only_once() -> None:
    rows = {
        "mine": open_row(key="mine"),
        "started": open_row(key="started", status="in_progress"),
        "kept": open_row(key="kept", close_when_leaves=False),
        "done": open_row(key="done", status="completed"),
        "asked": open_row(key="asked"),
    }
    made = view(record("a"), tasks=rows, closing=frozenset({"asked"}))
    plan = plan_of(made, wanted({"a": {}}, left=frozenset({("pql", "a")})))
    assert [(one.kind, one.key) for one in plan.tasks] == [("task_close", "mine")]
    assert plan_of(made, wanted({"a": {}})).tasks == []


def test_a_task_that_waited_for_a_match_gets_its_record_and_its_owner() -> None:
    row = WaitingTask(
        id=7,
        key="key-a",
        account_id="a",
        playbook_id="pql",
        payload={"subject": "Call", "owner_id": None},
        context=TaskContext(task_key="call", entry=1, assignee_candidates=(Assignee("account_owner"),)),
        rank=50.0,
    )
    plan = plan_of(view(record("a", "2"), waiting=[row]), wanted({"a": {}}))
    assert [(one.waiting_row, one.record_id, one.payload["owner_id"]) for one in plan.tasks] == [(7, "Ra", "2")]
    assert plan_of(view(waiting=[row]), wanted({"a": {}})).tasks == []


# ---------------------------------------------------------------------------- guard


def many(number: int, **fields: Any) -> tuple[CrmView, Desired]:
    names = [f"a{n:03}" for n in range(number)]
    made = view(*(record(name) for name in names), shown={name: {"health": 50} for name in names})
    return made, wanted(dict.fromkeys(names, fields))


def test_the_guard_stops_a_plan_that_changes_too_much_and_says_what() -> None:
    plan = plan_of(*many(100, **{"health.score": 51}))
    with pytest.raises(UnsafePlan, match="100 of 100 records would change, the guard allows 30%"):
        check_plan(plan, Guard(), first_run=False)
    check_plan(plan, Guard(), first_run=True)


def test_the_guard_stops_a_plan_that_clears_a_field_even_where_changes_are_allowed() -> None:
    plan = plan_of(*many(100))
    with pytest.raises(UnsafePlan, match="health would be cleared on 100 of 100 records"):
        check_plan(plan, Guard(changed_share=1.0), first_run=False)


def test_the_guard_counts_new_tasks_even_in_a_first_run() -> None:
    names = [f"a{n}" for n in range(6)]
    plan = plan_of(view(*(record(name) for name in names)), wanted({n: {} for n in names}, *map(task, names)))
    check_plan(plan, Guard(new_tasks=6), first_run=True)
    with pytest.raises(UnsafePlan, match="6 new tasks in one run, the guard allows 5"):
        check_plan(plan, Guard(new_tasks=5), first_run=True)


def test_a_handful_of_records_never_trips_the_guard() -> None:
    check_plan(plan_of(*many(ALWAYS_ALLOWED, **{"health.score": 51})), Guard(), first_run=False)


# ---------------------------------------------------------------------------- the plan itself


def test_the_fingerprint_holds_while_the_writes_are_the_same() -> None:
    def made(score: int, shown: int) -> str:
        return plan_of(
            view(record("a"), shown={"a": {"health": shown}}), wanted({"a": {"health.score": score}})
        ).fingerprint()

    assert made(70, 60) == made(70, 60)
    assert len({made(70, 60), made(71, 60), made(70, 61)}) == 3
