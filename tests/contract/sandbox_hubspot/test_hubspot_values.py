"""A value is stored in HubSpot's form or rejected in HubSpot's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.contract.sandbox_hubspot.client import Portal

TYPES: dict[str, dict[str, Any]] = {
    "number": {"fieldType": "number"},
    "date": {"fieldType": "date"},
    "datetime": {"fieldType": "date"},
    "bool": {
        "fieldType": "booleancheckbox",
        "options": [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}],
    },
    "enumeration": {"fieldType": "checkbox", "options": [{"label": x.upper(), "value": x} for x in "abc"]},
    "string": {"fieldType": "text"},
}


@pytest.fixture
def field(portal: Portal) -> Callable[[str], str]:
    def define(type_: str) -> str:
        assert portal.define(name="f", type=type_, hasUniqueValue=False, **TYPES[type_]).status_code == 201
        return portal.create(name="A")

    return define


def write(portal: Portal, record_id: str, value: str, name: str = "f") -> requests.Response:
    return portal.call("PATCH", f"/crm/v3/objects/companies/{record_id}", {"properties": {name: value}})


@pytest.mark.parametrize(
    ("type_", "sent", "stored"),
    [
        ("number", "3.50", "3.50"),
        ("number", "-1e3", "-1e3"),
        ("date", "2026-02-28", "2026-02-28"),
        ("date", "1772236800000", "2026-02-28"),
        ("datetime", "2026-02-28T10:00:00+02:00", "2026-02-28T08:00:00Z"),
        ("datetime", "1772265600123", "2026-02-28T08:00:00.123Z"),
        ("bool", "true", "true"),
        ("enumeration", "a;c", "a;c"),
        ("string", "  as it is ", "  as it is "),
    ],
)
def test_a_good_value_is_stored_in_its_form(
    portal: Portal, field: Callable[[str], str], type_: str, sent: str, stored: str
) -> None:
    record_id = field(type_)
    answer = write(portal, record_id, sent)
    assert (answer.status_code, answer.json()["properties"]["f"]) == (200, stored)
    assert portal.values(record_id)["f"] == stored


@pytest.mark.parametrize("number", ["12.50", "1e3", "-0.10", "7", "123456789012345678901234567890"])
def test_a_json_number_is_stored_as_it_was_written(portal: Portal, field: Callable[[str], str], number: str) -> None:
    record_id = field("number")
    url = f"{portal.url}/crm/v3/objects/companies/{record_id}"
    body = f'{{"properties": {{"f": {number}}}}}'
    answer = portal.http.patch(url, data=body, headers={"Content-Type": "application/json"}, timeout=10)
    assert answer.status_code == 200
    assert portal.values(record_id)["f"] == number


@pytest.mark.parametrize(
    ("type_", "sent", "code", "message"),
    [
        ("number", "many", "INVALID_INTEGER", "many was not a valid number."),
        ("number", "1.", "INVALID_INTEGER", "1. was not a valid number."),
        ("datetime", "soon", "INVALID_LONG", "soon was not a valid long."),
        ("date", "1641038400000", "INVALID_DATE", "1641038400000 is at 12:0:0.0 UTC, not midnight!"),
        ("date", "soon", "INVALID_LONG", "soon was not a valid long."),
        ("date", "2026-02-30", "INVALID_LONG", "2026-02-30 was not a valid long."),
        ("bool", "yes", "INVALID_OPTION", "yes was not one of the allowed options: [true, false]"),
        ("enumeration", "a;x", "INVALID_OPTION", "a;x was not one of the allowed options: [a, b, c]"),
    ],
)
def test_a_bad_value_is_rejected_and_changes_nothing(
    portal: Portal, field: Callable[[str], str], type_: str, sent: str, code: str, message: str
) -> None:
    record_id = field(type_)
    answer = write(portal, record_id, sent)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"message": message, "code": code, "context": {"propertyName": ["f"]}}]
    assert "f" not in portal.values(record_id)


def test_all_violations_of_a_record_are_reported_in_order(portal: Portal) -> None:
    record_id = portal.create(name="A")
    body = {"properties": {"nope": "1", "hs_lastmodifieddate": "1", "numberofemployees": "x", "name": "new"}}
    errors = portal.call("PATCH", f"/crm/v3/objects/companies/{record_id}", body).json()["errors"]
    assert [error["code"] for error in errors] == ["PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE", "INVALID_INTEGER"]
    assert errors[1]["message"] == '"hs_lastmodifieddate" is a read only property; its value cannot be set.'
    assert portal.values(record_id)["name"] == "A"


def test_the_errors_list_is_shorter_than_the_message_when_the_last_one_repeats(portal: Portal) -> None:
    answer = portal.batch("create", [{"properties": {"name": "A", "x1": "1", "x2": "2"}}] * 2).json()
    assert answer["message"].count("isValid") == 4
    assert len(answer["errors"]) == 3


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_an_empty_text_clears_every_type_and_stays_an_empty_text(
    portal: Portal, field: Callable[[str], str], type_: str
) -> None:
    good = {"number": "1", "date": "2026-01-01", "datetime": "0", "bool": "true", "enumeration": "a", "string": "x"}
    record_id = field(type_)
    write(portal, record_id, good[type_])
    assert write(portal, record_id, "").json()["properties"]["f"] == ""
    read = portal.get(f"/crm/v3/objects/companies/{record_id}", properties="f,phone").json()["properties"]
    assert (read["f"], read["phone"]) == ("", None)


def test_a_leading_semicolon_appends_to_a_multi_select(portal: Portal, field: Callable[[str], str]) -> None:
    record_id = field("enumeration")
    write(portal, record_id, "a")
    write(portal, record_id, ";c;a")
    assert portal.values(record_id)["f"] == "a;c"


def test_an_owner_must_exist(portal: Portal) -> None:
    owner = portal.control("mutate", {"action": "add_owner", "email": "ann@example.com"})["id"]
    record_id = portal.create(name="A")
    assert write(portal, record_id, "999", "hubspot_owner_id").status_code == 400
    assert write(portal, record_id, owner, "hubspot_owner_id").status_code == 200
    assert portal.values(record_id)["hubspot_owner_id"] == owner


def test_emails_are_lower_cased_and_must_look_like_one(portal: Portal) -> None:
    contact = portal.create("contacts", email="Ann@Example.COM")
    assert portal.values(contact, "contacts")["email"] == "ann@example.com"
    answer = portal.post("/crm/v3/objects/contacts", {"properties": {"email": "ann at example"}})
    assert answer.json()["errors"][0]["code"] == "INVALID_EMAIL"


def test_the_lifecycle_only_moves_forward_without_a_word(portal: Portal) -> None:
    record_id = portal.create(name="A", lifecyclestage="opportunity")
    answer = write(portal, record_id, "lead", "lifecyclestage")
    assert (answer.status_code, answer.json()["properties"]["lifecyclestage"]) == (200, "opportunity")
    write(portal, record_id, "customer", "lifecyclestage")
    assert portal.values(record_id)["lifecyclestage"] == "customer"
    write(portal, record_id, "", "lifecyclestage")
    write(portal, record_id, "lead", "lifecyclestage")
    assert portal.values(record_id)["lifecyclestage"] == "lead"


@pytest.mark.parametrize(
    ("kind", "properties", "missing"),
    [
        ("tasks", {"hs_task_subject": "x"}, ["hs_timestamp"]),
        ("companies", {"phone": "1"}, ["name", "domain"]),
        ("deals", {"dealname": "x"}, ["dealstage", "pipeline"]),
        ("contacts", {"phone": "1"}, ["email", "firstname", "lastname"]),
    ],
)
def test_what_is_required_on_create_is_named(
    portal: Portal, kind: str, properties: dict[str, str], missing: list[str]
) -> None:
    body = portal.post(f"/crm/v3/objects/{kind}", {"properties": properties}).json()
    name = {"tasks": "TASK", "companies": "COMPANY", "deals": "DEAL", "contacts": "CONTACT"}[kind]
    assert body["message"] == f"Error creating {name}. Some required properties were not set."
    assert (body["category"], body["context"]) == ("VALIDATION_ERROR", {"properties": missing})
    assert portal.stored(kind) == {}


def test_conditional_rules_bind_only_the_newest_version(portal: Portal) -> None:
    rule = {"when": {"dealstage": "closedlost"}, "require": ["closed_lost_reason"]}
    portal.control("config", {"conditional_required": {"deals": [rule]}})
    deal = portal.create("deals", dealname="D", dealstage="contractsent", pipeline="default")
    body = {"properties": {"dealstage": "closedlost"}}
    assert portal.call("PATCH", f"/crm/objects/2026-09/deals/{deal}", body).status_code == 400
    assert portal.values(deal, "deals")["dealstage"] == "contractsent"
    assert portal.call("PATCH", f"/crm/objects/2026-03/deals/{deal}", body).status_code == 200


def test_a_deals_stage_decides_whether_it_is_won(portal: Portal) -> None:
    deal = portal.create("deals", dealname="D", dealstage="contractsent", pipeline="default")
    closed = ("hs_is_closed", "hs_is_closed_won")
    assert [portal.values(deal, "deals")[name] for name in closed] == ["false", "false"]
    portal.control("mutate", {"action": "win_deal", "id": deal})
    assert [portal.values(deal, "deals")[name] for name in closed] == ["true", "true"]
    portal.control("mutate", {"action": "lose_deal", "id": deal})
    assert [portal.values(deal, "deals")[name] for name in closed] == ["true", "false"]


def test_an_open_tasks_completion_date_is_its_due_date(portal: Portal) -> None:
    task = portal.create("tasks", hs_timestamp="2026-12-01T09:00:00Z")
    assert portal.values(task, "tasks")["hs_task_completion_date"] == "2026-12-01T09:00:00Z"
    portal.control("mutate", {"action": "complete_task", "id": task})
    stored = portal.values(task, "tasks")
    assert (stored["hs_task_status"], stored["hs_task_completion_date"]) == ("COMPLETED", "2026-11-23T12:00:00Z")


def test_only_a_change_moves_the_modified_date(portal: Portal) -> None:
    record_id = portal.create(name="A")
    for value, moved in (("A", "2026-11-23T12:00:00Z"), ("B", "2026-11-23T12:00:10Z")):
        portal.pass_time(5)
        assert write(portal, record_id, value, "name").json()["updatedAt"] == moved
        record = portal.stored()[record_id]
        assert record["updatedAt"] == record["properties"]["hs_lastmodifieddate"] == moved
        assert record["createdAt"] == "2026-11-23T12:00:00Z"
