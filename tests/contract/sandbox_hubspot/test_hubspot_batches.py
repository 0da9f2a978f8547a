"""A bad record in a batch does to its neighbours exactly what it does in HubSpot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.sandbox_hubspot.client import Portal


def traced(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**item, "objectWriteTraceId": f"t{number}"} for number, item in enumerate(inputs)]


def companies(portal: Portal, count: int, **properties: Any) -> list[str]:
    inputs = [{"properties": {"name": f"C{number}", **properties}} for number in range(count)]
    answer = portal.batch("create", inputs)
    assert answer.status_code == 201
    return sorted((result["id"] for result in answer.json()["results"]), key=int)


def test_a_created_batch_is_stored_and_answered_in_another_order(portal: Portal) -> None:
    inputs = [{"properties": {"name": f"C{number}", "domain": f"c{number}.com"}} for number in range(20)]
    results = portal.batch("create", inputs).json()["results"]
    names = [result["properties"]["name"] for result in results]
    assert sorted(names) == sorted(item["properties"]["name"] for item in inputs)
    assert names != [item["properties"]["name"] for item in inputs]
    assert {record["properties"]["website"] for record in portal.stored().values()} == {f"c{n}.com" for n in range(20)}


def test_untraced_one_bad_record_rejects_the_whole_batch(portal: Portal) -> None:
    first, second = companies(portal, 2)
    answer = portal.batch(
        "update", [{"id": first, "properties": {"name": "new"}}, {"id": second, "properties": {"nope": "1"}}]
    )
    assert answer.status_code == 400
    body = answer.json()
    assert body["category"] == "VALIDATION_ERROR"
    assert body["message"] == (
        'Property values were not valid: [{"isValid":false,"message":"Property \\"nope\\" does not exist",'
        '"error":"PROPERTY_DOESNT_EXIST","name":"nope"}]'
    )
    assert body["errors"][0]["context"] == {"propertyName": ["nope"]}
    assert body["correlationId"] == answer.headers["X-HubSpot-Correlation-Id"]
    assert portal.values(first)["name"] == "C0"


def test_traced_the_good_records_are_written_and_the_bad_one_named(portal: Portal) -> None:
    first, second = companies(portal, 2)
    answer = portal.batch(
        "update", traced([{"id": first, "properties": {"name": "new"}}, {"id": second, "properties": {"nope": "1"}}])
    )
    body = answer.json()
    assert answer.status_code == 207
    assert [result["id"] for result in body["results"]] == [first]
    assert body["numErrors"] == 1
    assert body["errors"][0]["context"] == {"objectWriteTraceId": ["t1"]}
    assert portal.values(first)["name"] == "new"


def test_a_repeated_trace_id_is_no_trace(portal: Portal) -> None:
    first, second = companies(portal, 2)
    inputs = [{"id": first, "properties": {"name": "new"}}, {"id": second, "properties": {"nope": "1"}}]
    assert portal.batch("update", [{**item, "objectWriteTraceId": "same"} for item in inputs]).status_code == 400
    assert portal.values(first)["name"] == "C0"


@pytest.mark.parametrize("inputs", [traced, list])
def test_unknown_ids_are_listed_together_and_the_rest_is_updated(portal: Portal, inputs: Any) -> None:
    (known,) = companies(portal, 1)
    wanted = [{"id": one, "properties": {"name": "new"}} for one in (known, "404", "nonsense")]
    answer = portal.batch("update", inputs(wanted))
    (error,) = answer.json()["errors"]
    assert answer.status_code == 207
    assert (error["category"], error["context"]) == ("OBJECT_NOT_FOUND", {"ids": ["404", "nonsense"]})
    assert error["message"].startswith("Could not get some COMPANY objects, they may be deleted or not exist.")
    assert portal.values(known)["name"] == "new"


def test_the_same_id_twice_rejects_the_whole_batch_even_traced(portal: Portal) -> None:
    (known,) = companies(portal, 1)
    answer = portal.batch("update", traced([{"id": known, "properties": {"name": n}} for n in "ab"]))
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Duplicate IDs found in batch input: [{known}]. IDs must be unique"
    assert answer.json()["context"] == {"ids": [known]}
    assert portal.values(known)["name"] == "C0"


@pytest.mark.parametrize("body", [{}, {"inputs": []}])
@pytest.mark.parametrize(("action", "status"), [("create", 201), ("update", 200), ("upsert", 200), ("read", 200)])
def test_missing_inputs_are_a_silent_success(
    portal: Portal, body: dict[str, list[Any]], action: str, status: int
) -> None:
    answer = portal.post(f"/crm/v3/objects/companies/batch/{action}", body)
    assert (answer.status_code, answer.json()["status"], answer.json()["results"]) == (status, "COMPLETE", [])


def test_a_hundred_records_fit_and_one_more_does_not(portal: Portal) -> None:
    inputs = [{"properties": {"name": str(number)}} for number in range(101)]
    assert portal.batch("create", inputs).status_code == 400
    assert portal.stored() == {}
    assert portal.batch("create", inputs[:100]).status_code == 201
    assert len(portal.stored()) == 100


@pytest.mark.parametrize("name", ["domain", "hs_object_id", "our_key"])
def test_only_a_unique_property_addresses_records(portal: Portal, name: str) -> None:
    answer = portal.batch("update", [{"id": "x", "idProperty": name, "properties": {"name": "n"}}])
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        f"Unable to perform update/upsert by non-unique 0-2 property {name} in portal ID 44237313"
    )


def test_update_by_key_never_creates_and_upsert_does(portal: Portal) -> None:
    portal.define()
    wanted = [{"id": "acc-1", "idProperty": "our_key", "properties": {"name": "Acme"}}]
    updated = portal.batch("update", wanted)
    assert (updated.status_code, updated.json()["errors"][0]["context"]) == (207, {"ids": ["acc-1"]})
    assert portal.stored() == {}
    first, again = (portal.batch("upsert", wanted).json()["results"][0] for _ in range(2))
    assert (first["new"], again["new"], first["id"]) == (True, False, again["id"])
    assert [record["properties"]["our_key"] for record in portal.stored().values()] == ["acc-1"]


def test_the_key_is_echoed_only_when_it_is_among_the_properties(portal: Portal) -> None:
    portal.define()
    for properties, echoed in (({"name": "A"}, False), ({"name": "A", "our_key": "k"}, True)):
        wanted = [{"id": "k", "idProperty": "our_key", "properties": properties}]
        (result,) = portal.batch("upsert", wanted).json()["results"]
        assert ("our_key" in result["properties"]) is echoed


def test_upsert_needs_an_id_property(portal: Portal) -> None:
    assert portal.batch("upsert", [{"id": "1", "properties": {"name": "x"}}]).status_code == 400


def test_a_unique_value_of_another_record_is_rejected_in_hubspots_words(portal: Portal) -> None:
    portal.define()
    first, second = companies(portal, 2)
    portal.batch("update", [{"id": first, "properties": {"our_key": "k"}}])
    answer = portal.batch("update", traced([{"id": second, "properties": {"our_key": "k"}}]))
    assert answer.json()["errors"][0]["message"] == (
        "Cannot set PropertyValueCoordinates{portalId=44237313, objectTypeId=ObjectTypeId{legacyObjectType=COMPANY}, "
        f"propertyName=our_key, value=k}} on {second}. {first} already has that value."
    )
    assert "our_key" not in portal.values(second)
    portal.batch("update", [{"id": first, "properties": {"our_key": ""}}])
    assert portal.batch("update", [{"id": second, "properties": {"our_key": "k"}}]).status_code == 200


def test_the_same_new_key_twice_in_a_batch_is_made_once(portal: Portal) -> None:
    portal.define()
    twins = [{"properties": {"name": name, "our_key": "k"}} for name in "ab"]
    assert portal.batch("create", twins).status_code == 400
    assert portal.stored() == {}
    assert portal.batch("create", traced(twins)).status_code == 207
    assert len(portal.stored()) == 1


def test_an_existing_email_conflicts_with_or_without_saying_with_whom(portal: Portal) -> None:
    known = portal.create("contacts", email="Ann@Example.com")
    inputs = [{"properties": {"email": "ann@example.com"}}, {"properties": {"email": "bob@example.com"}}]
    whole = portal.batch("create", inputs, "contacts")
    assert (whole.status_code, whole.json()["message"]) == (409, "Contact already exists")
    assert list(portal.stored("contacts")) == [known]
    partly = portal.batch("create", traced(inputs), "contacts").json()
    assert partly["errors"][0]["context"] == {"objectWriteTraceId": ["t0"], "existingId": [known]}
    assert {r["properties"]["email"] for r in portal.stored("contacts").values()} == {
        "ann@example.com",
        "bob@example.com",
    }


def test_a_merged_record_answers_as_its_survivor(portal: Portal) -> None:
    survivor, loser = companies(portal, 2)
    portal.control("mutate", {"action": "merge", "type": "company", "survivor": survivor, "loser": loser})
    updated = portal.batch("update", [{"id": loser, "properties": {"name": "new"}}]).json()["results"]
    read = portal.batch("read", [{"id": loser}], properties=["name"]).json()["results"]
    assert [updated[0]["id"], read[0]["id"]] == [survivor, survivor]
    assert portal.values(survivor)["name"] == "new"
    assert loser not in portal.stored()


def test_reading_shows_what_was_asked_for_and_leaves_out_what_does_not_exist(portal: Portal) -> None:
    (known,) = companies(portal, 1)
    body = portal.batch("read", [{"id": known}, {"id": "7"}], properties=["name", "phone", "nope"]).json()
    (result,) = body["results"]
    assert set(result["properties"]) == {"name", "phone", "createdate", "hs_lastmodifieddate", "hs_object_id"}
    assert result["properties"]["phone"] is None
    assert body["errors"][0]["context"] == {"ids": ["7"]}


def test_reading_with_history_takes_fifty_and_shows_who_wrote_what(portal: Portal) -> None:
    (known,) = companies(portal, 1)
    portal.pass_time(60)
    portal.control("mutate", {"action": "edit", "type": "companies", "id": known, "properties": {"name": "human"}})
    many = [{"id": str(number)} for number in range(51)]
    assert portal.batch("read", many, propertiesWithHistory=["name"]).status_code == 400
    (result,) = portal.batch("read", [{"id": known}], propertiesWithHistory=["name"]).json()["results"]
    history = result["propertiesWithHistory"]["name"]
    assert [(change["value"], change["sourceType"]) for change in history] == [
        ("human", "CRM_UI"),
        ("C0", "INTEGRATION"),
    ]


def test_archiving_is_silent_about_unknown_ids_and_frees_the_key(portal: Portal) -> None:
    portal.define()
    known = portal.create(name="A", our_key="k")
    answer = portal.batch("archive", [{"id": known}, {"id": "404"}])
    assert (answer.status_code, answer.text) == (204, "")
    assert portal.stored()[known]["archived"] is True
    assert portal.batch("read", [{"id": known}]).json()["errors"][0]["context"] == {"ids": [known]}
    assert portal.create(name="B", our_key="k") != known


def test_an_inline_association_to_an_unknown_record_rejects_the_record(portal: Portal) -> None:
    (company,) = companies(portal, 1)

    def task(to: str) -> dict[str, Any]:
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 192}]
        return {"properties": {"hs_timestamp": "1700000000000"}, "associations": [{"to": {"id": to}, "types": types}]}

    assert portal.batch("create", [task(company), task("404")], "tasks").status_code == 400
    assert portal.stored("tasks") == {}
    assert portal.batch("create", traced([task(company), task("404")]), "tasks").status_code == 207
    ((made, _),) = portal.stored("tasks").items()
    linked = portal.get(f"/crm/v4/objects/tasks/{made}/associations/companies").json()["results"]
    assert [str(one["toObjectId"]) for one in linked] == [company]


def test_the_same_seed_gives_the_same_order(portal: Portal) -> None:
    def order() -> list[str]:
        portal.control("reset", {})
        return [r["properties"]["name"] for r in portal.batch("create", inputs).json()["results"]]

    inputs = [{"properties": {"name": str(number)}} for number in range(30)]
    assert order() == order()


@pytest.mark.parametrize("value", [None, ["a"], {"a": "b"}])
def test_a_value_that_is_no_scalar_rejects_the_whole_call(
    portal: Portal, value: dict[str, str] | list[str] | None
) -> None:
    first, second = companies(portal, 2)
    inputs = traced([{"id": first, "properties": {"name": "x"}}, {"id": second, "properties": {"name": value}}])
    answer = portal.batch("update", inputs)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Invalid input JSON on line 1, column ")
    assert portal.values(first)["name"] == "C0"


def test_numbers_and_booleans_are_taken_as_their_text(portal: Portal) -> None:
    known = portal.create(name="A")
    portal.batch("update", [{"id": int(known), "properties": {"numberofemployees": 12.50, "phone": 7, "city": True}}])
    stored = portal.values(known)
    assert (stored["numberofemployees"], stored["phone"], stored["city"]) == ("12.5", "7", "true")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["good", "bad", "stranger", "taken"]), min_size=1, max_size=8))
def test_traced_every_record_is_either_written_or_reported_once(portal: Portal, fates: list[str]) -> None:
    portal.control("reset", {})
    portal.control("config", {"plan_max": 10_000})
    portal.define()
    portal.create(name="holder", our_key="taken")
    ids = companies(portal, len(fates))
    values = {
        "good": {"name": "written"},
        "bad": {"nope": "1"},
        "taken": {"our_key": "taken"},
        "stranger": {"name": "x"},
    }
    inputs = [
        {"id": "404" + one if fate == "stranger" else one, "properties": values[fate]}
        for one, fate in zip(ids, fates, strict=True)
    ]
    body = portal.batch("update", traced(inputs)).json()
    good = {one for one, fate in zip(ids, fates, strict=True) if fate == "good"}
    assert {result["id"] for result in body["results"]} == good
    stored = portal.stored()
    assert {one for one in ids if stored[one]["properties"]["name"] == "written"} == good
    reported = [
        name
        for e in body.get("errors", [])
        for key in ("objectWriteTraceId", "ids")
        for name in e["context"].get(key, [])
    ]
    assert len(reported) == len(set(reported)) == len(fates) - len(good), json.dumps(body)
