"""``create_missing``: one record for an account that has none, once for ever, never on a guess, under the guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, update

from connectors.base import FieldSpec
from tests.unit.planning.whole_crm import KEY, NoReasons, WholeCrm
from worker.delivery.backlog import drop_rows, waiting_rows
from worker.delivery.send import Delivery, deliver
from worker.planning.crm_view import load_view, save_view
from worker.planning.desired import Desired
from worker.planning.enqueue import enqueue_plan
from worker.planning.guard import UnsafePlan, check_plan
from worker.planning.make_plan import make_plan
from worker.planning.plan import Plan
from worker.planning.read_crm import read_crm
from worker.rules.actions import MakeTask
from worker.settings.crm import CrmSettings, Guard
from worker.settings.playbook import Assignee
from worker.store.tables import outbox

SPECS = {
    KEY: FieldSpec(name=KEY, type="string", length=64, unique=True),
    "name": FieldSpec(name="name", type="string", length=40, nillable=False),
    "domain": FieldSpec(name="domain", type="string", length=255),
    "health": FieldSpec(name="health", type="number", precision=3, scale=0),
    "note": FieldSpec(name="note", type="string", length=255),
}
ACME = {"account.name": "Acme", "account.domain": "acme.io", "account.is_internal": False, "health.score": 72.4}


def crm_settings(**account: Any) -> CrmSettings:
    create = {"create_missing": True, "create": {"name": "account.name", "domain": "account.domain"}}
    destination = {
        "kind": "hubspot",
        "auth": {"token": "env:TOKEN"},
        "account": {"object": "companies", "match_field": KEY, **create, **account},
        "tasks": {"key_field": "task_key"},
        "fields": {
            "health_score": {"field": "health", "from": "health.score", "type": "number"},
            "note": {"field": "note", "from": "our.note", "write": "if_ours"},
        },
    }
    return CrmSettings.model_validate({"version": 1, "destinations": {"crm": destination}})


@dataclass
class Story:
    """Accounts, a CRM without records, and run after run."""

    store: Engine
    crm: WholeCrm = field(default_factory=lambda: WholeCrm(specs=SPECS))
    settings: CrmSettings = field(default_factory=crm_settings)

    def plan(self, accounts: Mapping[str, Mapping[str, Any]], *tasks: MakeTask, commit: bool = False) -> Plan:
        with self.store.begin() as connection:
            view = load_view(connection, "crm", self.settings, self.crm, datetime(2026, 7, 1, tzinfo=UTC))
        read_crm(view, accounts)
        assert view.readings.problem == ""
        plan = make_plan([view], Desired(accounts, {}, tasks, frozenset()), "2026-07-01T00:00:00Z", "v1")
        if commit:
            with self.store.begin() as connection:
                save_view(connection, view)
                enqueue_plan(connection, [view], plan, "r", NoReasons())
                connection.execute(update(outbox).values(due_at=0.0))
        return plan

    def deliver(self) -> Delivery:
        return deliver(self.store, self.crm, now=lambda: datetime(2026, 7, 1, tzinfo=UTC))

    def run(self, accounts: Mapping[str, Mapping[str, Any]], *tasks: MakeTask) -> Plan:
        plan = self.plan(accounts, *tasks, commit=True)
        self.deliver()
        return plan


@pytest.fixture
def story(store: Engine) -> Story:
    return Story(store)


def task(account_id: str) -> MakeTask:
    return MakeTask(
        key="k1",
        task_key="call",
        account_id=account_id,
        playbook_id="pql",
        entry=1,
        to=Assignee("account_owner"),
        if_no_owner=None,
        subject="Call",
        body="Why",
        priority="high",
        due=date(2026, 7, 2),
        if_open_task="skip",
        close_when_leaves=True,
        rank=50.0,
    )


def not_made(plan: Plan) -> dict[str, str]:
    return {one.account_id: one.not_made for one in plan.unmatched}


def test_a_record_is_made_with_its_fields_in_one_call_and_then_nothing_is_left_to_write(story: Story) -> None:
    plan = story.run({"a": ACME})
    assert [(one.account_id, one.state) for one in plan.new_records] == [("a", "new")]
    assert plan.unmatched == []
    assert story.crm.records == {"N-a": {KEY: "a", "name": "Acme", "domain": "acme.io", "health": 72}}
    assert len(story.crm.calls) == 1
    again = story.run({"a": ACME})
    assert (again.new_records, again.records, len(story.crm.calls)) == ([], [], 1)


def test_a_task_that_waited_for_a_record_follows_it_at_the_next_run_with_the_owner_the_crm_gave_it(
    story: Story,
) -> None:
    story.run({"a": ACME}, task("a"))
    assert story.crm.tasks == {}
    story.run({"a": ACME})
    assert [(made.record_id, made.owner_id) for made in story.crm.tasks.values()] == [("N-a", "1")]


def test_records_are_delivered_before_tasks_and_fields(story: Story) -> None:
    story.crm.records["R"] = {KEY: "b"}
    story.run({"a": ACME, "b": {"health.score": 1}}, task("b"))
    assert story.crm.calls == [["a"], ["k1"], ["R"]]


def test_it_is_opt_in(story: Story) -> None:
    story.settings = crm_settings(create_missing=False)
    plan = story.run({"a": ACME})
    assert (plan.new_records, not_made(plan), story.crm.records) == ([], {"a": ""}, {})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"account.is_internal": True}, "the account is internal"),
        ({"account.is_internal": None}, "account.is_internal is not known"),
        ({"account.deleted_at": date(2026, 6, 1)}, "the account is deleted"),
        ({"account.name": None}, "account.name is not known, and name must have a value"),
    ],
)
def test_only_a_customer_with_what_the_crm_requires_gets_a_record(
    story: Story, changed: Mapping[str, Any], why: str
) -> None:
    plan = story.run({"a": {**ACME, **changed}})
    assert (plan.new_records, not_made(plan), story.crm.records) == ([], {"a": why}, {})


def test_an_account_that_could_be_several_records_never_gets_one(story: Story) -> None:
    story.crm.ambiguous["a"] = ("R1", "R2")
    plan = story.run({"a": ACME})
    assert (plan.new_records, story.crm.records) == ([], {})
    assert plan.unmatched[0].candidates == ("https://crm.example/R1", "https://crm.example/R2")


def test_an_answer_that_got_lost_makes_no_second_record(story: Story) -> None:
    story.crm.script = lambda _operation: "applied_unheard"
    story.run({"a": ACME})
    story.crm.script = lambda _operation: "applied"
    for _ in range(3):
        story.run({"a": {**ACME, "health.score": 80}})
    assert story.crm.of_account("a") == ["N-a"]
    assert story.crm.records["N-a"]["health"] == 80


def test_a_record_the_crm_does_not_find_yet_is_not_made_twice_nor_rewritten(story: Story) -> None:
    story.run({"a": ACME})
    story.crm.hidden.add("N-a")
    assert story.run({"a": ACME}).records == []
    assert len(story.crm.calls) == 1
    story.crm.hidden.clear()
    story.run({"a": {**ACME, "health.score": 10}})
    assert story.crm.records == {"N-a": {KEY: "a", "name": "Acme", "domain": "acme.io", "health": 10}}


def test_a_record_that_was_there_already_is_taken_and_its_values_are_a_persons(story: Story) -> None:
    story.crm.records["R"] = {KEY: "a", "note": "sales wrote this"}
    story.crm.hidden.add("R")
    story.run({"a": {**ACME, "our.note": "ours"}})
    story.crm.hidden.clear()
    plan = story.run({"a": {**ACME, "our.note": "ours"}})
    assert story.crm.records == {"R": {KEY: "a", "note": "sales wrote this", "health": 72}}
    assert [one.field for one in plan.human_owned] == ["note"]


def test_what_stands_empty_in_a_record_that_was_there_already_is_ours_to_fill(story: Story) -> None:
    story.crm.records["R"] = {KEY: "a"}
    story.crm.hidden.add("R")
    story.run({"a": {**ACME, "our.note": "ours"}})
    story.crm.hidden.clear()
    story.run({"a": {**ACME, "our.note": "ours"}})
    assert story.crm.records == {"R": {KEY: "a", "note": "ours", "health": 72}}


def test_what_a_new_record_got_from_us_stays_ours(story: Story) -> None:
    story.run({"a": {**ACME, "our.note": "1"}})
    story.run({"a": {**ACME, "our.note": "2"}})
    assert story.crm.records["N-a"]["note"] == "2"


@pytest.mark.parametrize("found_first", [True, False])
def test_a_record_that_a_person_deleted_is_not_made_again(story: Story, found_first: bool) -> None:
    story.run({"a": ACME})
    if found_first:
        story.run({"a": ACME})
    story.crm.human_deletes("N-a")
    for _ in range(2):
        plan = story.run({"a": {**ACME, "health.score": 5}})
        assert (plan.new_records, story.crm.records) == ([], {})
    assert not_made(plan) == {"a": "its record was deleted in the CRM"}


def test_nor_is_one_that_people_made_and_deleted(story: Story) -> None:
    story.crm.records["R"] = {KEY: "a"}
    story.run({"a": ACME})
    story.crm.human_deletes("R")
    for _ in range(2):
        plan = story.run({"a": ACME})
    assert (story.crm.records, not_made(plan)) == ({}, {"a": "its record was deleted in the CRM"})


def test_a_refused_record_is_sent_again_when_its_values_change(story: Story) -> None:
    story.crm.script = lambda _operation: "rejected"
    story.run({"a": ACME})
    story.crm.script = lambda _operation: "applied"
    plan = story.run({"a": ACME})
    assert [one.state for one in plan.new_records] == ["parked"]
    assert (len(story.crm.calls), story.crm.records) == (1, {})
    story.run({"a": {**ACME, "account.name": "Acme Inc"}})
    assert story.crm.records["N-a"]["name"] == "Acme Inc"


def test_what_waits_is_withdrawn_when_a_person_makes_the_record_and_dropped_for_good_by_an_operator(
    story: Story,
) -> None:
    story.plan({"a": ACME, "b": ACME}, commit=True)
    story.crm.records["R"] = {KEY: "a"}
    story.plan({"a": ACME, "b": ACME}, commit=True)
    with story.store.begin() as connection:
        (row,) = [row for row in waiting_rows(connection) if row["kind"] == "record_create"]
        assert row["account_id"] == "b"
        assert drop_rows(connection, [row["id"]]) == 1
    plan = story.run({"a": ACME, "b": {**ACME, "account.name": "Bolt"}})
    assert (plan.new_records, not_made(plan)) == ([], {"b": "an operator dropped it"})
    assert set(story.crm.records) == {"R"}


def test_the_guard_counts_new_records_even_in_a_first_run_and_what_waits_only_once(story: Story) -> None:
    accounts = {f"a{n}": ACME for n in range(3)}
    plan = story.plan(accounts)
    check_plan(plan, Guard(new_records=3), first_run=True)
    with pytest.raises(UnsafePlan, match="3 new records in one run, the guard allows 2"):
        check_plan(plan, Guard(new_records=2), first_run=True)
    fingerprint = plan.fingerprint()
    assert story.plan({"a1": ACME}).fingerprint() != fingerprint
    story.plan(accounts, commit=True)
    waiting = story.plan(accounts)
    assert {one.state for one in waiting.new_records} == {"queued"}
    check_plan(waiting, Guard(new_records=0), first_run=False)


def test_an_account_with_a_shared_domain_gets_no_record_and_is_named_with_the_reason(store: Engine) -> None:
    story = Story(store)
    plan = story.run({"a": {**ACME, "account.domain": "outlook.com"}, "b": ACME})
    assert [record.account_id for record in plan.new_records] == ["b"]
    (left_out,) = plan.unmatched
    assert (left_out.account_id, left_out.not_made) == ("a", "outlook.com belongs to nobody")
    assert left_out.shared == "outlook.com belongs to nobody: not matched by it"
