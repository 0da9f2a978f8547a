"""Bulk API 2.0: a job goes through its states, applies its rows and says what became of each."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX

RECORDED = Path(__file__).parents[4] / "shared" / "crm" / "recorded" / "salesforce.json"


def create(api: Api, **given: str) -> requests.Response:
    body = {"object": "Account", "operation": "update", "contentType": "CSV", "lineEnding": "LF", **given}
    return api.call("POST", "/services/data/v60.0/jobs/ingest", body)


def put(api: Api, job: dict[str, Any], text: str) -> requests.Response:
    url = f"{api.url}/{job['contentUrl']}"
    return api.http.put(url, data=text.encode(), headers={"Content-Type": "text/csv"}, timeout=10)


def complete(api: Api, job: dict[str, Any]) -> requests.Response:
    return api.call("PATCH", f"/services/data/v60.0/jobs/ingest/{job['id']}", {"state": "UploadComplete"})


def info(api: Api, job: dict[str, Any]) -> Any:
    return api.call("GET", f"/services/data/v60.0/jobs/ingest/{job['id']}").json()


def results(api: Api, job: dict[str, Any], which: str) -> list[dict[str, Any]]:
    answer = api.call("GET", f"/services/data/v60.0/jobs/ingest/{job['id']}/{which}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def run(api: Api, text: str, **given: str) -> Any:
    job = create(api, **given).json()
    assert put(api, job, text).status_code == 201
    assert complete(api, job).status_code == 200
    return job


def recorded(name: str) -> Any:
    found = [one for one in json.loads(RECORDED.read_text()) if name in one["source"]]
    return found[0]["response"]["body"]


def test_a_job_applies_its_rows_and_reports_each(api: Api) -> None:
    rows = [f"{ACME},Hot,5", f"{GLOBEX},Cold,many", f"{CYCO},#N/A,"]
    api.ui_action(do="edit", id=CYCO, values={"Rating": "Warm", "NumberOfEmployees": 9})
    job = run(api, "Id,Rating,NumberOfEmployees\n" + "\n".join(rows) + "\n")
    done = info(api, job)
    assert (done["state"], done["numberRecordsProcessed"], done["numberRecordsFailed"]) == ("JobComplete", 3, 1)
    applied = results(api, job, "successfulResults")
    assert {one["sf__Id"] for one in applied} == {ACME, CYCO}
    assert {one["sf__Created"] for one in applied} == {"false"}
    (rejected,) = results(api, job, "failedResults")
    assert rejected["sf__Error"] == (
        "INVALID_FIELD:Failed to deserialize field at col 2. Due to, 'many' is not a valid value for the type "
        "xsd:int:NumberOfEmployees --"
    )
    # A blank cell is ignored, #N/A clears.
    cyco = api.stored("Account", CYCO)
    assert (cyco["Rating"], cyco["NumberOfEmployees"]) == (None, 9)
    assert "Rating" not in api.stored("Account", GLOBEX)


def test_upserts_are_joined_by_key_because_the_order_is_not_kept(api: Api) -> None:
    keys = [f"k{n}" for n in range(300)]
    text = "Sync_Ext__c,Name\n" + "".join(f"{key},Name of {key}\n" for key in keys)
    job = run(api, text, operation="upsert", externalIdFieldName="Sync_Ext__c")
    assert info(api, job)["numberRecordsProcessed"] == 300
    applied = results(api, job, "successfulResults")
    assert [one["Sync_Ext__c"] for one in applied] != keys
    assert sorted(one["Sync_Ext__c"] for one in applied) == sorted(keys)
    stored = {one["Id"]: one.get("Sync_Ext__c") for one in api.stored("Account")}
    assert all(stored[one["sf__Id"]] == one["Sync_Ext__c"] for one in applied)


def test_text_with_quotes_commas_line_breaks_and_umlauts_survives(api: Api) -> None:
    evil = 'Zoë, "the" Größte\nof all'
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([["Id", "Description"], [ACME, evil]])
    job = run(api, buffer.getvalue())
    assert api.stored("Account", ACME)["Description"] == evil
    assert results(api, job, "successfulResults")[0]["Description"] == evil


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f"Id,Rating\r\n{ACME},Hot\r\n",
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        (f"Id,Nope__c\n{ACME},x\n", "InvalidBatch : Field name not found : Nope__c"),
    ],
)
def test_a_file_that_does_not_fit_fails_the_whole_job(api: Api, text: str, problem: str) -> None:
    job = run(api, text)
    done = info(api, job)
    assert (done["state"], done["errorMessage"], done["numberRecordsProcessed"]) == ("Failed", problem, 0)
    assert "Rating" not in api.stored("Account", ACME)


def test_a_hidden_column_is_not_found(api: Api) -> None:
    api.ui_action(do="hide_field", object="Account", field="Rating")
    done = info(api, run(api, f"Id,Rating\n{ACME},Hot\n"))
    assert done["errorMessage"] == "InvalidBatch : Field name not found : Rating"


def test_a_failed_job_may_have_applied_a_part(api: Api) -> None:
    api.sim("config", {"fail_after_rows": 1})
    job = run(api, f"Id,Rating\n{ACME},Hot\n{GLOBEX},Hot\n{CYCO},Hot\n")
    assert info(api, job)["state"] == "Failed"
    assert [one["sf__Id"] for one in results(api, job, "successfulResults")] == [ACME]
    assert [one["Id"] for one in results(api, job, "unprocessedrecords")] == [GLOBEX, CYCO]
    assert [one.get("Rating") for one in api.stored("Account")] == ["Hot", None, None]


def test_states_advance_with_the_clock(api: Api) -> None:
    api.sim("clock", {"freeze": True})
    api.sim("config", {"bulk_queue_ms": 2000, "bulk_ms_per_chunk": 1000})
    text = "Name\n" + "".join(f"A{n}\n" for n in range(500))
    job = run(api, text, operation="insert")
    assert info(api, job)["state"] == "UploadComplete"
    assert len(api.stored("Account")) == 3
    api.sim("clock", {"advance_s": 3.5})
    working = info(api, job)
    assert (working["state"], working["numberRecordsProcessed"]) == ("InProgress", 200)
    rejected = api.call("GET", f"/jobs/ingest/{job['id']}/successfulResults")
    assert (rejected.status_code, rejected.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")
    api.sim("clock", {"advance_s": 2})
    assert info(api, job)["state"] == "JobComplete"
    assert len(api.stored("Account")) == 503


def test_data_is_uploaded_once_and_only_while_open(api: Api) -> None:
    job = create(api).json()
    assert put(api, job, f"Id,Rating\n{ACME},Hot\n").status_code == 201
    again = put(api, job, f"Id,Rating\n{ACME},Cold\n")
    assert (again.status_code, again.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")
    complete(api, job)
    assert api.stored("Account", ACME)["Rating"] == "Hot"
    assert complete(api, job).status_code == 400


def test_an_aborted_job_applies_nothing_and_can_be_deleted(api: Api) -> None:
    job = create(api).json()
    path = f"/jobs/ingest/{job['id']}"
    put(api, job, f"Id,Rating\n{ACME},Hot\n")
    assert api.call("DELETE", path).status_code == 400
    assert api.call("PATCH", path, {"state": "Aborted"}).json()["state"] == "Aborted"
    assert api.call("DELETE", path).status_code == 204
    assert api.call("GET", path).status_code == 404
    assert "Rating" not in api.stored("Account", ACME)


@pytest.mark.parametrize(
    "given", [{"object": "Nothing"}, {"operation": "upsert"}, {"operation": "dance"}, {"lineEnding": "CR"}]
)
def test_a_job_that_makes_no_sense_is_rejected(api: Api, given: dict[str, str]) -> None:
    assert create(api, **given).status_code == 400
    assert api.call("GET", "/jobs/ingest").json()["records"] == []


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded answers here")
def test_answers_have_the_recorded_keys_and_types(api: Api) -> None:
    def shape(body: dict[str, Any]) -> dict[str, Any]:
        return {key: type(value) for key, value in body.items()}

    asked = {"operation": "upsert", "externalIdFieldName": "Sync_Ext__c", "object": "Opportunity"}
    job = create(api, **asked).json()
    theirs = recorded("launch-job-opportunity")
    assert shape(job) == shape(theirs)
    assert job["contentUrl"] == theirs["contentUrl"].replace(theirs["id"], job["id"])
    put(api, job, "Name,StageName,Sync_Ext__c,CloseDate\nNoemi,Prospecting,e-3,2003-04-9876\n")
    assert shape(complete(api, job).json()) == shape(recorded("update-job-opportunity"))
    assert shape(info(api, job)) == shape(recorded("partial-failure.json"))
    ours = api.call("GET", f"/services/data/v60.0/jobs/ingest/{job['id']}/failedResults").text.splitlines()
    head, row = recorded("partial-failure.csv").splitlines()
    assert ours[0] == head.replace("external_id__c", "Sync_Ext__c")
    assert ours[1] == row.replace("Noemi Miller", "Noemi").replace("GENERATED", "Prospecting").replace(
        "external-id-3", "e-3"
    ).replace("2003-04-987654321987654321", "2003-04-9876")
    bad = run(api, "StageName_invalid\nx\n", **asked)
    assert shape(info(api, bad)) == shape(recorded("complete-failure"))
