"""Answers on record without their requests: the same situation gives the same status, keys, types, codes and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.sandbox_hubspot.client import Portal
from tests.contract.sandbox_hubspot.recordings import RECORDED, recorded, shape

pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="no recorded answers here")


def same(answer: requests.Response, name: str, status: int, ignore: set[str] | tuple[()] = ()) -> tuple[Any, ...]:
    expected, body = recorded(name), answer.json()
    assert answer.status_code == status, answer.text
    assert {key: value for key, value in shape(body).items() if key not in ignore} == {
        key: value for key, value in shape(expected).items() if key not in ignore
    }
    return body, expected


def test_contacts_created(portal: Portal) -> None:
    people = [("lily@example.com", "Lily", "Skinner"), ("marley@example.com", "Marley", "Fleming")]
    inputs = [{"properties": {"email": e, "firstname": f, "lastname": n}} for e, f, n in people]
    same(portal.batch("create", inputs, "contacts"), "batch_create_contacts_success", 201)


def test_contacts_that_exist(portal: Portal) -> None:
    known = portal.create("contacts", email="a@example.com")
    plain = [{"properties": {"email": "a@example.com"}}]
    body, expected = same(portal.batch("create", plain, "contacts"), "batch_create_contacts_err-conflict", 409)
    assert (body["message"], body["category"]) == (expected["message"], expected["category"])
    new = {"properties": {"email": "b@example.com", "firstname": "B", "lastname": "C"}, "objectWriteTraceId": "1"}
    inputs = [{**plain[0], "objectWriteTraceId": "0"}, new]
    partial = portal.batch("create", inputs, "contacts")
    body, expected = same(partial, "batch_create_contacts_err-partial-success", 207, ignore={"results"})
    assert body["errors"][0]["context"] == {"objectWriteTraceId": ["0"], "existingId": [known]}
    assert body["errors"][0]["message"] == expected["errors"][0]["message"].replace("171591000198", known)


@pytest.mark.parametrize("action", ["create", "update"])
def test_contacts_with_properties_that_do_not_exist(portal: Portal, action: str) -> None:
    ids = [portal.create("contacts", firstname=name) for name in "ab"]
    inputs = [{"id": one, "properties": {"first000name": "x", "last000name": "y"}} for one in ids]
    answer = portal.batch(action, inputs, "contacts")
    body, expected = same(answer, f"batch_{action}_contacts_err-many-invalid-properties", 400)
    assert {**body, "correlationId": ""} == {**expected, "correlationId": ""}


def test_contacts_updated(portal: Portal) -> None:
    ids = [portal.create("contacts", firstname=name) for name in "ab"]
    inputs = [{"id": one, "properties": {"firstname": "x", "lastname": "y"}} for one in ids]
    same(portal.batch("update", inputs, "contacts"), "batch_update_contacts_success", 200)
    inputs[1]["id"] = "unknownIdentifier888"
    body, expected = same(portal.batch("update", inputs, "contacts"), "batch_update_contacts_err-partial-success", 207)
    assert body["errors"] == expected["errors"]
    twice = [{"id": "123456", "properties": {"firstname": "x"}}] * 2
    body, expected = same(portal.batch("update", twice, "contacts"), "batch_update_contacts_err-duplicate-ids", 400)
    assert {**body, "correlationId": ""} == {**expected, "correlationId": ""}


def test_properties_defined_in_a_batch(portal: Portal) -> None:
    for name in (
        "custom_create_4-response-batch-create-properties",
        "custom_update_3-response-batch-create-properties",
    ):
        portal.control("reset", {})
        expected = recorded(name)
        for error in expected.get("errors", []):
            portal.define("contacts", name=error["context"]["name"][0])
        new = [
            {key: value for key, value in made.items() if key != "modificationMetadata"} for made in expected["results"]
        ]
        old = [{**new[0], "name": error["context"]["name"][0]} for error in expected.get("errors", [])]
        answer = portal.post("/crm/v3/properties/contacts/batch/create", {"inputs": [*new, *old]})
        body, _ = same(answer, name, 207 if old else 201)
        assert body["results"] == expected["results"]
        assert body.get("errors") == expected.get("errors")


def test_account_details_and_a_search_for_butterflies(portal: Portal) -> None:
    same(portal.get("/account-info/v3/details"), "post-auth_account-info", 200)
    body, expected = same(portal.post("/crm/v3/objects/butterflies/search", {}), "search_error-invalid-object", 400)
    assert body["message"] == expected["message"]


def test_custom_objects_that_may_not_be_seen(portal: Portal) -> None:
    portal.control("config", {"scopes": ["crm.objects.contacts.read"]})
    body, expected = same(portal.get("/crm/v3/schemas"), "metadata-err-schemas-scope", 403)
    assert {**body, "correlationId": ""} == {**expected, "correlationId": ""}


def test_every_file_on_record_is_compared() -> None:
    used = Path(__file__).read_text()
    compared = {file.stem for file in RECORDED.glob("*.json") if f'"{generic(file.stem)}"' in used}
    assert {file.stem for file in RECORDED.glob("*.json")} - compared - {"exchanges"} == set()


def generic(name: str) -> str:
    """Names two tests build from the action they are run with."""
    return name.replace("batch_create_contacts_err-many", "batch_{action}_contacts_err-many").replace(
        "batch_update_contacts_err-many", "batch_{action}_contacts_err-many"
    )


def test_the_first_page_of_a_search(portal: Portal) -> None:
    for number in range(57):
        portal.create("contacts", firstname="J", lastname="H", email=f"j{number}@example.com")
    portal.pass_time(10)
    names = ["company", "email", "firstname", "lastname", "phone", "website"]
    answer = portal.post("/crm/v3/objects/contacts/search", {"limit": 54, "properties": names})
    body, expected = same(answer, "search_contacts_1-first-page", 200)
    assert (body["total"], body["paging"]) == (expected["total"], expected["paging"])
