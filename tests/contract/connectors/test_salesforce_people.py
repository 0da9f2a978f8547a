"""People in Salesforce: contacts, leads and what leads became; and tasks that name them by its rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Connector
from connectors.registry import connect
from tests.contract.connectors.drive import companies, statuses, task, write_calls
from tests.contract.connectors.harness_salesforce import SalesforceCrm

pytestmark = pytest.mark.parametrize("running", ["salesforce"], indirect=True)

ANN = "ann@c0.example"


def add_lead(crm: SalesforceCrm, email: str) -> str:
    values = {"LastName": "Lee", "Company": "Acme", "Email": email}
    return str(crm.mutate(do="create", object="Lead", values=values)["id"])


def convert(crm: SalesforceCrm, lead: str, **into: str) -> str:
    return str(crm.mutate(do="convert_lead", id=lead, **into)["contact"])


def merge(crm: SalesforceCrm, survivor: str, loser: str) -> None:
    crm.mutate(do="merge", survivor=survivor, losers=[loser])


def relations(crm: SalesforceCrm) -> list[tuple[Any, Any]]:
    return [(one.get("WhatId"), one.get("WhoId")) for one in crm.records("Task")]


def test_two_contacts_with_one_address_are_reported_oldest_first(crm: SalesforceCrm, connector: Connector) -> None:
    first = crm.human_adds_person(ANN)
    crm.pass_time(60)
    second = crm.human_adds_person(ANN.upper())
    [found] = connector.people([ANN])
    assert (found.status, found.person_id, found.candidates) == ("ambiguous", None, (first, second))


def test_a_lead_is_somebody_until_there_is_a_contact(crm: SalesforceCrm, connector: Connector) -> None:
    lead = add_lead(crm, ANN)
    assert (connector.people([ANN])[0].person_id, connector.people([ANN])[0].record_id) == (lead, None)
    ann = crm.human_adds_person(ANN)
    assert connector.people([ANN])[0].person_id == ann


def test_two_leads_with_one_address_are_reported(crm: SalesforceCrm, connector: Connector) -> None:
    leads = [add_lead(crm, ANN), add_lead(crm, ANN)]
    [found] = connector.people([ANN])
    assert (found.status, sorted(found.candidates)) == ("ambiguous", sorted(leads))


def test_a_converted_lead_is_the_contact_it_became_whatever_its_address_now(
    crm: SalesforceCrm, connector: Connector
) -> None:
    [record] = companies(crm, 1)
    contact = convert(crm, add_lead(crm, ANN), account=record)
    crm.mutate(do="edit", id=contact, values={"Email": "ann@new.example"})
    [found] = connector.people([ANN])
    assert (found.status, found.person_id, found.record_id) == ("matched", contact, record)


def test_a_converted_lead_is_followed_through_a_merge_of_contacts(crm: SalesforceCrm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    contact = convert(crm, add_lead(crm, ANN), account=record)
    survivor = crm.human_adds_person("other@c0.example", record)
    merge(crm, survivor, contact)
    crm.mutate(do="edit", id=survivor, values={"Email": "other@c0.example"})
    assert connector.people([ANN])[0].person_id == survivor


def test_a_converted_lead_whose_contact_is_gone_is_nobody(crm: SalesforceCrm, connector: Connector) -> None:
    crm.mutate(do="delete", id=convert(crm, add_lead(crm, ANN)))
    assert connector.people([ANN])[0].status == "missing"


@pytest.mark.parametrize("hidden", ["a field", "the object"])
def test_a_user_without_leads_still_finds_contacts(crm: SalesforceCrm, connector: Connector, hidden: str) -> None:
    ann = crm.human_adds_person(ANN)
    add_lead(crm, "bob@c0.example")
    if hidden == "a field":
        crm.mutate(do="hide_field", object="Lead", field="ConvertedContactId")
    else:
        crm.control("config", {"hidden_objects": ["Lead"]})
    assert [person.person_id for person in connector.people([ANN, "bob@c0.example"])] == [ann, None]


def test_where_our_records_are_contacts_a_person_is_their_own_record(crm: SalesforceCrm) -> None:
    ann = crm.human_adds_person(ANN)
    connector = connect(replace(crm.destination(), object="Contact"))
    assert connector.people([ANN])[0].record_id == ann


def test_finding_people_costs_one_call_for_contacts_and_one_for_leads(crm: SalesforceCrm, connector: Connector) -> None:
    crm.human_adds_person(ANN)
    connector.people([ANN])
    crm.forget_calls()
    connector.people([f"p{n}@c0.example" for n in range(200)])
    assert len(crm.calls()) == 2


# ------------------------------------------------------------------ tasks


def test_a_task_with_a_lead_is_about_the_account_alone_and_costs_one_write(
    crm: SalesforceCrm, connector: Connector
) -> None:
    [record] = companies(crm, 1)
    crm.forget_calls()
    assert statuses(connector.write([replace(task(record), person_id=add_lead(crm, ANN))])) == ["applied"]
    assert relations(crm) == [(record, None)]
    assert write_calls(crm) == 1


def test_an_org_that_refuses_people_on_tasks_gets_them_without(crm: SalesforceCrm, connector: Connector) -> None:
    records = companies(crm, 3)
    people = [crm.human_adds_person(f"ann@c{n}.example", record) for n, record in enumerate(records)]
    rule = {"object": "Task", "when": "WhoId != null", "message": "WhoId: no people here", "field": "WhoId"}
    crm.control("config", {"validation_rules": [rule]})
    crm.forget_calls()
    operations = [replace(task(record), person_id=person) for record, person in zip(records, people, strict=True)]
    outcomes = connector.write([*operations, task(records[0], "plain")])
    assert statuses(outcomes) == ["applied"] * 4
    assert [outcome.key for outcome in outcomes[:3]] == [op.key for op in operations]
    assert {who for _, who in relations(crm)} == {None}
    assert write_calls(crm) == 2


def test_a_task_whose_account_is_gone_is_refused_with_or_without_its_person(
    crm: SalesforceCrm, connector: Connector
) -> None:
    [record] = companies(crm, 1)
    ann = crm.human_adds_person(ANN)
    crm.human_deletes_company(record)
    [outcome] = connector.write([replace(task(record), person_id=ann)])
    assert (outcome.status, outcome.stale_record) == ("rejected", True)
    assert crm.tasks() == []


def test_losing_the_second_try_is_reported_for_those_tasks_only(crm: SalesforceCrm, connector: Connector) -> None:
    records = companies(crm, 2)
    gone = crm.human_adds_person(ANN)
    crm.human_deletes_person(gone)
    down = {"kind": "status", "args": {"status": 503}, "match": {"path_regex": "composite/sobjects", "nth": 2}}
    crm.control("faults", down)
    operations = [task(records[0]), replace(task(records[1]), person_id=gone)]
    assert statuses(connector.write(operations)) == ["applied", "retry"]
    assert statuses(connector.write(operations)) == ["applied", "applied"]
    assert sorted(what for what, _ in relations(crm)) == sorted(records)


@pytest.mark.parametrize("kind", ["lead", "contact"])
def test_where_our_records_are_people_the_task_names_the_record(
    crm: SalesforceCrm, connector: Connector, kind: str
) -> None:
    record = add_lead(crm, ANN) if kind == "lead" else crm.human_adds_person(ANN)
    assert statuses(connector.write([task(record)])) == ["applied"]
    assert relations(crm) == [(None, record)]
