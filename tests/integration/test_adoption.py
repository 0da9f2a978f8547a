"""A state database that is lost, or older than the CRMs, takes over what is there, and all goes on as before."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Stage
from tests.integration.small_project import STATE, open_small, write_settings, write_tables
from tests.integration.test_tables_missing import SCORES

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
ACTIVE = {
    "always": [(-40, 25)],
    "leaves": [(-40, 13)],  # after the loss: its open task is closed
    "comes": [(4, 25)],  # after the backup
    "again": [(-40, 4), (14, 25)],  # left before the loss, its task closed by us, and comes back after it
    "done": [(-40, 25)],  # a rep completes its task while it stays
    "done-again": [(-40, 4), (14, 25)],  # a rep completes its task, then it leaves: no CRM has a trace of that
    "started": [(-40, 25)],  # a rep works on its task
    "edited": [(-40, 25)],  # a person changes our field on its record
    "emptied": [(-40, 25)],  # a person empties our field on its record
    "deleted": [(-40, 25)],  # a person deletes its record
    "never": [(-40, -20)],
}
"""By account, the days relative to the first run on which three people use the product."""
SIGNALS = """\
version: 1
event_lists: {use: [Report Created]}
signals:
  use_7d: {label: use, from: events, measure: count, events: use, window: 7d}
"""
PLAYBOOK = """\
version: 1
id: %s
name: %s
owner: ann@example.com
mode: live
when: {enters: use_7d >= 14}
leaves: use_7d < 14
repeat: {wait: 1d, already_matching: %s}
do:
  - set_fields: {%s: "busy"}
  - create_task:
      {key: call, to: account_owner, subject: "%s: {{account.name}}", body: Now, due: 1d, close_when_leaves: true}
  - wait: 9d
  - create_task:
      {key: again, to: account_owner, subject: "again: {{account.name}}", body: Now, due: 1d, close_when_leaves: true}
"""
FIELDS: dict[str, dict[str, dict[str, Any]]] = {
    crm: {
        "use": {"field": names[0], "from": "use_7d", "type": "number", "write": "if_ours"},
        "busy": {"field": names[1], "type": "string", "length": 40},
        "known": {"field": names[2], "type": "string", "length": 40},
    }
    for crm, names in {
        "salesforce": ("Use__c", "Busy__c", "Known__c"),
        "hubspot": ("plgsync_use", "plgsync_busy", "plgsync_known"),
    }.items()
}


def tables() -> dict[str, list[dict[str, Any]]]:
    return {
        "accounts": [
            {"account_id": one, "name": one, "domain": f"{one}.example", "created_at": "2025-11-03 09:00:00"}
            for one in ACTIVE
        ],
        "events": [
            {
                "account_id": account,
                "user_id": f"{account}-{person}",
                "name": "Report Created",
                "occurred_at": f"{AS_OF + timedelta(days=day):%Y-%m-%d} 04:00:00",
            }
            for account, ranges in ACTIVE.items()
            for first, end in ranges
            for day in range(first, end)
            for person in range(3)
        ],
    }


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Stage]:
    yield from _stage(tmp_path / "kept")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    yield from _stage(tmp_path / "lost")


def _stage(folder: Path) -> Iterator[Stage]:
    settings = {"config/signals.yaml": SIGNALS, "config/scores.yaml": SCORES.replace("people", "use_7d")}
    playbooks = {"busy": "include", "known": "ignore"}
    settings |= {f"playbooks/{name}.yaml": PLAYBOOK % (name, name, how, name, name) for name, how in playbooks.items()}
    write_settings(folder, ["accounts", "events"], FIELDS, settings)
    crm = folder / "config" / "crm.yaml"
    text = re.sub("project_id: .*", "project_id: acme", crm.read_text(encoding="utf-8"))
    for created in ("{Name: account.name, Website: account.domain}", "{name: account.name, domain: account.domain}"):
        place = text.index("match_field:", text.index("salesforce:") if "Name" in created else text.index("hubspot:"))
        text = f"{text[:place]}create_missing: true\n      create: {created}\n      {text[place:]}"
    crm.write_text(text, encoding="utf-8")
    with open_small(folder, list(ACTIVE), list(FIELDS)) as stage:
        write_tables(folder, tables())
        for name, text in settings.items():  # the stage lets every playbook act on what matches already
            (folder / name).write_text(text, encoding="utf-8")
        stage.control("salesforce", "config", {"tracked_fields": {"Account": ["Use__c"]}})
        stage.control("hubspot", "config", {"search_lag": 0})  # a state is not lost seconds after its last run
        yield stage


def run(stage: Stage, day: int) -> None:
    stage.plgsync("run", "--as-of", (AS_OF + timedelta(days=day)).isoformat(), "--first-run")


def act(stage: Stage, what: str, account: str, use: int | None = None) -> None:
    """A person does something to the task of an account in the first playbook, or to its record, in both CRMs."""
    salesforce, hubspot = stage.objects("salesforce"), stage.objects("hubspot")
    subject, on_task = f"busy: {account}", what.endswith("task")
    of_task = next((one["Id"] for one in salesforce["Task"] if one["Subject"] == subject), None)
    of_record = next(one["Id"] for one in salesforce["Account"] if one["Name"] == account)
    body = {"do": what, "type": "Account", "id": of_task if on_task else of_record, "values": {"Use__c": use}}
    stage.control("salesforce", "mutate", body)
    of_task = next((one["id"] for one in hubspot["tasks"] if one["properties"]["hs_task_subject"] == subject), None)
    of_record = next(one["id"] for one in hubspot["companies"] if one["properties"]["name"] == account)
    body = {"action": what.replace("delete", "archive"), "type": "companies", "id": of_task if on_task else of_record}
    stage.control("hubspot", "mutate", {**body, "properties": {"plgsync_use": "" if use is None else str(use)}})


def seen(stage: Stage) -> dict[str, Any]:
    """What both CRMs show of us: fields, tasks by key, and their statuses."""
    salesforce, hubspot = stage.objects("salesforce"), stage.objects("hubspot")
    return {
        **stage.results(),
        "statuses": {
            "salesforce": {one["Plgsync_Key__c"]: one["Status"] for one in salesforce["Task"]},
            "hubspot": {
                one["properties"]["plgsync_key"]: one["properties"]["hs_task_status"] for one in hubspot["tasks"]
            },
        },
        "records": (len(salesforce["Account"]), len(hubspot["companies"])),
    }


@pytest.mark.parametrize("state", ["lost", "five days old"])
def test_all_goes_on_as_if_the_state_had_been_kept(kept: Stage, stage: Stage, state: str) -> None:
    backup = stage.folder / "backup.db"
    for one in (kept, stage):
        run(one, 0)
        act(one, "complete_task", "done")
        act(one, "complete_task", "done-again")
        act(one, "start_task", "started")
        run(one, 5)
        if one is stage:
            shutil.copy(stage.folder / STATE, backup)
        act(one, "edit", "edited", 999)
        act(one, "edit", "emptied")
        act(one, "delete", "deleted")
        run(one, 10)
    before = seen(stage)
    for file in (stage.folder / ".plgsync").glob("state.db*"):
        file.unlink()
    if state != "lost":
        shutil.copy(backup, stage.folder / STATE)
    at = ("--as-of", (AS_OF + timedelta(days=12)).isoformat())
    for command in ("run", "plan"):
        assert "plgsync adopt" in stage.plgsync(command, *at, code=1).stderr
    assert unknown_tasks(stage) == dict.fromkeys(stage.crms, "error")
    stage.plgsync("adopt", *at)
    assert unknown_tasks(stage) == {}
    assert seen(stage) == before
    for day in (12, 20):
        for one in (kept, stage):
            run(one, day)
        assert _comparable(seen(stage)) == _comparable(seen(kept))


def unknown_tasks(stage: Stage) -> dict[str, str]:
    """By CRM, how severe check finds the tasks that the state does not know."""
    problems = stage.attempt("check", "--json").stdout
    found = [one for one in json.loads(problems)["problems"] if "state database does not know" in one["message"]]
    return {crm: one["severity"] for one in found for crm in FIELDS if f"{crm} has" in one["message"]}


def _comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Without ids of records, which differ between two CRMs."""
    tasks = {key: {**task, "WhatId": ""} for key, task in found["salesforce"]["tasks"].items()}
    return {**found, "salesforce": {**found["salesforce"], "tasks": tasks}}
