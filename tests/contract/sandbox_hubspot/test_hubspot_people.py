"""A seed, a person in HubSpot's pages and the page at / all work on the same portal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sandbox_hubspot.client import Portal

SEED = {
    "owners": [
        {"_ref": "ann", "id": "501", "email": "ann@example.com", "firstName": "Ann", "lastName": "Ash"},
        {"email": "old@example.com", "archived": True},
    ],
    "properties": {
        "companies": [
            {"name": "tier", "label": "Tier", "type": "string", "fieldType": "text", "groupName": "companyinformation"}
        ]
    },
    "records": {
        "companies": [
            {
                "_ref": "acme",
                "properties": {"name": "Acme", "domain": "acme.com", "hubspot_owner_id": "@ann", "tier": 1},
            },
            {"properties": {"name": "<b>Bolt</b>", "domain": "bolt.io"}, "createdAt": "2025-01-01T00:00:00Z"},
        ],
        "contacts": [{"properties": {"email": "a@acme.com"}, "associations": ["@acme"]}],
        "deals": [
            {
                "properties": {"dealname": "D1", "dealstage": "contractsent", "pipeline": "default"},
                "company": "bolt.io",
            },
            {"properties": {"dealname": "D2", "dealstage": "closedwon", "pipeline": "default"}, "company": 0},
        ],
    },
}


@pytest.fixture
def seeded(portal: Portal) -> Portal:
    portal.control("seed", SEED)
    return portal


def by_name(portal: Portal) -> dict[str, dict[str, Any]]:
    return {record["properties"]["name"]: record for record in portal.stored().values()}


def mutate(portal: Portal, action: str, **more: str | dict[str, str]) -> Any:
    return portal.control("mutate", {"action": action, **more})


def test_a_seed_becomes_records_owners_and_associations(seeded: Portal) -> None:
    companies = by_name(seeded)
    assert companies["Acme"]["properties"]["hubspot_owner_id"] == "501"
    assert companies["Acme"]["properties"]["tier"] == "1"
    assert companies["<b>Bolt</b>"]["createdAt"] == "2025-01-01T00:00:00Z"
    deals = {r["properties"]["dealname"]: r["id"] for r in seeded.stored("deals").values()}
    for name, company in (("D1", "<b>Bolt</b>"), ("D2", "Acme")):
        linked = seeded.get(f"/crm/v4/objects/deals/{deals[name]}/associations/companies").json()["results"]
        assert [str(one["toObjectId"]) for one in linked] == [companies[company]["id"]]
    assert [o["email"] for o in seeded.get("/crm/v3/owners").json()["results"]] == ["ann@example.com"]
    assert seeded.search().json()["total"] == 2


def test_a_seed_can_bring_objects_of_its_own(portal: Portal) -> None:
    cars = {"name": "cars", "singular": "car", "typeId": "2-17", "required": ["make"], "shown": ["make"]}
    make = {"name": "make", "label": "Make", "type": "string", "fieldType": "text", "groupName": "car_information"}
    portal.control("seed", {"objects": [cars], "properties": {"cars": [make]}, "records": {}})
    assert portal.post("/crm/v3/objects/cars", {"properties": {}}).json()["context"] == {"properties": ["make"]}
    made = portal.create("CAR", make="Volvo")
    assert portal.get(f"/crm/objects/2026-03/2-17/{made}").json()["properties"]["make"] == "Volvo"
    (schema,) = portal.get("/crm/v3/schemas").json()["results"]
    assert (schema["objectTypeId"], schema["requiredProperties"]) == ("2-17", ["make"])
    again = portal.post("/__sim/seed", {"objects": [cars]})
    assert "car, cars" in again.json()["error"]
    portal.control("config", {"scopes": ["crm.objects.companies.read"]})
    assert portal.get(f"/crm/v3/objects/cars/{made}").status_code == 403
    portal.control("reset", {})
    assert portal.get("/crm/v3/objects/cars").status_code == 400


@pytest.mark.parametrize(
    ("seed", "complaint"),
    [
        ({"records": {"companies": [{"properties": {"name": "A"}}, {"properties": {"nope": "1"}}]}}, "companies[1]"),
        ({"records": {"companies": [{"properties": {"name": "A", "hubspot_owner_id": "@bob"}}]}}, "bob"),
        ({"records": {"butterflies": []}}, "butterflies"),
        ({"records": {"companies": [{"properties": {"name": "A"}, "associations": ["@x"]}]}}, "'x'"),
        ({"users": []}, "users"),
    ],
)
def test_a_wrong_seed_is_rejected_as_a_whole_and_says_where(
    portal: Portal, seed: dict[str, Any], complaint: str
) -> None:
    answer = portal.post("/__sim/seed", seed)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]
    assert portal.stored() == {}


def test_reset_goes_back_to_the_start(seeded: Portal) -> None:
    seeded.control("config", {"token": "other"})
    seeded.control("reset", {})
    assert seeded.stored() == {}
    assert seeded.get("/crm/v3/owners").json()["results"] == []


def test_a_person_can_do_what_people_do(seeded: Portal) -> None:
    acme, bolt = by_name(seeded)["Acme"]["id"], by_name(seeded)["<b>Bolt</b>"]["id"]
    task = mutate(seeded, "create", type="tasks", properties={"hs_timestamp": "0"}, company=acme)["id"]
    mutate(seeded, "start_task", id=task)
    assert seeded.values(task, "tasks")["hs_task_status"] == "IN_PROGRESS"
    mutate(seeded, "edit", type="companies", id=acme, properties={"name": "Acme Inc"})
    assert seeded.values(acme)["name"] == "Acme Inc"
    mutate(seeded, "archive", type="tasks", id=task)
    assert seeded.get(f"/crm/v3/objects/tasks/{task}").status_code == 404
    mutate(seeded, "restore", type="tasks", id=task)
    assert seeded.get(f"/crm/v3/objects/tasks/{task}").status_code == 200
    mutate(seeded, "merge", type="companies", survivor=acme, loser=bolt)
    assert seeded.get(f"/crm/v3/objects/companies/{bolt}").json()["id"] == acme
    assert seeded.values(acme)["hs_merged_object_ids"] == bolt
    mutate(seeded, "deactivate_owner", id="501")
    assert seeded.get("/crm/v3/owners").json()["results"] == []
    archived = seeded.get("/crm/v3/owners", archived="true").json()["results"]
    assert "ann@example.com" in {owner["email"] for owner in archived}
    assert all("userId" not in owner for owner in archived)
    mutate(seeded, "archive_property", type="companies", name="tier")
    assert seeded.get("/crm/v3/properties/companies/tier").status_code == 404


@pytest.mark.parametrize(
    "action",
    [
        {"action": "dance"},
        {"action": "complete_task", "id": "404"},
        {"action": "complete_task"},
        {"action": "edit", "type": "companies", "id": "404", "properties": {}},
        {"action": "merge", "type": "companies", "survivor": "1", "loser": "2"},
        {"action": "deactivate_owner", "id": "404"},
        {"action": "create", "type": "tasks", "properties": {}},
    ],
)
def test_an_impossible_action_is_rejected(portal: Portal, action: dict[str, Any]) -> None:
    answer = portal.post("/__sim/mutate", action)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_owners_are_found_by_email_page_by_page_and_by_either_id(seeded: Portal) -> None:
    for number in range(3):
        mutate(seeded, "add_owner", email=f"p{number}@example.com", firstName="P")
    one = seeded.get("/crm/v3/owners/", email="ANN@example.com").json()["results"]
    assert [owner["id"] for owner in one] == ["501"]
    by_user = seeded.get(f"/crm/owners/2026-03/{one[0]['userId']}", idProperty="userId").json()
    assert by_user == seeded.get("/crm/v3/owners/501").json() == one[0]
    emails, after = [], "0"
    while after:
        page = seeded.get("/crm/v3/owners", limit="2", after=after).json()
        emails += [owner["email"] for owner in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")
    assert sorted(emails) == sorted(["ann@example.com", *(f"p{number}@example.com" for number in range(3))])


def test_lists_are_paged_to_the_end_without_archived_records(portal: Portal) -> None:
    made = [portal.create(name=str(number)) for number in range(5)]
    portal.call("DELETE", f"/crm/v3/objects/companies/{made[2]}")
    seen, after = [], "0"
    while after:
        page = portal.get("/crm/v3/objects/companies", limit="2", after=after).json()
        seen += [record["id"] for record in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")
    assert seen == [made[0], made[1], made[3], made[4]]
    archived = portal.get("/crm/v3/objects/companies", archived="true").json()["results"]
    assert [record["id"] for record in archived] == [made[2]]


def test_a_record_is_addressed_by_a_unique_property(portal: Portal) -> None:
    portal.define()
    made = portal.create(name="A", our_key="k")
    path = "/crm/v3/objects/companies"
    assert portal.get(f"{path}/k", idProperty="our_key").json()["id"] == made
    assert portal.get(f"{path}/none", idProperty="our_key").status_code == 404
    assert portal.get(f"{path}/A", idProperty="name").status_code == 400
    contact = portal.create("contacts", email="ann@example.com")
    assert portal.get("/crm/v3/objects/contacts/Ann%40example.com", idProperty="email").json()["id"] == contact


def test_the_page_shows_records_as_text_never_as_markup(seeded: Portal) -> None:
    acme = by_name(seeded)["Acme"]["id"]
    task = {
        "hs_timestamp": "2026-12-01T09:00:00Z",
        "hs_task_subject": "Call <script>alert(1)</script>",
        "hs_task_body": "Seats 9/10 & rising",
        "hubspot_owner_id": "501",
    }
    made = mutate(seeded, "create", type="tasks", properties=task, company=acme)["id"]
    (contact,) = seeded.stored("contacts")
    seeded.call(
        "PATCH", f"/crm/v3/objects/contacts/{contact}", {"properties": {"firstname": "Cleo", "lastname": "<i>"}}
    )
    mutate(seeded, "add_address", id=contact, email="cleo@home.example")
    mutate(seeded, "associate", type="tasks", id=made, to_type="contacts", to_id=contact)
    page = seeded.get("/").text
    assert page.count("<td>Cleo &lt;i&gt;</td>") == 2
    assert "<script>" not in page
    assert "<b>" not in page
    for shown in (
        "Call &lt;script&gt;",
        "Seats 9/10 &amp; rising",
        "2026-12-01",
        "Ann Ash",
        "Acme",
        "Tier",
        "&lt;b&gt;Bolt",
        "a@acme.com, cleo@home.example",
    ):
        assert shown in page
    assert seeded.get("/__sim/log", path="^/$").json()["matched"] == 0


def test_the_state_shows_archived_records_and_associations(seeded: Portal) -> None:
    state = seeded.get("/__sim/state").json()
    assert set(state["objects"]) == {"companies", "contacts", "deals", "tasks"}
    assert {"from", "to", "typeIds"} == set(state["associations"][0])
    assert state["owners"][0]["id"] == "501"
    assert seeded.get("/__sim/state", object="butterflies").status_code == 400


def test_an_unknown_option_is_rejected(portal: Portal) -> None:
    assert portal.post("/__sim/config", {"plan_max": "many"}).status_code == 400
    assert portal.post("/__sim/config", {"plans": 1}).status_code == 400
    assert portal.post("/__sim/config", {"time_zone": "Mars/Base"}).status_code == 400
    assert portal.control("config", {})["plan_max"] == 10_000


def test_a_person_can_change_an_owner_and_bring_people_back(seeded: Portal) -> None:
    acme = by_name(seeded)["Acme"]["id"]
    bob = mutate(seeded, "add_owner", email="bob@example.com", firstName="Bob")["id"]
    mutate(seeded, "change_owner", type="companies", id=acme, owner=bob)
    assert seeded.values(acme)["hubspot_owner_id"] == bob
    history = seeded.get(f"/crm/v3/objects/companies/{acme}", propertiesWithHistory="hubspot_owner_id").json()
    assert history["propertiesWithHistory"]["hubspot_owner_id"][0]["sourceType"] == "CRM_UI"
    mutate(seeded, "change_owner", type="companies", id=acme, owner="")
    assert seeded.values(acme)["hubspot_owner_id"] == ""
    for action, archived in (("deactivate_owner", "true"), ("reactivate_owner", "false")):
        mutate(seeded, action, id=bob)
        assert seeded.get(f"/crm/v3/owners/{bob}", archived=archived).status_code == 200


def test_a_deleted_record_is_gone_from_the_archive_too(seeded: Portal) -> None:
    acme = by_name(seeded)["Acme"]["id"]
    seeded.call("DELETE", f"/crm/v3/objects/companies/{acme}")
    mutate(seeded, "delete", type="companies", id=acme)
    assert seeded.get(f"/crm/v3/objects/companies/{acme}", archived="true").status_code == 404
    assert seeded.post("/__sim/mutate", {"action": "restore", "type": "companies", "id": acme}).status_code == 400
    assert seeded.post("/__sim/mutate", {"action": "delete", "type": "companies", "id": acme}).status_code == 400


def test_an_admin_can_take_a_scope_away_and_give_it_back(seeded: Portal) -> None:
    def read() -> int:
        return seeded.get("/crm/v3/objects/companies").status_code

    mutate(seeded, "take_scope", scope="crm.objects.companies.read")
    assert read() == 403
    mutate(seeded, "give_scope", scope="crm.objects.companies.read")
    assert read() == 200
    mutate(seeded, "take_scope", scope="crm.objects.companies.read")
    seeded.control("reset", {})
    assert read() == 200


def test_an_option_can_be_relabelled_or_change_its_internal_value(seeded: Portal) -> None:
    where = {"type": "deals", "name": "dealtype", "from": "newbusiness"}
    path = "/crm/v3/properties/deals/dealtype"
    mutate(seeded, "rename_option", label="Brand new", **where)
    shown = {one["value"]: one["label"] for one in seeded.get(path).json()["options"]}
    assert shown["newbusiness"] == "Brand new"
    deal = seeded.create("deals", dealname="D", dealstage="contractsent", pipeline="default", dealtype="newbusiness")
    mutate(seeded, "rename_option", to="fresh", **where)
    assert seeded.values(deal, "deals")["dealtype"] == "newbusiness"
    rejected = seeded.call("PATCH", f"/crm/v3/objects/deals/{deal}", {"properties": {"dealtype": "newbusiness"}})
    assert rejected.json()["errors"][0]["code"] == "INVALID_OPTION"


def test_a_person_can_tie_and_untie_records(seeded: Portal) -> None:
    acme = by_name(seeded)["Acme"]["id"]
    deal = next(iter(seeded.stored("deals")))
    ends = {"type": "deals", "id": deal, "to_type": "companies", "to_id": acme}
    mutate(seeded, "associate", **ends)
    path = f"/crm/v4/objects/deals/{deal}/associations/companies"
    assert acme in {str(one["toObjectId"]) for one in seeded.get(path).json()["results"]}
    mutate(seeded, "dissociate", **ends)
    assert acme not in {str(one["toObjectId"]) for one in seeded.get(path).json()["results"]}
    wrong = {**ends, "type": "tasks", "to_type": "tasks"}
    assert seeded.post("/__sim/mutate", {"action": "associate", **wrong}).status_code == 400
