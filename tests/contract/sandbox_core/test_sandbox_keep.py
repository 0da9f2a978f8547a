"""Sandbox CRMs that were stopped go on as they were: records, ids, definitions, credentials."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.core.control import ControlError
from connectors.sandbox.serve import Credentials, running
from tests.contract.sandbox_core.restarted_crms import ROOT, SEED, Crm, sandboxes, work_in_hubspot, work_in_salesforce


@contextmanager
def stopped(seed: Path, *arguments: str) -> Iterator[dict[str, Crm]]:
    """Both CRMs, logged in to; SIGTERM stops them and they write the seed file."""
    with sandboxes("--seed", str(seed), "--keep", *arguments) as crms:
        yield {name: crm.log_in() for name, crm in crms.items()}


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(SEED))
    file.chmod(0o644)
    return file


def test_stopped_crms_start_again_with_the_same_records_definitions_and_credentials(seed: Path) -> None:
    with stopped(seed) as first:
        work_in_salesforce(first["salesforce"])
        merged, newest = work_in_hubspot(first["hubspot"])
        before = {name: crm.held() for name, crm in first.items()}
        described = [first["salesforce"].call("GET", f"/sobjects/{one}/describe") for one in ("Task", "Opportunity")]
        definitions = first["hubspot"].call("GET", "/properties/deals")
        acme = first["hubspot"].ids("companies")[0]
        history = first["hubspot"].call("GET", f"/objects/companies/{acme}?propertiesWithHistory=health")
    assert stat.S_IMODE(seed.stat().st_mode) == 0o600
    assert [file.name for file in seed.parent.iterdir()] == ["seed.json"]

    with stopped(seed) as again:
        org, portal = again["salesforce"], again["hubspot"]
        assert {name: crm.held() for name, crm in again.items()} == before
        assert {key: org.where[key] for key in org.where.keys() - {"url"}} == {
            key: first["salesforce"].where[key] for key in org.where.keys() - {"url"}
        }
        # The old credentials, not only the ones announced now.
        for crm, old in ((org, first["salesforce"]), (portal, first["hubspot"])):
            crm.where = {**old.where, "url": crm.url}
            crm.log_in()
        assert [org.call("GET", f"/sobjects/{one}/describe") for one in ("Task", "Opportunity")] == described
        assert portal.call("GET", "/properties/deals") == definitions
        assert portal.call("GET", f"/objects/companies/{acme}?propertiesWithHistory=health") == history
        assert portal.call("GET", f"/objects/companies/{merged}")["id"] == acme
        assert org.sim("config")["page_size"] == 700
        assert portal.sim("config")["plan_max"] == 77
        denied = org.http.patch(f"{org.base}/sobjects/Account/{org.ids('Account')[0]}", json={"Health__c": "x"})
        assert denied.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"

        # Keys still find their records, and new records get new ids.
        task = org.call("GET", "/sobjects/Task/Plgsync_Key__c/k1")
        assert task["WhatId"] == org.ids("Account")[0]
        found = portal.call("GET", "/objects/tasks/k1?idProperty=plgsync_key&associations=companies")
        assert {one["id"] for one in found["associations"]["companies"]["results"]} == {acme}
        made = org.call("POST", "/sobjects/Account", {"Name": "Soylent"})["id"]
        assert made not in [one["Id"] for one in before["salesforce"]["objects"]["Account"]]
        assert int(portal.call("POST", "/objects/companies", {"properties": {"name": "S"}})["id"]) > int(newest)


def test_a_crm_that_was_left_out_keeps_its_part_of_the_file(seed: Path) -> None:
    with stopped(seed, "--only", "hubspot") as only:
        assert set(only) == {"hubspot"}
    kept = json.loads(seed.read_text())
    assert kept["salesforce"] == SEED["salesforce"]
    assert kept["credentials"]["hubspot_token"] == only["hubspot"].where["token"]


def test_time_does_not_go_back_when_a_crm_starts_again(seed: Path) -> None:
    with stopped(seed) as first:
        then = {name: crm.sim("clock", {"advance_s": 86_400})["now"] for name, crm in first.items()}
    with stopped(seed) as again:
        assert all(crm.sim("clock")["now"] > then[name] for name, crm in again.items())


def test_credentials_of_a_seed_are_accepted_unless_others_are_given() -> None:
    seed = {"credentials": {"hubspot_token": "pat-kept"}}
    with running(seed, salesforce_port=None) as named:
        assert named["hubspot"]["token"] == "pat-kept"
    with running(seed, salesforce_port=None, credentials=Credentials("id", "secret", "pat-given")) as given:
        assert given["hubspot"]["token"] == "pat-given"


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        ({"credentials": {"hubspot_tokn": "x"}}, "hubspot_tokn"),
        ({"credentials": {"hubspot_token": 5}}, "hubspot_token"),
        ({"salesforce": {"stored": {"recrods": {}}}}, "recrods"),
        ({"salesforce": {"stored": {"records": {}}}}, "invalid form"),
        ({"hubspot": {"stored": {"owners": [{"id": "1"}]}}}, "invalid form"),
        ({"hubspot": {"options": {"plan_maxx": 1}}}, "plan_maxx"),
    ],
)
def test_a_kept_file_that_is_not_what_was_written_is_rejected(seed: dict[str, Any], words: str) -> None:
    with pytest.raises(ControlError, match=words), running(seed):
        pass


def test_keep_needs_a_seed_file_to_write_to() -> None:
    command = [sys.executable, "-m", "connectors.sandbox", "--keep"]
    rejected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert rejected.returncode == 2
    assert "--keep needs --seed" in rejected.stderr
