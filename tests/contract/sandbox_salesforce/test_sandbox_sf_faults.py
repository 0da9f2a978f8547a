"""Bad days only Salesforce has: each armed fault does what its name says, and the org's state shows it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX


def arm(api: Api, kind: str, match: dict[str, Any] | None = None, **args: Any) -> None:
    api.sim("faults", {"kind": kind, "args": args, "match": {"path_regex": "/services/data", **(match or {})}})


def tasks(keys: list[str]) -> list[dict[str, Any]]:
    return [{"Sync_Key__c": key, "Subject": "s"} for key in keys]


def test_sessions_can_be_killed(api: Api) -> None:
    arm(api, "session_expire")
    assert api.call("GET", "/limits").status_code == 401
    assert api.sim("state")["sessions"] == 0
    api.login()
    assert api.call("GET", "/limits").status_code == 200


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("quota_exhausted", "TotalRequests Limit exceeded."),
        ("concurrent_limit", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
    ],
)
def test_limits_can_be_hit_and_nothing_is_applied(api: Api, kind: str, words: str) -> None:
    arm(api, kind)
    answer = api.call("POST", "/sobjects/Account", {"Name": "x"})
    assert (answer.status_code, answer.json()) == (403, [{"message": words, "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
    assert len(api.stored("Account")) == 3


def test_part_of_a_batch_is_applied_before_the_connection_dies(api: Api) -> None:
    arm(api, "partial_then_drop", k=2)
    with pytest.raises(requests.ConnectionError):
        api.batch("PATCH", "Task", tasks(["a", "b", "c"]), "/Task/Sync_Key__c")
    assert [one["Sync_Key__c"] for one in api.stored("Task")] == ["a", "b"]


def test_an_answer_is_lost_after_everything_was_applied(api: Api) -> None:
    arm(api, "drop_after")
    with pytest.raises(requests.ConnectionError):
        api.batch("PATCH", "Task", tasks(["a", "b"]), "/Task/Sync_Key__c")
    again = api.batch("PATCH", "Task", tasks(["a", "b"]), "/Task/Sync_Key__c")
    assert [one["created"] for one in again] == [False, False]
    assert len(api.stored("Task")) == 2


def test_chosen_records_are_locked_once(api: Api) -> None:
    arm(api, "lock", ids=[GLOBEX])
    records = [{"id": one, "Rating": "Hot"} for one in (ACME, GLOBEX, CYCO)]
    results = api.batch("PATCH", "Account", records)
    assert [one["success"] for one in results] == [True, False, True]
    assert results[1]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert [one.get("Rating") for one in api.stored("Account")] == ["Hot", None, "Hot"]
    assert all(one["success"] for one in api.batch("PATCH", "Account", records))


def test_a_lock_can_hide_behind_a_trigger(api: Api) -> None:
    arm(api, "wrap_lock_in_trigger", percent=100)
    (result,) = api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}])
    (error,) = result["errors"]
    assert error["statusCode"] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    assert "UNABLE_TO_LOCK_ROW" in error["message"]


def test_any_error_can_be_given_to_any_record(api: Api) -> None:
    arm(api, "record_error", index=1, code="TXN_SECURITY_NO_ACCESS", message="no", fields=["Rating"])
    results = api.batch("PATCH", "Account", [{"id": one, "Rating": "Hot"} for one in (ACME, GLOBEX)])
    assert results[1]["errors"] == [{"statusCode": "TXN_SECURITY_NO_ACCESS", "message": "no", "fields": ["Rating"]}]
    assert "Rating" not in api.stored("Account", GLOBEX)


def test_another_client_can_win_the_race_for_a_key(api: Api) -> None:
    arm(api, "dup_race")
    results = api.batch("PATCH", "Task", tasks(["a", "b"]), "/Task/Sync_Key__c")
    error = results[0]["errors"][0]
    assert (error["statusCode"], results[1]["success"]) == ("DUPLICATE_VALUE", True)
    assert "duplicates value on record with id: 00T" in error["message"]
    retried = api.batch("PATCH", "Task", tasks(["a"]), "/Task/Sync_Key__c")
    assert retried[0]["created"] is False
    assert sorted(one["Sync_Key__c"] for one in api.stored("Task")) == ["a", "b"]


def test_a_single_record_meets_record_faults_too(api: Api) -> None:
    arm(api, "lock", percent=100)
    answer = api.call("PATCH", f"/sobjects/Account/{ACME}", {"Rating": "Hot"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "UNABLE_TO_LOCK_ROW")
    assert "Rating" not in api.stored("Account", ACME)


def test_two_writers_of_one_account_meet_at_its_lock(api: Api) -> None:
    # One batch of two hundred tasks holds the account for longer than the other writer waits.
    api.sim("config", {"time_scale": 0.5, "lock_wait": 0.02})
    slow = [{"Subject": "s", "WhatId": ACME}] * 200
    other = threading.Thread(target=api.batch, args=("POST", "Task", slow))
    other.start()
    while other.is_alive() and ACME not in api.sim("state?object=User")["locked"]:
        pass
    (result,) = api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}])
    other.join()
    assert result["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert "Rating" not in api.stored("Account", ACME)
    assert len(api.stored("Task")) == 200
    assert api.sim("state?object=User")["locked"] == []
    assert api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}])[0]["success"]


def test_records_meet_a_fault_by_chance_and_a_seed_makes_the_chance_the_same(api: Api) -> None:
    def met(**match: int) -> list[bool]:
        api.sim("reset", {"only": ["faults"]})
        arm(api, "lock", {"probability": 1.0, **match}, percent=40)
        results = api.batch("POST", "Account", [{"Name": f"A{n}"} for n in range(50)])
        return [one["success"] for one in results]

    first = met(seed=7)
    assert 10 < first.count(False) < 35
    assert met(seed=7) == first
    assert met(seed=8) != first


def test_a_request_meets_a_fault_by_chance_and_a_seed_makes_the_chance_the_same(api: Api) -> None:
    def met(seed: int) -> list[int]:
        api.sim("faults", {"clear": True})
        args = {"status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": "busy"}]}
        match = {"probability": 0.5, "seed": seed, "path_regex": "/limits"}
        api.sim("faults", {"kind": "status", "args": args, "match": match})
        return [api.call("GET", "/limits").status_code for _ in range(20)]

    first = met(3)
    assert set(first) == {200, 503}
    assert met(3) == first
    assert met(4) != first


def test_rows_of_a_bulk_job_can_be_locked(api: Api) -> None:
    arm(api, "lock", {"method": "PATCH", "path_regex": "/jobs/ingest"}, ids=[GLOBEX])
    job = api.call("POST", "/jobs/ingest", {"object": "Account", "operation": "update"}).json()
    text = f"Id,Rating\n{ACME},Hot\n{GLOBEX},Hot\n"
    api.http.put(f"{api.url}/{job['contentUrl']}", data=text, headers={"Content-Type": "text/csv"}, timeout=10)
    api.call("PATCH", f"/jobs/ingest/{job['id']}", {"state": "UploadComplete"})
    rejected = api.call("GET", f"/jobs/ingest/{job['id']}/failedResults").text.splitlines()
    words = f"UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: {GLOBEX}:--"
    assert rejected[1:] == [f'"{GLOBEX}","{words}","{GLOBEX}","Hot"']
    assert [one.get("Rating") for one in api.stored("Account")] == ["Hot", None, None]


def test_a_task_of_a_contact_waits_for_the_lock_of_the_contacts_account(api: Api) -> None:
    api.sim("config", {"time_scale": 0.5, "lock_wait": 0.02})
    (contact,) = api.stored("Contact")
    slow = [{"Subject": "s", "WhoId": contact["Id"]}] * 200
    other = threading.Thread(target=api.batch, args=("POST", "Task", slow))
    other.start()
    while other.is_alive() and ACME not in api.sim("state?object=User")["locked"]:
        pass
    (result,) = api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}])
    other.join()
    assert result["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert {one["AccountId"] for one in api.stored("Task")} == {ACME}
