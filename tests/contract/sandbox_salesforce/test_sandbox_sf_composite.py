"""Composite: many requests in one call, each may use the answers before it."""

from __future__ import annotations

from typing import Any

import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, GLOBEX

BASE = "/services/data/v67.0"


def run(api: Api, *parts: dict[str, Any], **more: bool) -> requests.Response:
    named = [{"referenceId": f"r{n}", **part} for n, part in enumerate(parts)]
    return api.call("POST", "/composite", {"compositeRequest": named, **more})


def statuses(answer: requests.Response) -> list[int]:
    return [part["httpStatusCode"] for part in answer.json()["compositeResponse"]]


def test_a_later_request_uses_an_earlier_answer(api: Api) -> None:
    answer = run(
        api,
        {"method": "POST", "url": f"{BASE}/sobjects/Account", "body": {"Name": "New"}},
        {"method": "POST", "url": f"{BASE}/sobjects/Task", "body": {"Subject": "s", "WhatId": "@{r0.id}"}},
        {"method": "GET", "url": f"{BASE}/query?q=SELECT+Id+FROM+Task+WHERE+WhatId='@{{r0.id}}'"},
        {"method": "PATCH", "url": f"{BASE}/sobjects/Task/@{{r2.records[0].Id}}", "body": {"Priority": "High"}},
    )
    assert statuses(answer) == [201, 201, 200, 204]
    first = answer.json()["compositeResponse"][0]
    assert set(first) == {"body", "httpHeaders", "httpStatusCode", "referenceId"}
    assert first["httpHeaders"]["Location"].endswith(first["body"]["id"])
    (task,) = api.stored("Task")
    assert (task["WhatId"], task["Priority"]) == (first["body"]["id"], "High")
    assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=1/")


def test_one_bad_request_does_not_cost_the_others(api: Api) -> None:
    answer = run(
        api,
        {"method": "GET", "url": f"{BASE}/query?q=select count() from Account"},
        {"method": "GET", "url": f"{BASE}/query?q=select count() from XYZZY"},
        {"method": "GET", "url": f"{BASE}/sobjects/Account/@{{r1.id}}"},
    )
    parts = answer.json()["compositeResponse"]
    assert [part["httpStatusCode"] for part in parts] == [200, 400, 400]
    assert parts[1]["body"][0]["errorCode"] == "INVALID_TYPE"
    assert parts[2]["body"][0]["errorCode"] == "PROCESSING_HALTED"


def test_a_thousand_records_in_one_call_and_all_or_none(api: Api) -> None:
    made = api.batch("POST", "Account", [{"Name": f"A{n}"} for n in range(200)])

    def chunk(rating: str, extra: list[dict[str, Any]] | tuple[()] = ()) -> dict[str, Any]:
        records = [{"attributes": {"type": "Account"}, "id": one["id"], "Rating": rating} for one in made]
        body = {"records": [*records[: 200 - len(extra)], *extra]}
        return {"method": "PATCH", "url": f"{BASE}/composite/sobjects", "body": body}

    assert statuses(run(api, *[chunk("Hot")] * 5)) == [200] * 5
    assert api.sim("log")["entries"][-1]["records"] == 1000
    bad = {"attributes": {"type": "Account"}, "id": ACME, "Name": None}
    rolled = run(api, chunk("Cold"), chunk("Cold", [bad]), allOrNone=True)
    assert statuses(rolled) == [400, 200]
    assert rolled.json()["compositeResponse"][0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert {one.get("Rating") for one in api.stored("Account")} == {"Hot", None}


def test_too_much_in_one_call_is_rejected(api: Api) -> None:
    one = {"method": "GET", "url": f"{BASE}/sobjects/Account/{GLOBEX}"}
    assert statuses(run(api, *[one] * 25)) == [200] * 25
    assert run(api, *[one] * 26).status_code == 400
    query = {"method": "GET", "url": f"{BASE}/query?q=SELECT Id FROM Account"}
    assert run(api, *[query] * 6).json()[0]["errorCode"] == "LIMIT_EXCEEDED"


def node(kind: str, reference: str, **values: str | dict[str, Any]) -> dict[str, Any]:
    return {"attributes": {"type": kind, "referenceId": reference}, **values}


def test_a_batch_answers_each_request_and_counts_each(api: Api) -> None:
    before = api.sim("state")["api_calls"]
    parts = [
        {"method": "PATCH", "url": f"v60.0/sobjects/Account/{ACME}", "richInput": {"Rating": "Hot"}},
        {"method": "GET", "url": "v60.0/sobjects/Account/0015f00000zzzzzAAA"},
        {"method": "GET", "url": f"/services/data/v60.0/sobjects/Account/{ACME}?fields=Rating"},
    ]
    body = api.call("POST", "/composite/batch", {"batchRequests": parts}).json()
    assert body["hasErrors"] is True
    assert [one["statusCode"] for one in body["results"]] == [204, 404, 200]
    assert body["results"][2]["result"]["Rating"] == "Hot"
    assert api.sim("state")["api_calls"] == before + 3
    halted = api.call("POST", "/composite/batch", {"batchRequests": parts, "haltOnError": True}).json()
    assert [one["statusCode"] for one in halted["results"]] == [204, 404, 412]
    assert api.call("POST", "/composite/batch", {"batchRequests": parts * 9}).status_code == 400


def test_a_tree_creates_parents_and_children_or_nothing(api: Api) -> None:
    contacts = {"records": [node("Contact", "c1", LastName="Ray"), node("Contact", "c2", LastName="Lee")]}
    tree = {"records": [node("Account", "a1", Name="Tree", Contacts=contacts), node("Account", "a2", Name="Alone")]}
    answer = api.call("POST", "/composite/tree/Account", tree)
    made = {one["referenceId"]: one["id"] for one in answer.json()["results"]}
    assert (answer.status_code, answer.json()["hasErrors"], set(made)) == (201, False, {"a1", "c1", "c2", "a2"})
    assert [api.stored("Contact", made[one])["AccountId"] for one in ("c1", "c2")] == [made["a1"]] * 2
    before = api.sim("state")["objects"]
    del contacts["records"][1]["LastName"]
    rejected = api.call("POST", "/composite/tree/Account", tree)
    message = "Required fields are missing: [LastName]"
    error = {"statusCode": "REQUIRED_FIELD_MISSING", "message": message, "fields": ["LastName"]}
    assert (rejected.status_code, rejected.json()) == (
        400,
        {"hasErrors": True, "results": [{"referenceId": "c2", "errors": [error]}]},
    )
    assert api.sim("state")["objects"] == before
