"""An org's own objects: made by a seed, then like any other object to the API."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME

SEED = {
    "custom_objects": [{"FullName": "Subscription__c", "label": "Subscription"}],
    "custom_fields": [
        {
            "FullName": "Subscription__c.Account__c",
            "Metadata": {"label": "Account", "type": "Lookup", "referenceTo": "Account"},
        },
        {
            "FullName": "Subscription__c.Key__c",
            "Metadata": {"label": "Key", "type": "Text", "length": 40, "externalId": True, "unique": True},
        },
    ],
    "records": {"Subscription__c": [{"Name": "S-1", "Key__c": "s1", "_ref": "s1"}]},
}


@pytest.fixture
def org(api: Api) -> Api:
    api.sim("seed", SEED)
    return api


def test_it_is_described_with_its_lookup(org: Api) -> None:
    body = org.call("GET", "/sobjects/Subscription__c/describe").json()
    fields = {one["name"]: one for one in body["fields"]}
    assert (body["custom"], body["labelPlural"], body["keyPrefix"]) == (True, "Subscriptions", "a00")
    assert (fields["Account__c"]["referenceTo"], fields["Account__c"]["relationshipName"]) == (
        ["Account"],
        "Account__r",
    )
    assert "Subscription__c" in {one["name"] for one in org.call("GET", "/sobjects").json()["sobjects"]}


def test_it_is_upserted_queried_and_related_to_tasks(org: Api) -> None:
    records = [{"Key__c": "s1", "Account__c": ACME}, {"Key__c": "s2", "Name": "S-2"}]
    results = org.batch("PATCH", "Subscription__c", records, "/Subscription__c/Key__c")
    assert [one["created"] for one in results] == [False, True]
    rows = org.rows("SELECT Name, Account__r.Name FROM Subscription__c WHERE Account__c != null")
    assert [(one["Name"], one["Account__r"]["Name"]) for one in rows] == [("S-1", "Acme")]
    (task,) = org.batch("POST", "Task", [{"Subject": "s", "WhatId": results[0]["id"]}])
    assert org.stored("Task", task["id"])["WhatId"] == results[0]["id"]
    (rejected,) = org.batch("PATCH", "Subscription__c", [{"id": results[0]["id"], "Account__c": results[1]["id"]}])
    assert rejected["errors"][0]["statusCode"] == "MALFORMED_ID"


def test_a_reset_takes_it_away_again(org: Api) -> None:
    org.sim("reset", {})
    org.login()
    assert org.call("GET", "/sobjects/Subscription__c/describe").status_code == 404
    what = [one for one in org.call("GET", "/sobjects/Task/describe").json()["fields"] if one["name"] == "WhatId"]
    assert what[0]["referenceTo"] == ["Account", "Opportunity"]


@pytest.mark.parametrize(
    ("part", "given", "words"),
    [
        ("custom_objects", {"FullName": "Subscription", "label": "S"}, "needs FullName"),
        ("custom_objects", {"FullName": "Subscription__c", "label": "S"}, "already"),
        (
            "custom_fields",
            {"FullName": "Account.X__c", "Metadata": {"label": "X", "type": "Lookup", "referenceTo": "Nothing"}},
            "does not resolve",
        ),
    ],
)
def test_one_that_makes_no_sense_is_rejected(org: Api, part: str, given: dict[str, Any], words: str) -> None:
    answer = requests.post(f"{org.url}/__sim/seed", json={part: [given]}, timeout=10)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
