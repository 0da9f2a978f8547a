"""Contacts by e-mail: primary address, secondary address, the surviving id of a merge, and never a guess."""

from __future__ import annotations

from typing import Any

from connectors.base import Connector, Person
from connectors.hubspot.client import Client
from connectors.hubspot.people import people
from connectors.hubspot.transport import HttpResponse
from tests.contract.connectors.harness_hubspot import HubSpotCrm
from tests.unit.connectors.hubspot.scripted import Sent, Wire, answer, client, done


def add(portal: HubSpotCrm, email: str, company: str | None = None) -> str:
    home = {"company": company} if company else {}
    return str(portal.mutate(action="create", type="contacts", properties={"email": email}, **home)["id"])


def contact(id_: str, email: str, others: str = "") -> dict[str, Any]:
    return {"id": id_, "properties": {"email": email, "hs_additional_emails": others or None}}


def portal_with(by_email: list[dict[str, Any]], by_search: list[dict[str, Any]]) -> tuple[Client, Wire]:
    def reply(sent: Sent) -> HttpResponse:
        if sent.path.endswith("contacts/batch/read"):
            return done(*by_email)
        if sent.path.endswith("/search"):
            return answer(200, {"total": len(by_search), "results": by_search})
        return done()

    return client(reply)


def test_people_are_found_with_their_primary_company_in_the_order_asked(portal: HubSpotCrm, hubspot: Connector) -> None:
    first, second = (portal.mutate(action="create", type="companies", properties={"name": n})["id"] for n in "AB")
    ann, bob = add(portal, "ann@acme.example", second), add(portal, "bob@acme.example")
    base = f"{portal.url}/crm/objects/2026-03/contacts/{ann}/associations/default/companies/{first}"
    headers = {"Authorization": f"Bearer {portal._token}"}
    assert portal.http.put(base, headers=headers, timeout=5).ok
    found = hubspot.people(["bob@acme.example", "nobody@acme.example", " Ann@Acme.example"])
    assert list(found) == [
        Person("bob@acme.example", "matched", bob, None),
        Person("nobody@acme.example", "missing"),
        Person(" Ann@Acme.example", "matched", ann, second),
    ]


def test_a_hundred_people_cost_one_read_and_one_for_their_companies(portal: HubSpotCrm, hubspot: Connector) -> None:
    for n in range(100):
        add(portal, f"p{n}@acme.example")
    portal.forget_calls()
    assert {one.status for one in hubspot.people([f"p{n}@acme.example" for n in range(100)])} == {"matched"}
    assert [call.path.rsplit("2026-03/", 1)[1] for call in portal.calls()] == [
        "contacts/batch/read",
        "contacts/companies/batch/read",
    ]


def test_a_deleted_contact_is_missing_and_a_merged_one_is_its_survivor(portal: HubSpotCrm, hubspot: Connector) -> None:
    gone, kept, lost = (add(portal, f"{name}@acme.example") for name in ("gone", "kept", "lost"))
    portal.mutate(action="archive", type="contacts", id=gone)
    portal.mutate(action="merge", type="contacts", survivor=kept, loser=lost)
    one, other = hubspot.people(["gone@acme.example", "kept@acme.example"])
    assert (one.status, other.person_id) == ("missing", kept)


def test_every_address_of_a_contact_finds_it_those_of_merged_ones_too(portal: HubSpotCrm, hubspot: Connector) -> None:
    kept, lost = (add(portal, f"{name}@acme.example") for name in ("kept", "lost"))
    portal.mutate(action="add_address", id=lost, email="old@acme.example")
    portal.mutate(action="merge", type="contacts", survivor=kept, loser=lost)
    portal.pass_time(60)
    found = hubspot.people(["lost@acme.example", "OLD@acme.example", "kept@acme.example"])
    assert [(one.status, one.person_id) for one in found] == [("matched", kept)] * 3


def test_nobody_is_asked_about_what_is_no_address(portal: HubSpotCrm, hubspot: Connector) -> None:
    portal.forget_calls()
    assert {one.status for one in hubspot.people(["", "ann", "@", "a b@c.example"])} == {"missing"}
    assert hubspot.people([]) == []
    assert portal.calls() == []


def test_a_secondary_address_is_searched_for() -> None:
    hubspot, wire = portal_with([], [contact("7", "ann@new.example", "x@y.example;Ann@Old.example")])
    [found] = people(hubspot, "companies", ["ann@old.example"])
    assert (found.status, found.person_id) == ("matched", "7")
    [search] = [sent.body for sent in wire.sent if sent.path.endswith("/search")]
    assert search["filterGroups"][0]["filters"] == [
        {"propertyName": "hs_additional_emails", "operator": "IN", "values": ["ann@old.example"]}
    ]


def test_a_secondary_address_hubspot_finds_by_itself_needs_no_search() -> None:
    hubspot, wire = portal_with([contact("7", "ann@new.example", "ann@old.example")], [])
    assert people(hubspot, "companies", ["ann@old.example"])[0].person_id == "7"
    assert not any(sent.path.endswith("/search") for sent in wire.sent)


def test_a_hit_of_the_lagging_search_that_has_lost_the_address_is_none() -> None:
    hubspot, _ = portal_with([], [contact("7", "ann@new.example", "")])
    assert people(hubspot, "companies", ["ann@old.example"])[0].status == "missing"


def test_an_address_two_contacts_have_is_reported_not_guessed() -> None:
    twins = [contact("8", "a@x.example", "ann@old.example"), contact("7", "b@x.example", "ann@old.example")]
    hubspot, _ = portal_with([], twins)
    [found] = people(hubspot, "companies", ["ann@old.example"])
    assert (found.status, found.person_id, found.candidates) == ("ambiguous", None, ("7", "8"))
