"""Single records: created, read, changed, found by key and deleted as over the real REST API."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, GLOBEX


def test_a_record_is_created_read_changed_and_deleted(api: Api) -> None:
    made = api.call("POST", "/sobjects/Account", {"Name": "New"})
    record_id = made.json()["id"]
    assert (made.status_code, made.json()) == (201, {"id": record_id, "success": True, "errors": []})
    assert made.headers["Location"] == f"/services/data/v67.0/sobjects/Account/{record_id}"
    read = api.call("GET", f"/sobjects/Account/{record_id[:15]}").json()
    url = f"/services/data/v67.0/sobjects/Account/{record_id}"
    assert read["attributes"] == {"type": "Account", "url": url}
    assert (read["Name"], read["Industry"], read["IsDeleted"]) == ("New", None, False)
    changed = api.call("PATCH", f"/sobjects/Account/{record_id}", {"Industry": "energy"})
    assert (changed.status_code, changed.content) == (204, b"")
    assert api.stored("Account", record_id)["Industry"] == "Energy"
    assert api.call("DELETE", f"/sobjects/Account/{record_id}").status_code == 204
    gone = api.call("GET", f"/sobjects/Account/{record_id}")
    assert (gone.status_code, gone.json()) == (
        404,
        [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}],
    )


def test_a_rejected_record_answers_400_with_the_fields(api: Api) -> None:
    answer = api.call("POST", "/sobjects/Account", {})
    assert (answer.status_code, answer.json()) == (
        400,
        [
            {
                "message": "Required fields are missing: [Name]",
                "errorCode": "REQUIRED_FIELD_MISSING",
                "fields": ["Name"],
            }
        ],
    )
    assert len(api.stored("Account")) == 3


def test_text_for_a_number_is_a_parser_error_on_a_single_record(api: Api) -> None:
    answer = api.call("PATCH", f"/sobjects/Account/{ACME}", {"NumberOfEmployees": "many"})
    (error,) = answer.json()
    assert (answer.status_code, error["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert error["message"].startswith("Cannot deserialize instance of int from VALUE_STRING value many")


def test_only_the_fields_asked_for_are_answered(api: Api) -> None:
    read = api.call("GET", f"/sobjects/Account/{ACME}?fields=name,Website").json()
    assert {key: read[key] for key in read if key != "attributes"} == {"Name": "Acme", "Website": "https://acme.com"}


def test_upsert_by_key_creates_then_updates(api: Api) -> None:
    path = "/sobjects/Task/Sync_Key__c/key%2F1"
    first = api.call("PATCH", path, {"Subject": "Call"})
    second = api.call("PATCH", path, {"Subject": "Again"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (second.status_code, second.json()["created"]) == (200, False)
    (task,) = api.stored("Task")
    assert (task["Subject"], task["Sync_Key__c"]) == ("Again", "key/1")


def test_upsert_may_not_create_on_request(api: Api) -> None:
    answer = api.call("PATCH", "/sobjects/Task/Sync_Key__c/none?updateOnly=true", {"Subject": "Call"})
    assert answer.status_code == 404
    assert api.stored("Task") == []


def test_several_matches_answer_300_with_their_addresses(api: Api) -> None:
    made = api.batch("POST", "Contact", [{"LastName": name, "Email": "x@y.com"} for name in ("One", "Two")])
    answer = api.call("PATCH", "/sobjects/Contact/Email/x@y.com", {"LastName": "Three"})
    assert answer.status_code == 300
    assert answer.json() == [f"/services/data/v67.0/sobjects/Contact/{one['id']}" for one in made]
    assert sorted(one["LastName"] for one in api.stored("Contact") if one["Email"] == "x@y.com") == ["One", "Two"]


@pytest.mark.parametrize("body", [{"Sync_Key__c": "k"}, {"Id": "00T5f0000000001EAA"}])
def test_the_key_itself_may_not_be_repeated_in_the_body(api: Api, body: dict[str, str]) -> None:
    answer = api.call("PATCH", "/sobjects/Task/Sync_Key__c/k", {"Subject": "s", **body})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert api.stored("Task") == []


def test_a_record_is_read_by_its_key(api: Api) -> None:
    assert api.call("GET", "/sobjects/Account/Sync_Ext__c/g-1").json()["Id"] == GLOBEX
    assert api.call("GET", "/sobjects/Account/Sync_Ext__c/none").status_code == 404


def test_ids_changed_between_two_moments(api: Api) -> None:
    api.sim("clock", {"freeze": "2030-01-01T12:00:00Z"})
    api.login()
    api.call("PATCH", f"/sobjects/Account/{ACME}", {"Rating": "Hot"})
    query = "start=2030-01-01T11:59:00%2B00:00&end=2030-01-01T12:01:00%2B00:00"
    body = api.call("GET", f"/sobjects/Account/updated/?{query}").json()
    assert body == {"ids": [ACME], "latestDateCovered": "2030-01-01T12:00:00.000+0000"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Nothing", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Account/0015f00000zzzzzAAA", 404, "NOT_FOUND"),
        ("PUT", "/sobjects/Account", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/services/data/v45.0/limits", 404, "NOT_FOUND"),
        ("GET", "/services/data/v68.0/limits", 404, "NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_rejected(api: Api, method: str, path: str, status: int, code: str) -> None:
    answer = api.call(method, path)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)
    assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=")


def test_a_body_that_is_not_json_is_rejected(api: Api) -> None:
    answer = api.http.post(f"{api.url}/services/data/v67.0/sobjects/Account", data="{oops", timeout=10)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


def test_an_address_that_is_too_long_is_rejected(api: Api) -> None:
    assert api.query(f"SELECT Id FROM Account WHERE Name = '{'x' * 16_400}'").status_code == 414


def test_versions_need_no_login_and_cost_nothing(api: Api) -> None:
    answer = api.call("GET", "/services/data", headers={"Authorization": ""})
    versions = answer.json()
    assert (versions[0]["version"], versions[-1]["version"]) == ("46.0", "67.0")
    assert versions[-1] == {"label": "Summer '26", "url": "/services/data/v67.0", "version": "67.0"}
    assert "Sforce-Limit-Info" not in answer.headers


def test_quota_is_counted_shown_and_enforced_for_24_hours(api: Api) -> None:
    api.sim("clock", {"freeze": True})
    api.sim("config", {"daily_api_requests": 3})
    used = [api.call("GET", "/limits") for _ in range(4)]
    assert [one.headers["Sforce-Limit-Info"] for one in used] == [f"api-usage={n}/3" for n in (1, 2, 3, 3)]
    assert used[0].json()["DailyApiRequests"] == {"Max": 3, "Remaining": 2}
    assert (used[3].status_code, used[3].json()) == (
        403,
        [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}],
    )
    api.sim("clock", {"advance_s": 25 * 3600})
    api.login()
    assert api.call("GET", "/limits").status_code == 200


def test_the_usage_header_can_wobble_like_the_real_one(api: Api) -> None:
    api.sim("config", {"limit_jitter": True})
    used = [int(api.call("GET", "/limits").headers["Sforce-Limit-Info"].split("=")[1].split("/")[0]) for _ in range(40)]
    assert any(later < earlier for earlier, later in pairwise(used))


def test_json_is_compact_unless_asked_otherwise(api: Api) -> None:
    assert "\n" not in api.call("GET", "/limits").text
    assert "\n" in api.call("GET", "/limits", headers={"X-PrettyPrint": "1"}).text
