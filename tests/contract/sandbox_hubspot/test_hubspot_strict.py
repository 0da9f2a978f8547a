"""On 2026-09 the rules of a portal's admins bind the API; on the versions before it they do not."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.contract.sandbox_hubspot.client import Portal

LENIENT, STRICT = "2026-03", "2026-09"


def write(portal: Portal, version: str, kind: str, action: str, inputs: list[dict[str, Any]]) -> requests.Response:
    return portal.post(f"/crm/objects/{version}/{kind}/batch/{action}", {"inputs": inputs})


@pytest.fixture
def pair(portal: Portal) -> tuple[str, str]:
    """A task and a company that may not be associated."""
    portal.control("config", {"association_denied": [["tasks", "companies"]]})
    return portal.create("tasks", hs_timestamp="0"), portal.create(name="A")


def linked(portal: Portal) -> Any:
    return portal.get("/__sim/state").json()["associations"]


def test_what_a_create_form_asks_for_is_asked_of_the_api(portal: Portal) -> None:
    portal.control("config", {"required_on_create": {"companies": ["industry"]}})
    inputs = [{"properties": {"name": "A"}, "objectWriteTraceId": "a"}]
    inputs += [{"properties": {"name": "B", "industry": "RETAIL"}, "objectWriteTraceId": "b"}]
    body = write(portal, STRICT, "companies", "create", inputs).json()
    assert [one["properties"]["name"] for one in body["results"]] == ["B"]
    assert body["errors"][0]["category"] == "VALIDATION_ERROR"
    assert body["errors"][0]["context"] == {"objectWriteTraceId": ["a"], "properties": ["industry"]}
    assert write(portal, LENIENT, "companies", "create", inputs[:1]).status_code == 201
    one = portal.post(f"/crm/objects/{STRICT}/companies", {"properties": {"name": "C"}})
    assert (one.status_code, one.json()["context"]) == (400, {"properties": ["industry"]})
    made = portal.create(name="old")
    assert (
        write(portal, STRICT, "companies", "update", [{"id": made, "properties": {"city": "Oslo"}}]).status_code == 200
    )
    assert sorted(record["properties"]["name"] for record in portal.stored().values()) == ["A", "B", "old"]


def test_a_conditional_rule_binds_batches_one_record_at_a_time(portal: Portal) -> None:
    rule = {"when": {"dealstage": "closedlost"}, "require": ["closed_lost_reason"]}
    portal.control("config", {"conditional_required": {"deals": [rule]}})
    deals = [portal.create("deals", dealname=n, dealstage="contractsent", pipeline="default") for n in "ab"]
    lost = {"dealstage": "closedlost"}
    inputs = [{"id": deals[0], "properties": lost, "objectWriteTraceId": "a"}]
    inputs += [{"id": deals[1], "properties": {**lost, "closed_lost_reason": "x"}, "objectWriteTraceId": "b"}]
    body = write(portal, STRICT, "deals", "update", inputs).json()
    assert [one["id"] for one in body["results"]] == [deals[1]]
    assert body["errors"][0]["context"]["properties"] == ["closed_lost_reason"]
    assert [portal.values(one, "deals")["dealstage"] for one in deals] == ["contractsent", "closedlost"]


def test_a_user_may_be_denied_an_association(portal: Portal, pair: tuple[str, str]) -> None:
    task, company = pair
    inputs = [{"from": {"id": company}, "to": {"id": task}}]
    for path in ("companies/tasks/batch/associate/default", "companies/tasks/batch/create"):
        rejected = portal.post(f"/crm/associations/{STRICT}/{path}", {"inputs": inputs})
        assert (rejected.status_code, rejected.json()["category"]) == (400, "VALIDATION_ERROR")
    single = f"/crm/objects/{STRICT}/tasks/{task}/associations/default/companies/{company}"
    assert portal.call("PUT", single).status_code == 400
    to = [{"to": {"id": company}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 192}]}]
    inline = [{"properties": {"hs_timestamp": "0"}, "associations": to}]
    assert write(portal, STRICT, "tasks", "create", inline).status_code == 400
    assert linked(portal) == []
    assert len(portal.stored("tasks")) == 1
    assert portal.call("PUT", single.replace(STRICT, LENIENT)).status_code == 200
    assert len(linked(portal)) == 2


def test_without_rules_the_versions_agree(portal: Portal) -> None:
    for version in (LENIENT, STRICT):
        assert write(portal, version, "companies", "create", [{"properties": {"name": version}}]).status_code == 201
