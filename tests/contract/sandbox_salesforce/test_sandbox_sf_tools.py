"""What command-line tools and other clients ask for besides records: columns, lists, query jobs, what was deleted."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX

HOUR = {"start": "2020-01-01T00:00:00+00:00", "end": "2999-01-01T00:00:00+00:00"}


def query_job(api: Api, query: str, **given: str) -> requests.Response:
    body = {"operation": "query", "query": query, **given}
    return api.call("POST", "/services/data/v60.0/jobs/query", body)


def rows(answer: requests.Response) -> list[dict[str, Any]]:
    assert answer.headers["Content-Type"] == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_a_query_shows_its_columns_instead_of_its_records(api: Api) -> None:
    asked = {"q": "SELECT Id, Name, Owner.Name, Owner.Email, IsDeleted FROM Account", "columns": "true"}
    body = api.call("GET", "/query", params=asked).json()
    assert (body["entityName"], body["keyPrefix"], body["idSelected"]) == ("Account", "001", True)
    assert "records" not in body
    named = {one["columnName"]: one for one in body["columnMetadata"]}
    assert list(named) == ["Id", "Name", "Owner", "IsDeleted"]
    assert [one["columnName"] for one in named["Owner"]["joinColumns"]] == ["Name", "Email"]
    assert (named["Name"]["textType"], named["IsDeleted"]["booleanType"]) == (True, True)


def test_tools_learn_about_the_org_and_its_users(api: Api) -> None:
    fields = "Id, Name, InstanceName, IsSandbox, OrganizationType, TrialExpirationDate, NamespacePrefix"
    (org,) = api.rows(f"SELECT {fields} FROM Organization")
    assert (org["Name"], org["IsSandbox"], org["NamespacePrefix"]) == ("Sandbox Org", False, None)
    (user,) = api.rows(f"SELECT Id, ProfileId, Profile.Name FROM User WHERE Username = '{api.username}'")
    assert user["Id"].startswith("005")
    assert user["Profile"]["Name"]


def test_a_describe_names_the_objects_that_refer_to_it_and_its_record_type(api: Api) -> None:
    body = api.call("GET", "/sobjects/Account/describe").json()
    children = {(one["childSObject"], one["field"]): one["relationshipName"] for one in body["childRelationships"]}
    assert children["Contact", "AccountId"] == "Contacts"
    assert ("Task", "WhatId") in children
    (record_type,) = body["recordTypeInfos"]
    assert (record_type["master"], record_type["recordTypeId"]) == (True, "012000000000000AAA")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_many_records_are_read_at_once_in_the_order_asked(api: Api, method: str) -> None:
    ids = [GLOBEX, "0015f00000zzzzzAAA", ACME]
    if method == "GET":
        given = {"ids": ",".join(ids), "fields": "Name,Website"}
        answer = api.call("GET", "/composite/sobjects/Account", params=given)
    else:
        answer = api.call("POST", "/composite/sobjects/Account", {"ids": ids, "fields": ["Name", "Website"]})
    globex, nobody, acme = answer.json()
    assert nobody is None
    assert (globex["Name"], globex["Website"], acme["Website"]) == ("Globex", None, "https://acme.com")
    assert set(acme) == {"attributes", "Name", "Website"}


def test_reading_many_rejects_unknown_fields_and_empty_lists(api: Api) -> None:
    path = "/composite/sobjects/Account"
    assert api.call("POST", path, {"ids": [ACME], "fields": ["Nope"]}).json()[0]["errorCode"] == "INVALID_FIELD"
    assert api.call("POST", path, {"ids": [], "fields": ["Name"]}).status_code == 400
    too_many = {"ids": [ACME] * 2001, "fields": ["Name"]}
    assert api.call("POST", path, too_many).json()[0]["errorCode"] == "EXCEEDED_ID_LIMIT"


def test_what_was_deleted_is_reported_with_its_time(api: Api) -> None:
    api.ui_action(do="delete", id=CYCO)
    body = api.call("GET", "/sobjects/Account/deleted/", params=HOUR).json()
    assert [one["id"] for one in body["deletedRecords"]] == [CYCO]
    assert body["deletedRecords"][0]["deletedDate"] == api.stored("Account", CYCO)["SystemModstamp"]
    assert set(body) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}
    rejected = api.call("GET", "/sobjects/Account/deleted/", params={"start": "yesterday"})
    assert rejected.json()[0]["errorCode"] == "INVALID_REPLICATION_DATE"


def test_a_record_is_deleted_by_its_key(api: Api) -> None:
    assert api.call("DELETE", "/sobjects/Account/Sync_Ext__c/G-1").status_code == 204
    assert api.stored("Account", GLOBEX)["IsDeleted"]
    assert api.call("DELETE", "/sobjects/Account/Sync_Ext__c/G-1").status_code == 404


def test_update_only_is_understood_since_version_61(api: Api) -> None:
    path = "/sobjects/Account/Sync_Ext__c/new?updateOnly=true"
    assert api.call("PATCH", f"/services/data/v61.0{path}", {"Name": "n"}).status_code == 404
    assert len(api.stored("Account")) == 3
    assert api.call("PATCH", f"/services/data/v60.0{path}", {"Name": "n"}).status_code == 201


def test_an_id_with_a_wrong_checksum_is_malformed(api: Api) -> None:
    wrong = ACME[:-1] + ("B" if ACME[-1] == "A" else "A")
    answer = api.call("GET", f"/sobjects/Account/{wrong}")
    message = f"Account ID: id value of incorrect type: {wrong}"
    assert (answer.status_code, answer.json()) == (
        400,
        [{"message": message, "errorCode": "MALFORMED_ID", "fields": ["Id"]}],
    )
    (rejected,) = api.batch("PATCH", "Account", [{"id": wrong, "Rating": "Hot"}])
    assert rejected["errors"] == [{"statusCode": "MALFORMED_ID", "message": message, "fields": ["Id"]}]


def test_what_there_is_not_is_reported_missing(api: Api) -> None:
    expected = [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]
    for path in ("/services/async/60.0/job", "/services/data/v67.0/nothing", "/services/data/v45.0/limits"):
        answer = api.call("GET", path)
        assert (answer.status_code, answer.json()) == (404, expected)
    assert api.call("GET", "/search?q=FIND+{x}").json()[0]["errorCode"] == "MALFORMED_SEARCH"
    assert api.call("GET", "/recent").json() == []


def test_a_query_job_gives_its_result_part_by_part(api: Api) -> None:
    job = query_job(api, "SELECT Name, Owner.Name, IsDeleted FROM Account ORDER BY Name").json()
    assert (job["state"], job["object"], job["operation"]) == ("UploadComplete", "Account", "query")
    path = f"/services/data/v60.0/jobs/query/{job['id']}"
    done = api.call("GET", path).json()
    assert (done["state"], done["numberRecordsProcessed"], done["jobType"]) == ("JobComplete", 3, "V2Query")
    first = api.call("GET", f"{path}/results?maxRecords=2")
    assert (first.headers["Sforce-NumberOfRecords"], first.headers["Sforce-Locator"]) == ("2", "2")
    assert first.text.splitlines()[0] == '"Name","Owner.Name","IsDeleted"'
    rest = api.call("GET", f"{path}/results?maxRecords=2&locator=2")
    assert rest.headers["Sforce-Locator"] == "null"
    every = [*rows(first), *rows(rest)]
    assert [one["Name"] for one in every] == ["Acme", "Cyco", "Globex"]
    assert every[0] == {"Name": "Acme", "Owner.Name": "Ann Lee", "IsDeleted": "false"}
    assert api.call("DELETE", path).status_code == 204
    assert api.call("GET", path).status_code == 404


def test_a_query_job_waits_for_its_turn_and_can_be_aborted(api: Api) -> None:
    api.sim("clock", {"freeze": True})
    api.sim("config", {"bulk_queue_ms": 1000})
    job, other = (query_job(api, "SELECT Id FROM Account").json() for _ in range(2))
    path = f"/services/data/v60.0/jobs/query/{job['id']}"
    assert api.call("GET", f"{path}/results").json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert api.call("DELETE", path).status_code == 400
    assert api.call("PATCH", path, {"state": "Aborted"}).json()["state"] == "Aborted"
    api.sim("clock", {"advance_s": 2})
    assert api.call("GET", path).json()["state"] == "Aborted"
    listed = {one["id"]: one["state"] for one in api.call("GET", "/jobs/query").json()["records"]}
    assert listed == {job["id"]: "Aborted", other["id"]: "JobComplete"}


@pytest.mark.parametrize(
    ("query", "given", "code"),
    [
        ("SELECT Nope FROM Account", {}, "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", {}, "INVALID_TYPE"),
        ("SELECT count() FROM Account", {}, "API_ERROR"),
        ("SELECT Id FROM Account", {"operation": "dance"}, "INVALIDJOB"),
        ("", {}, "MALFORMED_QUERY"),
    ],
)
def test_a_query_job_that_makes_no_sense_is_rejected(api: Api, query: str, given: dict[str, str], code: str) -> None:
    assert query_job(api, query, **given).json()[0]["errorCode"] == code
    assert api.call("GET", "/jobs/query").json()["records"] == []
