"""Properties can be defined, read back and archived as in HubSpot, traps included."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sandbox_hubspot.client import Portal


def test_a_new_property_is_read_back_in_full_and_takes_values(portal: Portal) -> None:
    made = portal.define(name="score", type="number", fieldType="number", hasUniqueValue=False)
    assert made.status_code == 201
    read = portal.get("/crm/properties/2026-03/companies/score")
    assert read.json() == made.json()
    assert read.json()["modificationMetadata"] == {
        "archivable": True,
        "readOnlyDefinition": False,
        "readOnlyValue": False,
    }
    assert portal.values(portal.create(name="A", score="7"))["score"] == "7"
    assert "score" in {p["name"] for p in portal.get("/crm/v3/properties/0-2").json()["results"]}


def test_an_existing_name_is_a_conflict(portal: Portal) -> None:
    portal.define()
    answer = portal.define()
    body = answer.json()
    assert (answer.status_code, body["category"], body["subCategory"]) == (
        409,
        "OBJECT_ALREADY_EXISTS",
        "Properties.PROPERTY_WITH_NAME_EXISTS",
    )
    assert body["message"] == "A property named 'our_key' already exists."
    assert body["context"] == {"name": ["our_key"]}


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "number", "fieldType": "text"},
        {"type": "text"},
        {"groupName": "nowhere"},
        {"name": "Upper"},
        {"label": ""},
        {"type": "bool", "fieldType": "booleancheckbox", "hasUniqueValue": False, "options": []},
        {"type": "enumeration", "fieldType": "select", "hasUniqueValue": False, "options": [{"label": "no value"}]},
        {"type": "number", "fieldType": "number", "numberDisplayHint": "stars"},
    ],
)
def test_a_definition_hubspot_would_reject_is_rejected(portal: Portal, definition: dict[str, Any]) -> None:
    assert portal.define(**definition).status_code == 400
    assert portal.get("/crm/v3/properties/companies/our_key").status_code == 404


def test_only_ten_properties_can_be_unique(portal: Portal) -> None:
    for number in range(10):
        assert portal.define(name=f"key{number}").status_code == 201
    assert portal.define(name="key10").status_code == 400
    assert portal.define(name="key10", hasUniqueValue=False).status_code == 201


def test_tasks_take_a_unique_property_only_where_the_portal_allows_it(portal: Portal) -> None:
    portal.control("config", {"task_unique": False})
    assert portal.define("tasks", groupName="task_information").status_code == 400
    portal.control("config", {"task_unique": True})
    assert portal.define("tasks", groupName="task_information").json()["hasUniqueValue"] is True


def test_changing_the_unique_flag_is_answered_200_and_ignored(portal: Portal) -> None:
    portal.define(hasUniqueValue=False)
    answer = portal.call("PATCH", "/crm/v3/properties/companies/our_key", {"hasUniqueValue": True, "label": "New"})
    assert (answer.status_code, answer.json()["label"], answer.json()["hasUniqueValue"]) == (200, "New", False)
    assert portal.get("/crm/v3/properties/companies/our_key").json()["hasUniqueValue"] is False


def test_patching_options_replaces_the_list(portal: Portal) -> None:
    options = [{"label": x, "value": x} for x in "ab"]
    portal.define(name="band", type="enumeration", fieldType="select", hasUniqueValue=False, options=options)
    portal.call("PATCH", "/crm/v3/properties/companies/band", {"options": [{"label": "C", "value": "c"}]})
    assert [o["value"] for o in portal.get("/crm/v3/properties/companies/band").json()["options"]] == ["c"]
    rejected = portal.post("/crm/v3/objects/companies", {"properties": {"name": "A", "band": "a"}})
    assert rejected.json()["errors"][0]["code"] == "INVALID_OPTION"


def test_an_archived_property_is_gone_until_it_is_created_again(portal: Portal) -> None:
    portal.define()
    known = portal.create(name="A", our_key="k")
    assert portal.call("DELETE", "/crm/v3/properties/companies/our_key").status_code == 204
    assert portal.get("/crm/v3/properties/companies/our_key").status_code == 404
    assert portal.get("/crm/v3/properties/companies/our_key", archived="true").status_code == 200
    assert portal.post("/crm/v3/objects/companies", {"properties": {"name": "B", "our_key": "x"}}).status_code == 400
    assert portal.define().status_code == 201
    assert portal.get(f"/crm/v3/objects/companies/{known}", properties="our_key").json()["properties"]["our_key"] == "k"


def test_hubspots_own_properties_cannot_be_archived(portal: Portal) -> None:
    assert portal.call("DELETE", "/crm/v3/properties/companies/name").status_code == 400
    assert portal.get("/crm/v3/properties/companies/name").json()["hubspotDefined"] is True


def test_a_batch_of_definitions_makes_the_new_ones_and_names_the_old(portal: Portal) -> None:
    portal.define()
    new = {"name": "other", "label": "O", "type": "string", "fieldType": "text", "groupName": "companyinformation"}
    old = {**new, "name": "our_key"}
    answer = portal.post("/crm/v3/properties/companies/batch/create", {"inputs": [new, old]})
    body = answer.json()
    assert (answer.status_code, body["numErrors"]) == (207, 1)
    assert [made["name"] for made in body["results"]] == ["other"]
    assert body["errors"][0]["context"] == {"name": ["our_key"]}
    read = portal.post("/crm/v3/properties/companies/batch/read", {"inputs": [{"name": "other"}, {"name": "no"}]})
    assert (read.status_code, [p["name"] for p in read.json()["results"]]) == (207, ["other"])
    assert portal.post("/crm/v3/properties/companies/batch/archive", {"inputs": [{"name": "other"}]}).status_code == 204
    assert portal.get("/crm/v3/properties/companies/other").status_code == 404


def test_groups_can_be_made_and_used(portal: Portal) -> None:
    group = {"name": "plg", "label": "Product"}
    assert portal.post("/crm/v3/properties/companies/groups", group).status_code == 201
    assert portal.post("/crm/v3/properties/companies/groups", group).status_code == 409
    assert portal.define(groupName="plg").status_code == 201
    assert portal.get("/crm/v3/properties/companies/groups/plg").json()["label"] == "Product"
    names = [found["name"] for found in portal.get("/crm/v3/properties/companies/groups").json()["results"]]
    assert "plg" in names


def test_a_batch_with_a_wrong_definition_makes_nothing(portal: Portal) -> None:
    good = {"name": "good", "label": "G", "type": "string", "fieldType": "text", "groupName": "companyinformation"}
    answer = portal.post("/crm/v3/properties/companies/batch/create", {"inputs": [good, {**good, "name": "Bad Name"}]})
    assert answer.status_code == 400
    assert portal.get("/crm/v3/properties/companies/good").status_code == 404


def test_a_group_can_be_renamed_and_deleted_once_it_is_empty(portal: Portal) -> None:
    path = "/crm/v3/properties/companies/groups/plg"
    portal.post("/crm/v3/properties/companies/groups", {"name": "plg", "label": "Product"})
    assert portal.call("PATCH", path, {"label": "Growth"}).json()["label"] == "Growth"
    portal.define(groupName="plg")
    assert portal.call("DELETE", path).status_code == 400
    portal.call("DELETE", "/crm/v3/properties/companies/our_key")
    assert portal.call("DELETE", path).status_code == 204
    assert portal.get(path).status_code == 404
    assert portal.call("PATCH", path, {"label": "x"}).status_code == 404


def test_a_new_property_can_be_read_a_moment_later(portal: Portal) -> None:
    portal.control("config", {"property_lag": 0.5})
    assert portal.define().status_code == 201
    path = "/crm/v3/properties/companies"
    assert portal.get(f"{path}/our_key").status_code == 404
    assert "our_key" not in {one["name"] for one in portal.get(path).json()["results"]}
    assert portal.post(f"{path}/batch/read", {"inputs": [{"name": "our_key"}]}).json()["results"] == []
    assert portal.define().status_code == 409
    portal.pass_time(0.5)
    assert portal.get(f"{path}/our_key").status_code == 200
