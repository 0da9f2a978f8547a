"""For every request HubSpot answered on record, the sandbox answers with the same status, keys, types and codes.

Differences that are meant, and why:

* ``url`` on every record: absent in the recordings of 2022, present in those of 2025 (`NEWER_KEY`).
* more properties on contacts after a write: the recordings of 2025 have them, those of 2022 do not
  (`NEWER_ON_CONTACTS`; no other extra property is let through).
* rate headers of the day on every answer: a part of the recordings was made with an OAuth app, which does not get them.
* ids and moments are the sandbox's own, and results come in another order: so did HubSpot's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
import requests

from tests.contract.sandbox_hubspot.client import Portal
from tests.contract.sandbox_hubspot.recordings import RECORDED, recorded, shape

pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="no recorded answers here")

NAMES = {"COMPANY": "companies", "CONTACT": "contacts", "2-3604285": "robots"}
CUSTOM = {"name": "robots", "singular": "robot", "typeId": "2-3604285"}
KEYS = {"companies": "name", "contacts": "email", "robots": "grouparoo_object_property"}
NEWER_KEY = "url"
NEWER_ON_CONTACTS = {
    "createdate",
    "hs_object_id",
    "hs_associated_target_accounts",
    "hs_currently_enrolled_in_prospecting_agent",
    "hs_email_domain",
    "hs_full_name_or_email",
    "hs_is_contact",
    "hs_is_unworked",
    "hs_lifecyclestage_lead_date",
    "hs_membership_has_accessed_private_content",
    "hs_object_source",
    "hs_object_source_id",
    "hs_object_source_label",
    "hs_pipeline",
    "hs_prospecting_agent_actively_enrolled_count",
    "hs_prospecting_agent_total_enrolled_count",
    "hs_registered_member",
    "hs_sequences_actively_enrolled_count",
    "lifecyclestage",
    "num_notes",
}
PASSING = {"createdate", "hs_createdate", "hs_lastmodifieddate", "lastmodifieddate", "hs_object_id"}
PASSING |= {"hs_all_contact_vids"}
DAILY = {"x-hubspot-ratelimit-daily", "x-hubspot-ratelimit-daily-remaining"}


def groups() -> Any:
    """All exchanges by what was asked for and how it was answered."""
    grouped = defaultdict(list)
    for exchange in recorded("exchanges") if RECORDED.exists() else []:
        _, _, _, _, kind, *action = exchange["path"].split("/")
        grouped[NAMES[kind], "/".join(action), exchange["status"]].append(exchange)
    return grouped


GROUPS = groups()


@pytest.fixture(scope="module")
def known(served: Portal) -> dict[str, dict[str, bool]]:
    """Properties a new portal has, and which of them can be written, by kind of object."""
    served.control("reset", {})
    served.control("seed", {"objects": [CUSTOM]})
    found = {}
    for name in NAMES.values():
        listed = served.get(f"/crm/v3/properties/{name}").json()["results"]
        found[name] = {each["name"]: not each["modificationMetadata"]["readOnlyValue"] for each in listed}
    return found


def test_nothing_on_record_is_left_out() -> None:
    assert sum(map(len, GROUPS.values())) == len(recorded("exchanges"))


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: " ".join(map(str, group)))
def test_the_answer_looks_like_the_recorded_one(
    portal: Portal, known: dict[str, dict[str, bool]], group: tuple[str, str, int]
) -> None:
    name, _, status = group
    for exchange in GROUPS[group]:
        prepare(portal, known[name], name, exchange)
        answer = portal.call(exchange["method"], exchange["path"], exchange["body"])
        assert answer.status_code == status, (exchange["body"], answer.text)
        compare_headers(answer, exchange)
        if exchange["response"] == "":
            assert answer.text == ""
        else:
            compare_bodies(name, answer.json(), exchange)


# -------------------------------------------------------------------------------- before a replay


def prepare(portal: Portal, known: dict[str, bool], name: str, exchange: dict[str, Any]) -> None:
    """A portal in which HubSpot's answer was possible: its properties and, unless they are made, its records.

    Some searches were recorded just after a write: found by a value the record no longer had, or archived.
    """
    portal.control("reset", {})
    limit = 0 if exchange["status"] == 429 else 10_000
    portal.control("config", {"plan_max": 100, "search_max": limit})
    entries, later = records_behind(known, name, exchange)
    missing = {*mentioned(exchange), KEYS[name]} - known.keys()
    portal.control(
        "seed",
        {
            "objects": [CUSTOM],
            "properties": {name: [definition(each) for each in sorted(missing)]},
            "records": {name: entries},
        },
    )
    portal.control("mutate", [{"type": name, **action} for action in later])


def definition(name: str) -> dict[str, str]:
    group = "integrationcreatedproperties"
    return {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": group}


def results(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    return exchange["response"].get("results", []) if exchange["response"] else []


def inputs(exchange: dict[str, Any]) -> Any:
    return exchange["body"].get("inputs", [])


def filters(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for group in exchange["body"].get("filterGroups", []) for each in group["filters"]]


def mentioned(exchange: dict[str, Any]) -> set[str]:
    """Every property that has to exist; a requested one that is not answered did not."""
    named = {key for one in [*results(exchange), *inputs(exchange)] for key in one.get("properties", {})}
    return named | {each["propertyName"] for each in filters(exchange)}


def records_behind(known: dict[str, bool], name: str, exchange: dict[str, Any]) -> tuple[Any, ...]:
    """Seed entries of the records an answer shows, and what a person did to them since the index saw them."""
    if exchange["path"].endswith("create"):
        return [], []
    searched = filters(exchange)
    unused = [each["value"] for each in searched]
    key = searched[0]["propertyName"] if searched else KEYS[name]
    holders = [(one["id"], one["properties"]) for one in results(exchange)]
    holders = holders or [(item["id"], {}) for item in inputs(exchange)]
    gone = exchange["response"]["total"] - len(holders) if searched and exchange["status"] == 200 else 0
    holders += [(str(number), {}) for number in range(1, gone + 1)]
    entries, later = [], []
    for number, (record_id, properties) in enumerate(holders):
        kept = {each: value for each, value in properties.items() if known.get(each, True) and value}
        edit = {each: "" for each, value in properties.items() if value == ""}
        if unused and kept.get(key) not in unused:
            edit |= {key: kept.pop(key)} if key in kept else {}
            kept[key] = unused[number]
        entries.append({"id": record_id, "properties": {key: f"u{number}@example.com", **kept}})
        if name == "companies" and not entries[-1]["properties"].keys() & {"name", "domain"}:
            entries[-1]["properties"]["name"] = "some company"
        if edit:
            later.append({"action": "edit", "id": record_id, "properties": edit})
    return entries, later + [{"action": "archive", "id": str(number)} for number in range(1, gone + 1)]


# -------------------------------------------------------------------------------- after a replay


def compare_headers(answer: requests.Response, exchange: dict[str, Any]) -> None:
    expected = {name for name in exchange["headers"] if name.startswith("x-hubspot")} | DAILY
    assert {name.lower() for name in answer.headers if name.lower().startswith("x-hubspot")} == expected
    if exchange["response"]:
        assert answer.headers["Content-Type"] == exchange["headers"]["content-type"]
    constant = {"x-hubspot-ratelimit-interval-milliseconds", "x-hubspot-ratelimit-max", "x-hubspot-ratelimit-secondly"}
    for name in constant & expected:
        assert answer.headers[name] == exchange["headers"][name]


def compare_bodies(name: str, body: dict[str, Any], exchange: dict[str, Any]) -> None:
    expected = exchange["response"]
    for result in body.get("results", []):
        assert result.pop(NEWER_KEY).endswith(result["id"])
    if name == "contacts" and "/batch/" in exchange["path"]:
        drop_newer_properties(body, expected)
    assert shape(body) == shape(expected)
    assert message_parts(body) == message_parts(expected)
    for key in {"message", "category", "status", "total"} & expected.keys():
        assert body[key] == expected[key]
    if "correlationId" in expected:
        assert body["correlationId"]


def drop_newer_properties(body: dict[str, Any], expected: dict[str, Any]) -> None:
    """Take away what only newer portals answer, unless it was recorded too."""
    known = {key for result in expected["results"] for key in result["properties"]}
    for result in body["results"]:
        for key in NEWER_ON_CONTACTS & result["properties"].keys() - known:
            del result["properties"][key]


def message_parts(body: dict[str, Any]) -> list[str]:
    """What the results say, in any order, without ids and moments."""
    return sorted(
        json.dumps({key: value for key, value in result["properties"].items() if key not in PASSING}, sort_keys=True)
        for result in body.get("results", [])
    )
