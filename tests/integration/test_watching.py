"""Watching it run: who wrote what and why, by the commands, after real runs against both CRMs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.conftest import PLGSYNC, Stage, open_stage
from tests.integration.measured import SHARED
from tests.integration.test_main_job import DAYS

LOGS = "run.log"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, stages: Path) -> Iterator[Stage]:
    """Its runs measure by themselves, whatever others have measured: this is what coverage sees of whole runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SHARED, str(tmp_path_factory.mktemp("measured")))
        with open_stage(tmp_path_factory.mktemp("watching") / "project", stages) as made:
            yield made


@pytest.fixture(scope="module")
def to_set_up(stage: Stage) -> dict[str, int]:
    """The calls it took to create our fields, which the CRMs' logs no longer have."""
    return {one["destination"]: one["calls"] for one in stage.plgsync("status", "--json")["calls"]}


@pytest.fixture(scope="module")
def after_days(stage: Stage, to_set_up: dict[str, int]) -> Stage:
    """A company after two daily runs; nothing here changes it."""
    assert all(to_set_up.values())
    for day in DAYS:
        done = stage.attempt("run", "--as-of", day, "--first-run", "--json-logs")
        assert done.returncode == 0, done.stderr
        with (stage.folder / LOGS).open("a", encoding="utf-8") as logs:
            logs.write(done.stderr)
    return stage


def history(stage: Stage, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.plgsync("history", *arguments, "--json")
    return found


def test_a_field_says_which_score_wrote_it_in_which_run_and_why(after_days: Stage) -> None:
    record = next(r for r in after_days.objects("salesforce")["Account"] if r.get("Health_Score__c") is not None)
    effects = history(after_days, record["Id"], "--field", "health_score")
    assert effects[0]["status"] == "applied"
    (written,) = effects[0]["fields"]
    assert (written["field"], written["by"]) == ("Health_Score__c", "health.score")
    assert written["new"] == record["Health_Score__c"]
    assert written["because"]
    assert f"{effects[0]['as_of'][:10]}" in {day[:10] for day in DAYS}
    for newer, older in pairwise(effects):
        assert newer["fields"][0]["old"] == older["fields"][0]["new"]
    assert effects[-1]["fields"][0]["old"] is None


def test_a_task_says_which_playbook_made_it_and_what_was_true(after_days: Stage) -> None:
    task = next(t for t in after_days.objects("salesforce")["Task"] if str(t.get("Subject", "")).startswith("PQL "))
    (made,) = [one for one in history(after_days, task["Id"]) if one["kind"] == "task_create"]
    assert made["key"] == task["Plgsync_Key__c"]
    assert made["playbook_id"] == "pql-to-task"
    assert made["because"]
    assert task["Subject"] in made["task"]
    assert made in history(after_days, task["Plgsync_Key__c"])


def test_an_account_is_found_by_its_name_and_shows_both_crms(after_days: Stage) -> None:
    record = next(r for r in after_days.objects("salesforce")["Account"] if r.get("Health_Score__c") is not None)
    account_id = record["Plgsync_Account_Id__c"]
    name = after_days.plgsync("explain", account_id, "--json")["fields"]["account.name"]
    assert {one["account_id"] for one in history(after_days, name)} == {account_id}
    assert history(after_days, name) == history(after_days, account_id)
    shown = after_days.plgsync("history", account_id).stdout
    assert "by health.score" in shown


def test_what_is_no_record_and_no_account_is_one_clear_message(after_days: Stage) -> None:
    done = after_days.attempt("history", "nobody-at-all")
    assert done.returncode == 2
    assert 'there is no account "nobody-at-all"' in done.stderr
    assert after_days.attempt("explain", "nobody-at-all").stderr == done.stderr
    assert after_days.attempt("history", "001", "--field", "helth_score").returncode == 2


def test_status_shows_what_ran_what_was_spent_and_what_is_left(after_days: Stage, to_set_up: dict[str, int]) -> None:
    status = after_days.plgsync("status", "--json")
    assert status["needs_person"] == []
    assert {one["name"]: one["kind"] for one in status["ran"]}["plgsync run"] == ""
    assert {one["name"] for one in status["ran"]} >= {"daily", "send", "read-back", "salesforce", "hubspot"}
    assert {row["row_state"] for row in status["outbox"]} <= {"unmatched"}
    for calls in status["calls"]:
        on_the_wire = after_days.calls(calls["destination"])
        logins = [one for one in on_the_wire if "oauth" in one["path"]]
        assert calls["calls"] == to_set_up[calls["destination"]] + len(on_the_wire) - len(logins)
        assert after_days.write_calls(calls["destination"]) <= calls["to_write"] < calls["calls"]
        assert 0 < calls["left"] < calls["limit"]
        spent = [one for one in status["spent"] if one["destination"] == calls["destination"]]
        assert {"scores", "pql-to-task"} <= {one["playbook"] for one in spent}
        assert round(sum(one["calls"] for one in spent)) == calls["to_write"]
    shown = after_days.plgsync("status").stdout
    assert "nothing needs a person" in shown


def test_metrics_are_prometheus_text_of_the_same_figures(after_days: Stage) -> None:
    status = after_days.plgsync("status", "--json")
    text = after_days.plgsync("exporter", "--once").stdout
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["plgsync_outbox_rows", "hubspot", "waiting"] == 0
    assert found["plgsync_outbox_lag_seconds", "hubspot"] == 0
    assert found["plgsync_job_ok", "plgsync run", "run"] == 1
    for calls in status["calls"]:
        name = calls["destination"]
        of_kinds = [value for key, value in found.items() if key[0] == "plgsync_crm_calls_today" and name in key]
        assert sum(of_kinds) == calls["calls"]
        assert found["plgsync_crm_calls_left", name] == calls["left"]


def test_metrics_are_served_on_loopback_until_stopped(after_days: Stage) -> None:
    command = [*PLGSYNC, "exporter", "--port", "0", "--project", str(after_days.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert "plgsync_outbox_rows{" in requests.get(url, timeout=30).text
        process.terminate()
        assert process.wait(60) == 0


def test_logs_are_json_with_what_they_belong_to_and_no_value_of_the_data(after_days: Stage) -> None:
    """Every name, address, token, text and owner that a run sees is looked for in what it logs."""
    logged = (after_days.folder / LOGS).read_text(encoding="utf-8")
    values = _values_of(after_days)
    assert len(values) > 200
    assert [value for value in values if value in logged] == []
    lines = [json.loads(line) for line in logged.splitlines()]
    assert all(line["run_id"] for line in lines)
    assert {line["run_id"] for line in lines if line["event"] == "delivered"} == {
        line["run_id"] for line in lines if line["event"] == "committed"
    }
    delivered = [line for line in lines if line["event"] == "delivered"]
    assert {line["destination"] for line in delivered} == {"salesforce", "hubspot"}
    assert all(line["playbook"] for line in delivered if line["kind"] == "task_create")
    assert any(line["kind"] == "task_create" for line in delivered)


def _values_of(stage: Stage) -> set[str]:
    accounts = stage.objects("salesforce")["Account"]
    companies = [one["properties"] for one in stage.objects("hubspot")["companies"]]
    tasks = stage.objects("salesforce")["Task"]
    people = [one for objects in ("User", "Contact") for one in stage.objects("salesforce").get(objects, [])]
    found = {record[name] for record in accounts for name in ("Name", "Website")}
    found |= {company.get(name) for company in companies for name in ("name", "domain")}
    found |= {task[name] for task in tasks for name in ("Subject", "Description")}
    found |= {person.get(name) for person in people for name in ("Email", "Name", "Username")}
    secrets = [stage.folder / ".plgsync" / name for name in ("salesforce_client_secret", "hubspot_token")]
    found |= {place.read_text(encoding="utf-8").strip() for place in secrets}
    return {text for text in found if text and len(text) > 3}
