"""Every answer a real portal once gave is read as what it was."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import Unavailable
from connectors.hubspot import errors
from connectors.hubspot.batch import Input, write_batch
from connectors.hubspot.describe import canonical, field_spec
from connectors.hubspot.limits import integer
from connectors.hubspot.portal import read_portal
from connectors.hubspot.records import record_of
from tests.unit.connectors.hubspot.scripted import RECORDED, answer, client, recorded

pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")


def exchanges(path_end: str, status: int) -> list[dict[str, Any]]:
    found = [one for one in recorded("exchanges.json") if one["path"].endswith(path_end) and one["status"] == status]
    assert found
    return found


def test_every_recorded_update_is_applied_record_by_record() -> None:
    for one in exchanges("batch/update", 200):
        asked = [Input(f"k{i['id']}", i["id"], i["properties"]) for i in one["body"]["inputs"]]
        outcomes = write_batch(client(answer(200, one["response"]))[0], "companies", "update", asked)
        assert {key: outcome.record_id for key, outcome in outcomes.items()} == {i.key: i.id for i in asked}
        assert {outcome.status for outcome in outcomes.values()} == {"applied"}


def test_every_recorded_search_limit_is_waited_for() -> None:
    for one in exchanges("search", 429):
        assert errors.effect(429, one["response"]) == "too_fast"
    with pytest.raises(Unavailable):
        client(answer(429, exchanges("search", 429)[0]["response"]))[0].read("POST", "/search", {})


def test_every_recorded_search_result_is_a_record() -> None:
    for one in exchanges("search", 200):
        records = [record_of(result) for result in one["response"]["results"]]
        assert [record.id for record in records] == [record.properties["hs_object_id"] for record in records]


def inputs(one: dict[str, Any], **more: str) -> list[Input]:
    """The recorded inputs as our own; a create is joined by the key its properties hold."""
    return [
        Input(f"k{n}", asked.get("id") or asked["properties"][more["by"]], asked["properties"], more.get("by", ""))
        for n, asked in enumerate(one["body"]["inputs"])
    ]


def test_every_recorded_create_is_applied_record_by_record() -> None:
    seen = 0
    for one in exchanges("batch/create", 201):
        asked = [i["properties"] for i in one["body"]["inputs"]]
        by = next((name for name in ("email", "domain", "name") if all(name in sent for sent in asked)), None)
        keys = [sent.get(by) for sent in asked]
        if by is None or len(set(keys)) < len(keys):
            continue
        seen += 1
        outcomes = write_batch(client(answer(201, one["response"]))[0], "companies", "create", inputs(one, by=by))
        made = {result["properties"][by]: result["id"] for result in one["response"]["results"]}
        assert {outcome.status for outcome in outcomes.values()} == {"applied"}
        expected = {f"k{n}": made[str(key).lower() if by == "email" else key] for n, key in enumerate(keys)}
        assert {key: outcome.record_id for key, outcome in outcomes.items()} == expected
    assert seen > 10


def test_every_recorded_archive_has_no_body() -> None:
    for one in exchanges("batch/archive", 204):
        assert not one["response"]


def test_every_recorded_exchange_is_one_of_these() -> None:
    seen = {(one["path"].rsplit("/", 1)[1], one["status"]) for one in recorded("exchanges.json")}
    assert seen == {("search", 200), ("search", 429), ("update", 200), ("create", 201), ("archive", 204)}


def contacts(*ids: str) -> list[Input]:
    return [Input(f"k{id_}", id_, {"firstname": "Ann"}) for id_ in ids]


def test_a_recorded_batch_that_succeeded_in_part_blames_the_right_ones() -> None:
    body = recorded("batch_update_contacts_err-partial-success.json")
    applied = [result["id"] for result in body["results"]]
    gone = [name for error in body["errors"] for name in error["context"]["ids"]]
    outcomes = write_batch(client(answer(207, body))[0], "contacts", "update", contacts(*applied, *gone))
    assert {key for key, one in outcomes.items() if one.status == "applied"} == {f"k{id_}" for id_ in applied}
    assert {key for key, one in outcomes.items() if one.stale_record} == {f"k{id_}" for id_ in gone}


def test_a_recorded_create_that_met_a_record_is_a_conflict_for_that_one() -> None:
    body = recorded("batch_create_contacts_err-partial-success.json")
    [trace] = [name for error in body["errors"] for name in error["context"]["objectWriteTraceId"]]
    verdict = errors.rejection(body["errors"][0])
    assert trace
    assert (verdict.code, verdict.status, verdict.known) == ("CONFLICT", "rejected", True)
    assert "171591000198" not in verdict.reason


def test_a_recorded_refusal_of_a_whole_batch_is_halved_down_to_each_record() -> None:
    body = recorded("batch_update_contacts_err-many-invalid-properties.json")
    hubspot, wire = client(answer(400, body))
    outcomes = write_batch(hubspot, "contacts", "update", contacts("1", "2"))
    assert {outcome.code for outcome in outcomes.values()} == {"PROPERTY_DOESNT_EXIST"}
    assert [len(sent.body["inputs"]) for sent in wire.sent] == [2, 1, 1]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("batch_create_contacts_err-conflict.json", "CONFLICT"),
        ("batch_create_contacts_err-many-invalid-properties.json", "PROPERTY_DOESNT_EXIST"),
        ("batch_update_contacts_err-duplicate-ids.json", "DUPLICATE_IDS"),
        ("batch_update_contacts_err-many-invalid-properties.json", "PROPERTY_DOESNT_EXIST"),
        ("metadata-err-schemas-scope.json", "MISSING_SCOPES"),
        ("search_error-invalid-object.json", "UNKNOWN_OBJECT"),
    ],
)
def test_every_recorded_refusal_has_its_code(name: str, code: str) -> None:
    verdict = errors.rejection(recorded(name))
    assert (verdict.code, verdict.status, verdict.known) == (code, "rejected", True)


@pytest.mark.parametrize("verb", ["create", "update"])
def test_every_recorded_success_is_read(verb: str) -> None:
    body = recorded(f"batch_{verb}_contacts_success.json")
    results = [record_of(result) for result in body["results"]]
    assert [record.id for record in results]
    by = "email" if verb == "create" else ""
    asked = [Input(f"k{one.id}", str(one.properties[by]) if by else one.id, {}, by) for one in results]
    outcomes = write_batch(client(answer(201, body))[0], "contacts", verb, asked)
    assert {key: outcome.record_id for key, outcome in outcomes.items()} == {f"k{one.id}": one.id for one in results}


def test_the_recorded_portal_is_read() -> None:
    portal = read_portal(client(answer(200, recorded("post-auth_account-info.json")))[0])
    assert (portal.id, portal.zone.key, portal.address) == ("12345678", "US/Eastern", "https://app.hubspot.com")


def test_a_recorded_unique_property_is_seen_as_one() -> None:
    [spec] = map(field_spec, recorded("custom_update_3-response-batch-create-properties.json")["results"][:1])
    assert (spec.name, spec.unique) == ("hobby__c", True)


def test_recorded_burst_headers_are_understood() -> None:
    headers = {name.title(): value for name, value in exchanges("batch/update", 200)[0]["headers"].items()}
    assert integer(headers, "X-Hubspot-Ratelimit-Max") == 100
    assert integer(headers, "X-Hubspot-Ratelimit-Missing") is None


def test_recorded_properties_are_described() -> None:
    name = "custom_create_4-response-batch-create-properties.json"
    specs = {spec.name: spec for spec in map(field_spec, recorded(name)["results"])}
    assert (specs["age__c"].type, specs["age__c"].writable, specs["age__c"].unique) == ("number", True, False)
    assert (specs["interests__c"].type, specs["interests__c"].restricted) == ("enum", True)
    assert set(specs["interests__c"].options) >= {"art", "travel", "swimming"}
    assert canonical(specs["age__c"], "30.0") == 30
