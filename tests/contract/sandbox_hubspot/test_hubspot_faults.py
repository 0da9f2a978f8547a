"""Each of HubSpot's own failures leaves the portal exactly as described."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
import requests

from tests.contract.sandbox_hubspot.client import Portal

DROPPED = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def named(portal: Portal, kind: str = "companies") -> list[str]:
    return sorted(record["properties"]["name"] for record in portal.stored(kind).values())


def inputs(*names: str) -> list[dict[str, Any]]:
    return [{"properties": {"name": name}, "objectWriteTraceId": name} for name in names]


def test_half_a_batch_is_applied_before_the_gateway_gives_up(portal: Portal) -> None:
    portal.arm("partial_apply")
    assert portal.batch("create", inputs(*"abcd")).status_code == 504
    assert named(portal) == ["a", "b"]
    assert portal.batch("create", inputs("e")).status_code == 201


def test_half_a_batch_is_applied_before_the_connection_dies(portal: Portal) -> None:
    portal.arm("partial_apply", args={"n": 1, "drop": True})
    with pytest.raises(DROPPED):
        portal.batch("create", inputs(*"abc"))
    assert named(portal) == ["a"]


def test_all_of_a_batch_is_applied_before_the_connection_dies(portal: Portal) -> None:
    portal.arm("drop_after")
    with pytest.raises(DROPPED):
        portal.batch("create", inputs(*"ab"))
    assert named(portal) == ["a", "b"]


def test_a_fault_before_the_write_applies_nothing(portal: Portal) -> None:
    portal.arm("status", args={"status": 503})
    assert portal.batch("create", inputs("a")).status_code == 503
    assert named(portal) == []


def test_results_can_be_missing_or_appear_twice_although_all_is_written(portal: Portal) -> None:
    portal.arm("drop_result")
    assert len(portal.batch("create", inputs(*"abc")).json()["results"]) == 2
    portal.arm("dup_result")
    assert len(portal.batch("create", inputs(*"def")).json()["results"]) == 4
    assert named(portal) == list("abcdef")


@pytest.mark.parametrize("status", ["PENDING", "PROCESSING", "CANCELED"])
def test_a_batch_may_be_written_before_hubspot_says_so(portal: Portal, status: str) -> None:
    portal.arm("unfinished", args={"status": status})
    answer = portal.batch("create", inputs(*"ab"))
    assert (answer.status_code, answer.json()["status"], answer.json()["results"]) == (201, status, [])
    assert named(portal) == ["a", "b"]


def test_a_poisoned_record_fails_and_echoes_its_value(portal: Portal) -> None:
    portal.arm("poison", args={"ids": ["b"]})
    body = portal.batch("create", inputs(*"abc")).json()
    assert body["errors"][0]["context"] == {"objectWriteTraceId": ["b"]}
    assert "b was not one of the allowed options" in body["errors"][0]["message"]
    assert named(portal) == ["a", "c"]


def test_a_lock_holds_one_kind_of_object_for_a_while(portal: Portal) -> None:
    portal.arm("lock", args={"seconds": 2})
    assert [portal.batch("create", inputs("a")).status_code for _ in range(2)] == [423, 423]
    assert portal.batch("create", [{"properties": {"hs_timestamp": "0"}}], "tasks").status_code == 201
    portal.pass_time(2)
    assert portal.batch("create", inputs("a")).status_code == 201


@pytest.mark.parametrize(
    ("which", "key", "value"),
    [
        ("burst", "policyName", "TEN_SECONDLY_ROLLING"),
        ("search", "category", "RATE_LIMITS"),
        ("daily", "policyName", "DAILY"),
    ],
)
def test_each_shape_of_429_can_be_had_on_demand(portal: Portal, which: str, key: str, value: str) -> None:
    portal.arm("limit", args={"which": which, "retry_after": 7})
    answer = portal.batch("create", inputs("a"))
    assert (answer.status_code, answer.json()[key], answer.headers["Retry-After"]) == (429, value, "7")
    assert named(portal) == []


@pytest.mark.parametrize(
    ("kind", "category"), [("token_revoked", "INVALID_AUTHENTICATION"), ("token_expired", "EXPIRED_AUTHENTICATION")]
)
def test_a_credential_can_fail_once(portal: Portal, kind: str, category: str) -> None:
    portal.arm(kind)
    answer = portal.batch("create", inputs("a"))
    assert (answer.status_code, answer.json()["category"]) == (401, category)
    assert named(portal) == []
    assert portal.batch("create", inputs("a")).status_code == 201


@pytest.mark.parametrize(("action", "status"), [("upsert", 200), ("create", 207)])
def test_another_client_may_be_a_moment_earlier(portal: Portal, action: str, status: int) -> None:
    portal.define("tasks", groupName="task_information")
    portal.arm("own_key_race", args={"property": "our_key"})
    item = {"objectWriteTraceId": "1", "properties": {"our_key": "k", "hs_timestamp": "0", "hs_task_subject": "ours"}}
    if action == "upsert":
        item |= {"id": "k", "idProperty": "our_key"}
    answer = portal.batch(action, [item], "tasks")
    assert answer.status_code == status
    ((_, task),) = portal.stored("tasks").items()
    assert task["properties"]["our_key"] == "k"
    assert task["properties"]["hs_object_source_id"] == "another-app"
    if action == "upsert":
        assert [result["new"] for result in answer.json()["results"]] == [False]


def test_one_search_can_lag_more_than_usual(portal: Portal) -> None:
    portal.create(name="A")
    portal.pass_time(10)
    portal.arm("search_lag", args={"seconds": 30})
    assert portal.search().json()["total"] == 0
    assert portal.search().json()["total"] == 1


def test_rate_headers_can_be_missing(portal: Portal) -> None:
    portal.arm("headers_missing")
    present = [any("ratelimit" in name.lower() for name in portal.get("/crm/v3/owners").headers) for _ in range(2)]
    assert present == [False, True]


def test_the_log_shows_what_was_applied_and_how_full_the_window_was(portal: Portal) -> None:
    made = portal.create(name="A")
    portal.batch("update", [{"id": made, "properties": {"name": "B"}}])
    entries = portal.get("/__sim/log").json()["entries"][-2:]
    assert [entry["notes"]["applied"] for entry in entries] == [[made], [made]]
    assert entries[1]["notes"]["window"] - entries[0]["notes"]["window"] == 1
    assert entries[1]["records"] == 1


# -------------------------------------------------------------------------------- what every fault has in common

KINDS = {
    "status": {"status": 500},
    "status_after": {"status": 500},
    "delay": {"ms": 1},
    "drop_before": {},
    "drop_after": {"rst": True},
    "truncate": {"bytes": 5},
    "bad_json": {},
    "limit": {"which": "search"},
    "token_revoked": {},
    "token_expired": {},
    "lock": {"seconds": 0},
    "partial_apply": {"n": 1},
    "poison": {"ids": ["b"]},
    "drop_result": {},
    "dup_result": {},
    "unfinished": {},
    "own_key_race": {"property": "our_key"},
    "search_lag": {"seconds": 60},
    "competing_app": {"rps": 1, "seconds": 0},
    "headers_missing": {},
}
MATCHES = {
    "nth": ({"nth": 3}, [0, 0, 1, 0, 0, 0]),
    "every": ({"every": 2}, [0, 1, 0, 1, 0, 1]),
}


def fired(portal: Portal) -> int:
    return int(portal.get("/__sim/faults").json()["faults"][0]["fired"])


def attempt(portal: Portal, number: int) -> None:
    """One batch; whatever happens to it, the portal goes on."""
    item = {"id": f"k{number}", "idProperty": "our_key", "properties": {"our_key": f"k{number}", "name": "x"}}
    with contextlib.suppress(*DROPPED, ValueError):
        portal.batch("create" if number % 2 else "upsert", [item]).json()


def meets(portal: Portal, count: int = 6) -> list[int]:
    """Which of so many batches met the armed fault."""
    seen = [0]
    for number in range(count):
        attempt(portal, number)
        seen.append(fired(portal))
    return [after - before for before, after in itertools.pairwise(seen)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("match", ["nth", "every"])
def test_every_fault_can_wait_for_its_turn(portal: Portal, kind: str, match: str) -> None:
    portal.define()
    where, turns = MATCHES[match]
    portal.arm(kind, args=KINDS[kind], match=where)
    assert meets(portal) == turns


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_can_be_left_to_chance_and_repeats_with_its_seed(portal: Portal, kind: str) -> None:
    portal.define()

    def drawn() -> list[int]:
        portal.control("faults", {"clear": True})
        portal.arm(kind, args=KINDS[kind], match={"probability": 0.5, "seed": 11})
        return meets(portal, 10)

    first = drawn()
    assert 0 < sum(first) < 10
    assert drawn() == first


def test_a_fault_picks_its_requests_by_method_and_path(portal: Portal) -> None:
    portal.arm("status", args={"status": 500}, match={"method": "POST", "path_regex": "companies/batch/create$"})
    assert portal.get("/crm/v3/objects/companies").status_code == 200
    assert portal.batch("create", [{"properties": {"hs_timestamp": "0"}}], "tasks").status_code == 201
    assert portal.batch("create", inputs("a")).status_code == 500


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (423, {"category": "LOCKED"}),
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}),
        (477, {"status": "error"}),
        (500, {"message": "internal error"}),
        (503, {"message": "Service Unavailable"}),
        (502, None),
        (504, None),
        (521, None),
        (524, None),
    ],
)
@pytest.mark.parametrize(("kind", "written"), [("status", []), ("status_after", ["a"])])
def test_a_scripted_status_speaks_hubspot_or_the_network_before_it(
    portal: Portal, status: int, expected: dict[str, str] | None, kind: str, written: list[str]
) -> None:
    portal.arm(kind, args={"status": status})
    answer = portal.batch("create", inputs("a"))
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == ("86400" if status == 477 else None)
    if expected is None:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<html>")
    else:
        assert expected.items() <= answer.json().items()
        assert answer.json()["correlationId"] == answer.headers["X-HubSpot-Correlation-Id"]
    assert named(portal) == written


def test_another_app_can_crowd_the_window_for_a_while(portal: Portal) -> None:
    portal.control("config", {"plan_max": 12})
    portal.arm("competing_app", args={"rps": 1, "seconds": 5})
    assert portal.get("/crm/v3/owners").headers["X-HubSpot-RateLimit-Remaining"] == "1"
    assert [portal.get("/crm/v3/owners").status_code for _ in range(2)] == [200, 429]
    portal.pass_time(5)
    assert portal.get("/crm/v3/owners").status_code == 200
