"""Every answer a real portal once gave is read as what it was."""

from __future__ import annotations

import pytest
from hubspot_kit import RECORDED, answer, client, recorded

from connectors.base import Unavailable
from connectors.hubspot import errors
from connectors.hubspot.batch import Input, write_batch
from connectors.hubspot.describe import canonical, field_spec
from connectors.hubspot.pace import whole
from connectors.hubspot.records import record_of

pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")


def exchanges(path_end: str, status: int) -> list[dict]:
    found = [one for one in recorded("exchanges.json") if one["path"].endswith(path_end) and one["status"] == status]
    assert found
    return found


def test_every_recorded_update_is_applied_record_by_record():
    for one in exchanges("batch/update", 200):
        asked = [Input(f"k{i['id']}", i["id"], i["properties"]) for i in one["body"]["inputs"]]
        outcomes = write_batch(client(answer(200, one["response"]))[0], "companies", "update", asked)
        assert {key: outcome.record_id for key, outcome in outcomes.items()} == {i.key: i.id for i in asked}
        assert {outcome.status for outcome in outcomes.values()} == {"applied"}


def test_every_recorded_search_limit_is_waited_for():
    for one in exchanges("search", 429):
        assert errors.effect(429, one["response"]) == "too_fast"
    with pytest.raises(Unavailable):
        client(answer(429, exchanges("search", 429)[0]["response"]))[0].read("POST", "/search", {})


def test_every_recorded_search_result_is_a_record():
    for one in exchanges("search", 200):
        records = [record_of(result) for result in one["response"]["results"]]
        assert [record.id for record in records] == [record.properties["hs_object_id"] for record in records]


def test_recorded_burst_headers_are_understood():
    headers = {name.title(): value for name, value in exchanges("batch/update", 200)[0]["headers"].items()}
    assert whole(headers, "X-Hubspot-Ratelimit-Max") == 100
    assert whole(headers, "X-Hubspot-Ratelimit-Missing") is None


def test_recorded_properties_are_described():
    name = "custom_create_4-response-batch-create-properties.json"
    specs = {spec.name: spec for spec in map(field_spec, recorded(name)["results"])}
    assert (specs["age__c"].type, specs["age__c"].writable, specs["age__c"].unique) == ("number", True, False)
    assert (specs["interests__c"].type, specs["interests__c"].restricted) == ("enum", True)
    assert set(specs["interests__c"].options) >= {"art", "travel", "swimming"}
    assert canonical(specs["age__c"], "30.0") == 30
