"""Associations hold in both directions, once, and answer in the form of the path that asks."""

from __future__ import annotations

import pytest

from tests.contract.sandbox_hubspot.client import Portal


@pytest.fixture
def pair(portal: Portal) -> tuple[str, str]:
    """A task and a company."""
    return portal.create("tasks", hs_timestamp="0"), portal.create(name="A")


def linked(portal: Portal, kind: str, record_id: str, other: str) -> dict[str, list[int]]:
    found = portal.get(f"/crm/objects/2026-03/{kind}/{record_id}/associations/{other}").json()["results"]
    return {str(one["toObjectId"]): [known["typeId"] for known in one["associationTypes"]] for one in found}


def test_the_default_association_is_idempotent_and_goes_both_ways(portal: Portal, pair: tuple[str, str]) -> None:
    task, company = pair
    for _ in range(2):
        answer = portal.call("PUT", f"/crm/v4/objects/tasks/{task}/associations/default/companies/{company}")
        assert answer.status_code == 200
    specs = {(r["from"]["id"], r["associationSpec"]["associationTypeId"]) for r in answer.json()["results"]}
    assert specs == {(task, 192), (company, 191)}
    assert linked(portal, "tasks", task, "companies") == {company: [192]}
    assert linked(portal, "companies", company, "tasks") == {task: [191]}


def test_a_batch_of_defaults_reports_records_that_do_not_exist(portal: Portal, pair: tuple[str, str]) -> None:
    task, company = pair
    inputs = [{"from": {"id": task}, "to": {"id": to}} for to in (company, "404")]
    answer = portal.post("/crm/associations/2026-03/tasks/companies/batch/associate/default", {"inputs": inputs})
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"ids": ["404"]}
    assert linked(portal, "tasks", task, "companies") == {company: [192]}


@pytest.mark.parametrize(("version", "status"), [("v4/associations", 201), ("associations/2026-09", 200)])
def test_a_labelled_batch_is_created_and_read(portal: Portal, version: str, status: int) -> None:
    deal = portal.create("deals", dealname="D", dealstage="contractsent", pipeline="default")
    first, second = portal.create(name="A"), portal.create(name="B")
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number} for number in (341, 5)]
    inputs = [{"from": {"id": deal}, "to": {"id": to}, "types": types} for to in (first, second)]
    created = portal.post(f"/crm/{version}/deals/companies/batch/create", {"inputs": inputs})
    assert created.status_code == status
    assert created.json()["results"][0]["labels"] == ["Primary"]
    assert linked(portal, "deals", deal, "companies") == {first: [341], second: [5, 341]}
    read = portal.post(f"/crm/{version}/deals/companies/batch/read", {"inputs": [{"id": deal}, {"id": "404"}]})
    assert read.status_code == 207
    ((answer,), (error,)) = read.json()["results"], read.json()["errors"]
    assert {str(one["toObjectId"]) for one in answer["to"]} == {first, second}
    assert error["context"] == {"fromObjectId": ["404"]}


def test_associations_can_be_taken_away_whole_or_by_label(portal: Portal) -> None:
    contact, company = portal.create("contacts", email="a@b.co"), portal.create(name="A")
    portal.call("PUT", f"/crm/v4/objects/contacts/{contact}/associations/default/companies/{company}")
    assert linked(portal, "contacts", contact, "companies") == {company: [1, 279]}
    inputs = [{"from": {"id": contact}, "to": {"id": company}, "types": [{"associationTypeId": 1}]}]
    portal.post("/crm/v4/associations/contacts/companies/batch/labels/archive", {"inputs": inputs})
    assert linked(portal, "contacts", contact, "companies") == {company: [279]}
    pairs = [{"from": {"id": contact}, "to": [{"id": company}]}]
    assert portal.post("/crm/v4/associations/contacts/companies/batch/archive", {"inputs": pairs}).status_code == 204
    assert linked(portal, "contacts", contact, "companies") == linked(portal, "companies", company, "contacts") == {}


def test_old_paths_answer_in_the_old_form(portal: Portal, pair: tuple[str, str]) -> None:
    task, company = pair
    inputs = [{"from": {"id": task}, "to": {"id": company}, "type": "task_to_company"}]
    answer = portal.post("/crm/v3/associations/tasks/companies/batch/create", {"inputs": inputs})
    assert answer.json()["results"] == [{"from": {"id": task}, "to": {"id": company}, "type": "task_to_company"}]
    old = portal.get(f"/crm/v3/objects/tasks/{task}/associations/companies").json()
    assert old == {"results": [{"id": company, "type": "task_to_company"}]}
    record = portal.get(f"/crm/v3/objects/tasks/{task}", associations="companies").json()
    assert record["associations"]["companies"] == old


def test_labels_and_unsupported_pairs(portal: Portal) -> None:
    labels = portal.get("/crm/v4/associations/companies/deals/labels").json()["results"]
    assert [(known["typeId"], known["label"]) for known in labels] == [(342, None), (6, "Primary")]
    assert portal.get("/crm/v4/associations/tasks/tasks/labels").status_code == 400


def test_a_merge_moves_associations_to_the_survivor(portal: Portal, pair: tuple[str, str]) -> None:
    task, loser = pair
    survivor = portal.create(name="B")
    portal.call("PUT", f"/crm/v4/objects/tasks/{task}/associations/default/companies/{loser}")
    body = {"primaryObjectId": survivor, "objectIdToMerge": loser}
    assert portal.post("/crm/v3/objects/companies/merge", body).json()["id"] == survivor
    assert linked(portal, "tasks", task, "companies") == {survivor: [192]}
    assert linked(portal, "companies", loser, "tasks") == {task: [191]}


def test_too_many_pairs_are_rejected(portal: Portal, pair: tuple[str, str]) -> None:
    inputs = [{"from": {"id": pair[0]}, "to": {"id": pair[1]}}] * 2001
    path = "/crm/v4/associations/tasks/companies/batch/associate/default"
    assert portal.post(path, {"inputs": inputs}).status_code == 400


@pytest.mark.parametrize("family", ["v4/objects", "v3/objects", "objects/2026-03"])
def test_associated_records_come_page_by_page(portal: Portal, family: str) -> None:
    company = portal.create(name="A")
    contacts = [portal.create("contacts", email=f"c{number}@example.com") for number in range(5)]
    pairs = [{"from": {"id": contact}, "to": {"id": company}} for contact in contacts]
    portal.post("/crm/v4/associations/contacts/companies/batch/associate/default", {"inputs": pairs})
    seen, after, pages = [], "0", 0
    while after:
        path = f"/crm/{family}/companies/{company}/associations/contacts"
        page = portal.get(path, limit="2", after=after).json()
        seen += [str(one.get("toObjectId") or one["id"]) for one in page["results"]]
        after, pages = page.get("paging", {}).get("next", {}).get("after"), pages + 1
    assert (seen, pages) == (contacts, 3)
    assert portal.get(path, limit="501").status_code == 400
