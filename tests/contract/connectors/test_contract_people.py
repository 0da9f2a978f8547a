"""People: found by e-mail or reported, never guessed; and named by tasks where the CRM has them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.base import Connector
from tests.contract.connectors.drive import companies, deliver, keys_of_tasks, statuses, task, write_calls
from tests.contract.connectors.harness import Crm, Fault


def test_a_person_is_found_by_email_with_the_company_they_belong_to(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    ann = crm.human_adds_person("ann@c0.example", record)
    crm.pass_time(60)
    [found] = connector.people(["ann@c0.example"])
    assert (found.status, found.person_id, found.record_id) == ("matched", ann, record)
    assert found.candidates == ()


def test_people_are_answered_in_the_order_asked_whatever_the_case(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    ann = crm.human_adds_person("Ann@C0.example", record)
    bob = crm.human_adds_person("bob@c0.example", record)
    crm.pass_time(60)
    asked = ["bob@c0.example", "nobody@c0.example", " ANN@c0.example ", "bob@c0.example"]
    found = connector.people(asked)
    assert [person.email for person in found] == asked
    assert [person.person_id for person in found] == [bob, None, ann, bob]
    assert found[1].status == "missing"


def test_a_person_without_a_company_is_a_person(crm: Crm, connector: Connector) -> None:
    ann = crm.human_adds_person("ann@home.example")
    crm.pass_time(60)
    [found] = connector.people(["ann@home.example"])
    assert (found.status, found.person_id, found.record_id) == ("matched", ann, None)


def test_a_deleted_person_is_missing(crm: Crm, connector: Connector) -> None:
    ann = crm.human_adds_person("ann@home.example")
    crm.human_deletes_person(ann)
    crm.pass_time(60)
    [found] = connector.people(["ann@home.example"])
    assert (found.status, found.person_id) == ("missing", None)


def test_odd_addresses_find_only_themselves(crm: Crm, connector: Connector) -> None:
    odd = ["o'brien@x.example", "a+b@x.example", "a_b@x.example"]
    ids = [crm.human_adds_person(email) for email in odd]
    crm.human_adds_person("axb@x.example")
    crm.pass_time(60)
    assert [person.person_id for person in connector.people(odd)] == ids


def test_what_is_no_address_is_missing_not_everybody(crm: Crm, connector: Connector) -> None:
    crm.human_adds_person("ann@home.example")
    crm.pass_time(60)
    assert [person.status for person in connector.people(["", "%", "ann"])] == ["missing"] * 3


def test_many_people_cost_few_calls_and_no_write(crm: Crm, connector: Connector) -> None:
    ann = crm.human_adds_person("p7@x.example")
    crm.pass_time(60)
    crm.forget_calls()
    found = connector.people([f"p{n}@x.example" for n in range(250)])
    assert [n for n, person in enumerate(found) if person.person_id == ann] == [7]
    assert write_calls(crm) == 0
    assert len(crm.calls()) <= 10


def test_nobody_asked_for_costs_no_call(crm: Crm, connector: Connector) -> None:
    crm.forget_calls()
    assert list(connector.people([])) == []
    assert crm.calls() == []


def test_a_task_names_its_person_beside_the_company(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    ann = crm.human_adds_person("ann@c0.example", record)
    assert statuses(connector.write([replace(task(record), person_id=ann)])) == ["applied"]
    [seen] = crm.tasks()
    assert (seen.record_id, seen.person_id) == (record, ann)


def test_a_person_who_is_gone_does_not_cost_the_task(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    people = [crm.human_adds_person(f"ann@c{n}.example", record) for n, record in enumerate(records)]
    crm.human_deletes_person(people[1])
    operations = [replace(task(record), person_id=person) for record, person in zip(records, people, strict=True)]
    settled = deliver(crm, operations)
    assert {outcome.status for outcome in settled.values()} == {"applied"}
    assert {seen.record_id: seen.person_id for seen in crm.tasks()} == {
        records[0]: people[0],
        records[1]: None,
        records[2]: people[2],
    }


@pytest.mark.parametrize("fault", ["answer_lost", "answer_lost_midway"])
def test_a_lost_answer_leaves_one_task_with_its_person(crm: Crm, connector: Connector, fault: Fault) -> None:
    records = companies(crm, 12)
    people = [crm.human_adds_person(f"ann@c{n}.example", record) for n, record in enumerate(records)]
    operations = [replace(task(record), person_id=person) for record, person in zip(records, people, strict=True)]
    crm.arm(fault)
    deliver(crm, operations)
    assert keys_of_tasks(crm) == {op.key: 1 for op in operations}
    assert {seen.record_id: seen.person_id for seen in crm.tasks()} == dict(zip(records, people, strict=True))
