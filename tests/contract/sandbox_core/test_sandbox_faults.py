"""An armed fault does to the connection and to the state exactly what its name says."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from tests.contract.sandbox_core.counter_crm import Served

DROPPED = (requests.ConnectionError, ChunkedEncodingError)


def test_without_a_fault_the_answer_is_the_apps(served: Served) -> None:
    answer = served.post("one")
    assert answer.status_code == 200
    assert answer.json()["count"] == 1
    assert answer.headers["content-encoding"] == "gzip"
    assert served.crm.applied == ["one"]


def test_a_connection_dropped_before_applying_leaves_nothing(served: Served) -> None:
    served.arm(kind="drop_before")
    with pytest.raises(DROPPED):
        served.post("one")
    assert served.crm.applied == []
    assert served.post("two").json()["count"] == 1
    assert [entry["status"] for entry in served.log()["entries"]] == [None, 200]


@pytest.mark.parametrize("rst", [False, True])
def test_a_connection_dropped_after_applying_keeps_the_write(served: Served, rst: bool) -> None:
    served.arm(kind="drop_after", args={"rst": rst})
    with pytest.raises(DROPPED) as dropped:
        served.post("one")
    assert ("reset" in str(dropped.value).lower()) is rst
    assert served.crm.applied == ["one"]


def test_a_hung_request_ends_when_the_client_gives_up(served: Served) -> None:
    served.arm(kind="hang")
    with pytest.raises(requests.ReadTimeout):
        served.http.post(f"{served.url}/apply", data="one", timeout=0.2)
    assert served.post("two").json()["count"] == 1
    assert served.crm.applied == ["two"]


def test_a_hung_request_does_not_delay_stopping(served: Served) -> None:
    served.arm(kind="hang_after")
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"POST /apply HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na")
        while served.log()["total"] == 0 and not served.crm.applied:
            threading.Event().wait(0.01)
        served.loop.call_soon_threadsafe(served.crm.sim.stopping.set)
        assert raw.recv(10) == b""
    assert served.crm.applied == ["a"]


@pytest.mark.parametrize(("kind", "meanwhile"), [("hold", []), ("hold_after", ["one"])])
def test_a_held_request_is_answered_once_the_faults_are_cleared(
    served: Served, kind: str, meanwhile: list[str]
) -> None:
    served.arm(kind=kind)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(served.post, "one")
        while not served.held():
            assert not held.done()
        assert served.crm.applied == meanwhile
        assert not held.done()
        served.disarm()
        assert held.result().json()["count"] == 1
    assert served.crm.applied == ["one"]


@pytest.mark.parametrize(("kind", "applied"), [("hold", []), ("hold_after", ["one"])])
def test_of_a_held_request_whose_client_gave_up_nothing_more_is_applied(
    served: Served, kind: str, applied: list[str]
) -> None:
    served.arm(kind=kind)
    with pytest.raises(requests.ReadTimeout):
        served.http.post(f"{served.url}/apply", data="one", timeout=0.5)
    while served.held():
        threading.Event().wait(0.01)
    served.disarm()
    assert served.crm.applied == applied
    assert [entry["status"] for entry in served.log()["entries"]] == [None]


def test_a_truncated_body_is_shorter_than_announced(served: Served) -> None:
    served.arm(kind="truncate", args={"bytes": 10})
    with pytest.raises(DROPPED):
        served.post("one")
    assert served.crm.applied == ["one"]


def test_a_scripted_status_applies_nothing_and_its_after_twin_does(served: Served) -> None:
    served.arm(kind="status", args={"status": 503, "body": {"oh": "no"}, "headers": {"Retry-After": 2}})
    served.arm(kind="status_after", args={"status": 502, "text": "<html>"})
    first, second = served.post("one"), served.post("two")
    assert (first.status_code, first.json(), first.headers["Retry-After"]) == (503, {"oh": "no"}, "2")
    assert (second.status_code, second.text) == (502, "<html>")
    assert served.crm.applied == ["two"]


def test_a_fault_can_wait_for_the_nth_matching_request(served: Served) -> None:
    served.arm(kind="status", args={"status": 500}, match={"method": "post", "path_regex": "^/apply", "nth": 2})
    assert [served.post(str(i)).status_code for i in range(3)] == [200, 500, 200]


def test_faults_by_probability_repeat_with_their_seed(served: Served) -> None:
    def statuses() -> list[int]:
        served.http.post(f"{served.url}/__sim/faults", json={"clear": True}, timeout=10)
        served.arm(kind="status", args={"status": 500}, match={"probability": 0.5, "seed": 3})
        return [served.post("x").status_code for _ in range(20)]

    first = statuses()
    assert set(first) == {200, 500}
    assert statuses() == first


def test_an_unknown_fault_is_rejected(served: Served) -> None:
    answer = served.http.post(f"{served.url}/__sim/faults", json={"kind": "nonsense"}, timeout=10)
    assert answer.status_code == 400
    assert "nonsense" in answer.json()["error"]
    served.arm(kind="own_kind")


def test_the_log_counts_calls_without_credentials_or_control_requests(served: Served) -> None:
    served.http.post(f"{served.url}/apply?q=1", data="one", headers={"Authorization": "Bearer s"}, timeout=10)
    log = served.log(bodies="1", path="q=1")
    (entry,) = log["entries"]
    assert (log["total"], log["matched"]) == (1, 1)
    assert (entry["path"], entry["records"], entry["body"], entry["status"]) == ("/apply?q=1", 1, "one", 200)
    assert "authorization" not in entry["headers"]


def test_reset_restores_state_and_forgets_faults_and_log(served: Served) -> None:
    served.post("one")
    served.arm(kind="drop_before")
    served.http.post(f"{served.url}/__sim/reset", timeout=10).raise_for_status()
    assert served.log()["total"] == 0
    assert served.post("two").json()["count"] == 1


def test_a_manual_clock_moves_only_when_advanced(served: Served) -> None:
    url = f"{served.url}/__sim/clock"
    frozen = served.http.post(url, json={"freeze": "2026-01-02T03:04:05Z"}, timeout=10).json()
    assert frozen == {"now": "2026-01-02T03:04:05+00:00", "manual": True}
    assert served.http.get(url, timeout=10).json() == frozen
    moved = served.http.post(url, json={"advance_s": 60}, timeout=10).json()
    assert moved["now"] == "2026-01-02T03:05:05+00:00"
    assert served.http.post(url, json={"advance_s": -1}, timeout=10).status_code == 400


def test_a_human_can_change_the_state(served: Served) -> None:
    url = f"{served.url}/__sim/mutate"
    assert served.http.post(url, json=[{"add": "a"}, {"add": "b"}], timeout=10).json() == [{"count": 1}, {"count": 2}]
    assert served.http.post(url, json={"remove": "a"}, timeout=10).status_code == 400
    state = served.http.get(f"{served.url}/__sim/state", timeout=10).json()
    assert state["objects"] == {"applied": ["a", "b"]}


def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements(served: Served) -> None:
    served.post("one")
    transports = [protocol.transport for protocol in served.server._state.connections]
    flags = [
        transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for transport in transports
    ]
    assert flags
    assert all(flags)
