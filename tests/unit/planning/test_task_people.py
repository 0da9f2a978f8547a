"""A task names the one human the CRM has for an address, asked for once; else it says why it names nobody."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import AccessDenied, Person
from tests.unit.planning.test_make_plan import open_row, plan_of, record, task, view, wanted
from tests.unit.planning.whole_crm import WholeCrm
from worker.delivery.backlog import WaitingTask
from worker.planning.plan import Plan
from worker.rules.actions import Contact

ANN = Contact("top_user.email", " Ann@Acme.io ")
KNOWN = [
    Person("ann@acme.io", "matched", "P1", "Ra"),
    Person("two@acme.io", "ambiguous", candidates=("P2", "P3")),
]


@pytest.fixture
def crm() -> WholeCrm:
    return WholeCrm(people_known=KNOWN)


def people_of(plan: Plan) -> list[tuple[str | None, str]]:
    return [(one.payload.get("person_id"), one.no_person) for one in plan.tasks]


def test_everybody_is_asked_for_at_once_and_nobody_for_a_task_that_is_not_made(crm: WholeCrm) -> None:
    tasks = [
        task("a", contact=ANN),
        task("b", contact=Contact("top_user.email", "ANN@acme.io")),
        task("c", contact=Contact("top_user.email", "bob@acme.io")),
        task("d", contact=Contact("top_user.email", "skipped@acme.io")),
        task("e", contact=Contact("top_user.email", "norecord@acme.io")),
        task("f"),
    ]
    made = view(*(record(name) for name in "abcdf"), connector=crm, tasks={"old": open_row("d")})
    plan = plan_of(made, wanted({name: {} for name in "abcdef"}, *tasks))
    assert crm.asked_people == [["ann@acme.io", "bob@acme.io"]]
    assert {one.account_id: (one.payload["person_id"], one.no_person) for one in plan.tasks} == {
        "a": ("P1", ""),
        "b": ("P1", ""),
        "c": (None, "nobody has the address of top_user.email"),
        "e": (None, ""),
        "f": (None, ""),
    }
    assert {one.key for one in plan.tasks} == {"key-a", "key-b", "key-c", "key-e", "key-f"}, "a person is no identity"


@pytest.mark.parametrize(
    ("email", "why"),
    [
        (None, "top_user.email is not known"),
        ("u_4711", "top_user.email is no e-mail address"),
        (47, "top_user.email is no e-mail address"),
        ("two@acme.io", "2 people have the address of top_user.email"),
    ],
)
def test_a_task_without_a_sure_person_is_made_and_says_why(crm: WholeCrm, email: Any, why: str) -> None:
    made = view(record("a"), connector=crm)
    plan = plan_of(made, wanted({"a": {}}, task("a", contact=Contact("top_user.email", email))))
    assert people_of(plan) == [(None, why)]
    assert plan.tasks[0].no_person == why
    assert len(crm.asked_people) == int("@" in str(email)), "no question, no call"


def test_a_crm_that_refuses_to_tell_gets_its_tasks_all_the_same(crm: WholeCrm) -> None:
    crm.people_failure = AccessDenied("the scope crm.objects.contacts.read is missing")
    plan = plan_of(view(record("a"), connector=crm), wanted({"a": {}}, task("a", contact=ANN)))
    told = "people could not be read: the scope crm.objects.contacts.read is missing"
    assert people_of(plan) == [(None, told)]


def test_the_plan_as_json_says_whom_a_task_should_name_and_why_it_does_not(crm: WholeCrm) -> None:
    nobody = task("a", contact=Contact("top_user.email", "eve@acme.io"))
    plan = plan_of(view(record("a"), record("b"), connector=crm), wanted({"a": {}, "b": {}}, nobody, task("b")))
    first, second = plan.to_json()["tasks"]
    assert first["no_person"] == "nobody has the address of top_user.email"
    assert first["context"]["contact"] == {"field": "top_user.email", "email": "eve@acme.io"}
    assert (second["no_person"], "contact" in second["context"]) == ("", False)


def test_a_crm_that_was_not_read_is_not_asked(crm: WholeCrm) -> None:
    plan = plan_of(view(record("a"), connector=crm, problem="down"), wanted({"a": {}}, task("a", contact=ANN)))
    assert (crm.asked_people, people_of(plan)) == ([], [(None, "")])


def test_a_task_that_waited_for_its_record_gets_its_person_then(crm: WholeCrm) -> None:
    (waited,) = plan_of(view(connector=crm), wanted({"a": {}}, task("a", contact=ANN))).tasks
    row = WaitingTask(
        id=7,
        key=waited.key,
        account_id="a",
        playbook_id="pql",
        payload=waited.payload,
        context=waited.context,
        rank=50.0,
    )
    plan = plan_of(view(record("a"), connector=crm, waiting=[row]), wanted({"a": {}}))
    assert people_of(plan) == [("P1", "")]
    assert crm.asked_people == [["ann@acme.io"]]
