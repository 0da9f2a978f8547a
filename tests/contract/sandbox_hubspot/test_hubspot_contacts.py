"""Contacts: addressed by any of their e-mail addresses, tied to companies and tasks, and forgotten on demand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sandbox_hubspot.client import Portal

CONTACTS = "/crm/v3/objects/contacts"


@pytest.fixture
def ann(portal: Portal) -> str:
    """A contact with two addresses besides the primary one."""
    contact = portal.create("contacts", email="ann@example.com", firstname="Ann")
    for address in ("ann@Home.example", "a.ash@example.com"):
        portal.control("mutate", {"action": "add_address", "id": contact, "email": address})
    return contact


def by_address(address: str, **more: dict[str, str]) -> dict[str, Any]:
    return {"id": address, "idProperty": "email", **more}


def others(portal: Portal, contact: str) -> str:
    return str(portal.values(contact, "contacts")["hs_additional_emails"])


@pytest.mark.parametrize("address", ["ann@example.com", "Ann@HOME.example", "a.ash@example.com"])
def test_every_address_finds_the_contact(portal: Portal, ann: str, address: str) -> None:
    assert portal.get(f"{CONTACTS}/{address}", idProperty="email").json()["id"] == ann
    read = portal.batch("read", [{"id": address}], "contacts", idProperty="email", properties=["email"]).json()
    assert [(one["id"], one["properties"]["email"]) for one in read["results"]] == [(ann, "ann@example.com")]
    written = portal.batch("update", [by_address(address, properties={"jobtitle": "CTO"})], "contacts").json()
    assert [one["id"] for one in written["results"]] == [ann]
    upserted = portal.batch("upsert", [by_address(address, properties={"city": "Oslo"})], "contacts").json()
    assert [(one["id"], one["new"]) for one in upserted["results"]] == [(ann, False)]
    stored = portal.values(ann, "contacts")
    assert (stored["email"], stored["jobtitle"], stored["city"]) == ("ann@example.com", "CTO", "Oslo")


@pytest.mark.parametrize("operator", [{"operator": "EQ", "value": "A.Ash@example.com"}, {"operator": "IN"}])
def test_search_finds_one_of_the_other_addresses(portal: Portal, ann: str, operator: dict[str, str]) -> None:
    portal.create("contacts", email="bob@example.com")
    portal.pass_time(10)
    wanted = {"values": ["a.ash@example.com", "x@example.com"], **operator}
    found = portal.search("contacts", {"propertyName": "hs_additional_emails", **wanted}).json()
    assert [one["id"] for one in found["results"]] == [ann]


def test_an_address_belongs_to_one_contact(portal: Portal, ann: str) -> None:
    again = portal.post(CONTACTS, {"properties": {"email": "ann@home.example"}})
    assert (again.status_code, again.json()["category"]) == (409, "CONFLICT")
    assert again.json()["message"] == f"Contact already exists. Existing ID: {ann}"
    partly = [{"properties": {"email": "ann@home.example"}, "objectWriteTraceId": "t"}]
    assert portal.batch("create", partly, "contacts").json()["errors"][0]["context"]["existingId"] == [ann]
    bob = portal.create("contacts", email="bob@example.com")
    for taken in ({"email": "a.ash@example.com"}, {"hs_additional_emails": "b@x.example;ann@example.com"}):
        rejected = portal.call("PATCH", f"{CONTACTS}/{bob}", {"properties": taken})
        assert rejected.status_code == 400
        assert f"{ann} already has that value." in rejected.json()["message"]
    assert portal.values(bob, "contacts")["email"] == "bob@example.com"
    assert len(portal.stored("contacts")) == 2


def test_a_promoted_address_trades_places_with_the_primary_one(portal: Portal, ann: str) -> None:
    answer = portal.call("PATCH", f"{CONTACTS}/{ann}", {"properties": {"email": "a.ash@example.com"}})
    assert answer.json()["properties"]["email"] == "a.ash@example.com"
    assert others(portal, ann) == "ann@home.example;ann@example.com"
    assert portal.get(f"{CONTACTS}/ann@example.com", idProperty="email").json()["id"] == ann


def test_other_addresses_can_be_written_as_a_list_and_must_look_like_addresses(portal: Portal, ann: str) -> None:
    wanted = {"hs_additional_emails": "New@example.com;ann@example.com;new@example.com"}
    assert portal.call("PATCH", f"{CONTACTS}/{ann}", {"properties": wanted}).status_code == 200
    assert others(portal, ann) == "new@example.com"
    assert portal.get(f"{CONTACTS}/ann@home.example", idProperty="email").status_code == 404
    rejected = portal.call("PATCH", f"{CONTACTS}/{ann}", {"properties": {"hs_additional_emails": "new@example.com;x"}})
    assert [error["code"] for error in rejected.json()["errors"]] == ["INVALID_EMAIL"]
    assert others(portal, ann) == "new@example.com"


def test_a_replaced_primary_address_is_free_again(portal: Portal) -> None:
    contact = portal.create("contacts", email="ann@example.com")
    portal.call("PATCH", f"{CONTACTS}/{contact}", {"properties": {"email": "new@example.com"}})
    assert portal.get(f"{CONTACTS}/ann@example.com", idProperty="email").status_code == 404
    assert portal.create("contacts", email="ann@example.com") != contact


def test_upsert_by_address_makes_strangers_and_updates_the_known(portal: Portal, ann: str) -> None:
    inputs = [by_address(a, properties={"lastname": "L"}) for a in ("ann@home.example", "new@example.com")]
    body = portal.batch("upsert", inputs, "contacts").json()
    made = {one["properties"].get("hs_object_id"): one["new"] for one in body["results"]}
    assert made.pop(ann) is False
    assert list(made.values()) == [True]
    assert sorted(one["properties"]["email"] for one in portal.stored("contacts").values()) == [
        "ann@example.com",
        "new@example.com",
    ]


def test_a_merge_keeps_every_address_and_the_survivors_primary_one(portal: Portal, ann: str) -> None:
    bob = portal.create("contacts", email="bob@example.com")
    merged = portal.post(f"{CONTACTS}/merge", {"primaryObjectId": bob, "objectIdToMerge": ann})
    assert (merged.status_code, merged.json()["id"]) == (200, bob)
    assert others(portal, bob) == "ann@example.com;ann@home.example;a.ash@example.com"
    assert portal.values(bob, "contacts")["email"] == "bob@example.com"
    for address in ("ann@example.com", "a.ash@example.com", "bob@example.com"):
        assert portal.get(f"{CONTACTS}/{address}", idProperty="email").json()["id"] == bob
    assert portal.get(f"{CONTACTS}/{ann}").json()["id"] == bob


def test_an_archived_contacts_addresses_are_free_and_come_back_with_it(portal: Portal, ann: str) -> None:
    portal.call("DELETE", f"{CONTACTS}/{ann}")
    assert portal.get(f"{CONTACTS}/ann@home.example", idProperty="email").status_code == 404
    portal.control("mutate", {"action": "restore", "type": "contacts", "id": ann})
    assert portal.get(f"{CONTACTS}/ann@home.example", idProperty="email").json()["id"] == ann
    portal.call("DELETE", f"{CONTACTS}/{ann}")
    portal.create("contacts", email="a.ash@example.com")
    restored = portal.post("/__sim/mutate", {"action": "restore", "type": "contacts", "id": ann})
    assert restored.status_code == 400


@pytest.mark.parametrize(("named", "archived"), [("address", False), ("id", False), ("id", True)])
def test_a_forgotten_contact_is_gone_for_good(portal: Portal, ann: str, named: str, archived: bool) -> None:
    company = portal.create(name="A")
    portal.call("PUT", f"/crm/v4/objects/contacts/{ann}/associations/default/companies/{company}")
    portal.pass_time(10)
    if archived:
        portal.call("DELETE", f"{CONTACTS}/{ann}")
    body = {"objectId": "Ann@home.example", "idProperty": "email"} if named == "address" else {"objectId": ann}
    assert portal.post("/crm/objects/2026-03/contacts/gdpr-delete", body).status_code == 204
    assert portal.stored("contacts") == {}
    assert portal.get(f"{CONTACTS}/{ann}", archived="true").status_code == 404
    assert portal.search("contacts").json() == {"total": 0, "results": []}
    assert portal.get("/__sim/state").json()["associations"] == []
    assert portal.post(f"{CONTACTS}/gdpr-delete", body).status_code == 204
    assert portal.create("contacts", email="ann@example.com") != ann


def test_forgetting_needs_a_contact_and_its_scope(portal: Portal) -> None:
    assert portal.post(f"{CONTACTS}/gdpr-delete", {}).status_code == 400
    assert portal.post("/crm/v3/objects/companies/gdpr-delete", {"objectId": "1"}).status_code == 404
    portal.control("config", {"scopes": ["crm.objects.contacts.read"]})
    rejected = portal.post(f"{CONTACTS}/gdpr-delete", {"objectId": "1"})
    assert rejected.json()["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.contacts.write"]}


def test_a_contact_belongs_to_one_company_first_and_to_others_too(portal: Portal, ann: str) -> None:
    first, second = portal.create(name="A"), portal.create(name="B")
    for company in (first, second):
        portal.call("PUT", f"/crm/v4/objects/contacts/{ann}/associations/default/companies/{company}")
    assert types(portal, ann) == {first: [1, 279], second: [279]}
    primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    portal.call("PUT", f"/crm/v4/objects/contacts/{ann}/associations/companies/{second}", primary)
    assert types(portal, ann) == {first: [279], second: [1, 279]}


def test_a_contact_is_made_with_its_company_and_a_task_with_its_contact(portal: Portal) -> None:
    company = portal.create(name="A")

    def tied(kind: str, to: str, type_id: int, **properties: str) -> str:
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
        body = {"properties": properties, "associations": [{"to": {"id": to}, "types": [spec]}]}
        return str(portal.post(f"/crm/objects/2026-03/{kind}", body).json()["id"])

    contact = tied("contacts", company, 279, email="ann@example.com")
    task = tied("tasks", contact, 204, hs_timestamp="0")
    assert types(portal, contact) == {company: [279]}
    assert types(portal, task, "tasks", "contacts") == {contact: [204]}
    assert types(portal, contact, "contacts", "tasks") == {task: [203]}


def types(portal: Portal, record_id: str, kind: str = "contacts", other: str = "companies") -> dict[str, list[int]]:
    found = portal.get(f"/crm/v4/objects/{kind}/{record_id}/associations/{other}").json()["results"]
    return {str(one["toObjectId"]): [known["typeId"] for known in one["associationTypes"]] for one in found}


def test_a_contact_can_be_addressed_by_a_unique_property(portal: Portal) -> None:
    assert portal.define("contacts", groupName="contactinformation").json()["hasUniqueValue"] is True
    inputs = [{"id": "u1", "idProperty": "our_key", "properties": {"email": "ann@example.com", "our_key": "u1"}}]
    first, again = (portal.batch("upsert", inputs, "contacts").json()["results"][0] for _ in range(2))
    assert (first["new"], again["new"], first["id"]) == (True, False, again["id"])


def test_a_portal_may_drop_the_unique_flag_without_a_word(portal: Portal) -> None:
    portal.control("config", {"unique_ignored": ["contacts"]})
    made = portal.define("contacts", groupName="contactinformation")
    assert (made.status_code, made.json()["hasUniqueValue"]) == (201, False)
    inputs = [{"id": "u1", "idProperty": "our_key", "properties": {"email": "ann@example.com"}}]
    rejected = portal.batch("upsert", inputs, "contacts")
    assert rejected.json()["message"].startswith("Unable to perform update/upsert by non-unique 0-1 property our_key")
    assert portal.define(groupName="companyinformation").json()["hasUniqueValue"] is True


def test_a_contacts_lifecycle_only_moves_forward(portal: Portal) -> None:
    contact = portal.create("contacts", email="ann@example.com", lifecyclestage="customer")
    back = [{"id": contact, "properties": {"lifecyclestage": "lead"}, "objectWriteTraceId": "t"}]
    answer = portal.batch("update", back, "contacts")
    assert (answer.status_code, answer.json()["results"][0]["properties"]["lifecyclestage"]) == (200, "customer")
    assert portal.values(contact, "contacts")["lifecyclestage"] == "customer"
