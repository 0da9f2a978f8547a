"""Sandbox CRMs with a state file survive a kill: the next start has every answered write."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.core.control import ControlError
from connectors.sandbox.serve import running
from tests.contract.sandbox_core.restarted_crms import SEED, sandboxes, work_in_hubspot, work_in_salesforce


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    seed, state = tmp_path / "seed.json", tmp_path / "state.sqlite"
    seed.write_text(json.dumps(SEED))
    return seed, state


def killed(files: tuple[Path, Path]) -> Any:
    """Both CRMs until they are killed at the end of the block."""
    seed, state = files
    return sandboxes("--seed", str(seed), "--state", str(state), ends=signal.SIGKILL)


def test_killed_crms_start_again_with_everything_and_everybody_still_logged_in(files: tuple[Path, Path]) -> None:
    with killed(files) as first:
        for crm in first.values():
            crm.log_in()
        work_in_salesforce(first["salesforce"])
        work_in_hubspot(first["hubspot"])
        before = {name: crm.held() for name, crm in first.items()}
        calls = first["salesforce"].sim("state")["api_calls"]
    assert stat.S_IMODE(files[1].stat().st_mode) == 0o600

    with killed(files) as again:
        assert {name: crm.held() for name, crm in again.items()} == before
        for name, crm in again.items():
            assert {key: crm.where[key] for key in crm.where.keys() - {"url"}} == {
                key: first[name].where[key] for key in crm.where.keys() - {"url"}
            }
            crm.http.headers["Authorization"] = first[name].http.headers["Authorization"]
        org, portal = again["salesforce"], again["hubspot"]
        assert org.sim("state")["api_calls"] == calls
        task = org.call("GET", "/sobjects/Task/Plgsync_Key__c/k1")
        assert org.call("PATCH", f"/sobjects/Task/{task['Id']}", {"Priority": "High"}) is None
        made = org.call("POST", "/sobjects/Account", {"Name": "Soylent"})["id"]
        assert made not in [one["Id"] for one in before["salesforce"]["objects"]["Account"]]
        acme = portal.ids("companies")[0]
        portal.call("PATCH", f"/objects/companies/{acme}", {"properties": {"name": "Acme 2"}})

    with killed(files) as third:
        task = next(one for one in third["salesforce"].held()["objects"]["Task"] if one["Id"] == task["Id"])
        assert task["Priority"] == "High"
        assert made in third["salesforce"].ids("Account")
        (acme,) = (one for one in third["hubspot"].held()["objects"]["companies"] if one["id"] == acme)
        assert acme["properties"]["name"] == "Acme 2"


def test_a_bulk_job_is_polled_on_after_the_kill(files: tuple[Path, Path]) -> None:
    with killed(files) as first:
        org = first["salesforce"].log_in()
        org.sim("config", {"bulk_queue_ms": 3_600_000})
        job = org.call("POST", "/jobs/ingest", {"object": "Account", "operation": "insert"})
        url = f"{org.url}/{job['contentUrl']}"
        org.http.put(url, data="Name\nZoë\n".encode(), headers={"Content-Type": "text/csv"}, timeout=10)
        org.call("PATCH", f"/jobs/ingest/{job['id']}", {"state": "UploadComplete"})
    with killed(files) as again:
        other = again["salesforce"].log_in()
        path = f"/jobs/ingest/{job['id']}"
        assert other.call("GET", path)["state"] == "UploadComplete"
        other.sim("clock", {"advance_s": 3601})
        assert other.call("GET", path)["numberRecordsProcessed"] == 1
    with killed(files) as third:
        last = third["salesforce"].log_in()
        assert last.call("GET", path)["state"] == "JobComplete"
        assert last.http.get(f"{last.base}{path}/successfulResults", timeout=10).content.decode().endswith('"Zoë"\n')
        assert [one["Name"] for one in last.held()["objects"]["Account"]][-1] == "Zoë"


def test_what_was_applied_without_an_answer_is_kept_too(files: tuple[Path, Path]) -> None:
    with killed(files) as first:
        org = first["salesforce"].log_in()
        org.sim("faults", {"kind": "drop_after", "match": {"path_regex": "/sobjects"}})
        with pytest.raises(requests.ConnectionError):
            org.call("POST", "/sobjects/Account", {"Name": "Unheard"})
        org.sim("faults", {"kind": "partial_then_drop", "args": {"k": 1}, "match": {"path_regex": "/composite"}})
        two = [{"attributes": {"type": "Account"}, "Name": name} for name in ("First", "Second")]
        with pytest.raises(requests.ConnectionError):
            org.call("POST", "/composite/sobjects", {"records": two})
    with killed(files) as again:
        names = [one["Name"] for one in again["salesforce"].held()["objects"]["Account"]]
    assert names == ["Acme", "Globex", "Initech", "Unheard", "First"]


def test_a_reset_and_records_taken_back_leave_no_trace_in_the_file(files: tuple[Path, Path]) -> None:
    with killed(files) as first:
        org = first["salesforce"].log_in()
        two = [{"attributes": {"type": "Account"}, "Name": name} for name in ("Good", None)]
        org.call("POST", "/composite/sobjects", {"allOrNone": True, "records": two})
        org.call("POST", "/sobjects/Account", {"Name": "Gone"})
        org.sim("reset", {"only": ["all"]})
        before = org.held()
    with killed(files) as again:
        assert again["salesforce"].held() == before
    rows = sqlite3.connect(files[1]).execute("select count(*) from state where part = 'records/Account'")
    assert rows.fetchone() == (3,)


def test_a_file_that_holds_something_else_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, " * 100)
    with pytest.raises(ControlError, match=r"notes\.txt does not hold the state"), running(state=file):
        pass
    assert file.read_text().startswith("not a database")
