"""A company with three playbooks, and people who work on its tasks and records: what both CRMs show, day by day."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration.conftest import Stage
from tests.integration.small_project import open_small, write_settings, write_tables
from tests.integration.test_tables_missing import SCORES

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
ACTIVE = {
    "always": [(-40, 25)],
    "leaves": [(-40, 13)],  # after the loss: its open task is closed
    "early": [(-1, 25)],  # before the backup
    "comes": [(4, 25)],  # after it
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
  - wait: 2d
  - set_fields: {%s: "busy for long"}
  - create_task:
      {key: third, to: account_owner, subject: "third: {{account.name}}", body: Now, due: 1d, close_when_leaves: true}
"""
ONLY_FIELDS = """\
version: 1
id: plain
name: plain
owner: ann@example.com
mode: live
when: {enters: use_7d >= 14}
leaves: use_7d < 14
repeat: {wait: 1d, already_matching: ignore}
do:
  - set_fields: {plain: "busy with {{use_7d}}"}
"""
FIELDS: dict[str, dict[str, dict[str, Any]]] = {
    crm: {
        "use": {"field": names[0], "from": "use_7d", "type": "number", "write": "if_ours"},
        "busy": {"field": names[1], "type": "string", "length": 40},
        "known": {"field": names[2], "type": "string", "length": 40},
        "plain": {"field": names[3], "type": "string", "length": 40},
    }
    for crm, names in {
        "salesforce": ("Use__c", "Busy__c", "Known__c", "Plain__c"),
        "hubspot": ("plgsync_use", "plgsync_busy", "plgsync_known", "plgsync_plain"),
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


DAYS = (0, 5, 10, 12, 20)
"""Of the runs."""
PEOPLE: dict[int, tuple[tuple[str, str, int | None], ...]] = {
    0: (("complete_task", "done", None), ("complete_task", "done-again", None), ("start_task", "started", None)),
    5: (("edit", "edited", 999), ("edit", "emptied", None), ("delete", "deleted", None)),
}
"""What people do after the run of a day: what, on which account, and the new value of a field."""


@contextmanager
def open_company(folder: Path) -> Iterator[Stage]:
    """The company with both CRMs. Nothing has run yet."""
    settings = {"config/signals.yaml": SIGNALS, "config/scores.yaml": SCORES.replace("people", "use_7d")}
    playbooks = {"busy": "include", "known": "ignore"}
    settings |= {
        f"playbooks/{name}.yaml": PLAYBOOK % (name, name, how, name, name, name) for name, how in playbooks.items()
    }
    settings["playbooks/plain.yaml"] = ONLY_FIELDS
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


def at(day: int) -> tuple[str, str]:
    """The option that says on which day a command takes place."""
    return "--as-of", (AS_OF + timedelta(days=day)).isoformat()


def run(stage: Stage, day: int) -> None:
    stage.plgsync("run", *at(day), "--first-run")


def act(stage: Stage, what: str, account: str, use: int | None) -> None:
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


def live(stage: Stage, day: int) -> None:
    """A run, and what people do after it."""
    run(stage, day)
    for what, account, use in PEOPLE.get(day, ()):
        act(stage, what, account, use)


def undisturbed(stages: Path) -> dict[int, dict[str, Any]]:
    """What both CRMs show after each day where nothing goes wrong. The first process that asks makes it."""
    file = stages / "busy-company.json"
    with (stages / "busy-company.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            with open_company(stages / "busy-company") as kept:
                found = {}
                for day in DAYS:
                    live(kept, day)
                    found[day] = comparable(seen(kept))
            file.write_text(json.dumps(found), encoding="utf-8")
    return {int(day): of_day for day, of_day in json.loads(file.read_text(encoding="utf-8")).items()}


def unknown_tasks(stage: Stage) -> dict[str, str]:
    """By CRM, how severe check finds the tasks that the state does not know."""
    problems = stage.attempt("check", "--json").stdout
    found = [one for one in json.loads(problems)["problems"] if "state database does not know" in one["message"]]
    return {crm: one["severity"] for one in found for crm in FIELDS if f"{crm} has" in one["message"]}


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
        "records": [len(salesforce["Account"]), len(hubspot["companies"])],
    }


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Without ids of records, which differ between two CRMs."""
    tasks = {key: {**task, "WhatId": ""} for key, task in found["salesforce"]["tasks"].items()}
    return {**found, "salesforce": {**found["salesforce"], "tasks": tasks}}


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Each place where two of `comparable` differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(one.keys() | other.keys())
        return [found for name in names for found in differences(one.get(name), other.get(name), f"{where}/{name}")]
    return [] if one == other else [f"{where}: {one!r}, not {other!r}"]
