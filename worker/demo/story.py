"""The demo: a made-up company, two sandbox CRMs, and the main job on them, told in five short acts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from worker import pipeline
from worker.demo.company import Company, build_company
from worker.demo.crm_seed import crm_seed
from worker.failures import Refused
from worker.jobs import Jobs, open_jobs
from worker.pipeline import RunReport
from worker.rendering.summary import render_report
from worker.rendering.tasks import TaskCard, render_task_card
from worker.settings.clock import now
from worker.starting import write_project

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
_MARK = ".plgsync-demo"
_SHOWN_TASKS = 3
_START_S = 20.0


def run_demo(folder: Path, accounts: int, seed: int, console: Console) -> None:
    """Make the project in ``folder`` and run it three times: first, again, and a day later."""
    started = time.monotonic()
    _make_room(folder)
    console.print(Rule("1  a company and two CRMs", align="left"))
    write_project(folder)
    (folder / "data").mkdir(exist_ok=True)
    company = build_company(folder / "data" / "product.duckdb", accounts, seed, as_of=AS_OF)
    seed_file = folder / "crm-seed.json"
    seed_file.write_text(json.dumps(crm_seed(company, seed)), encoding="utf-8")
    with _sandboxes(seed_file) as crms:
        _point_at(folder, crms)
        with open_jobs(folder) as jobs:
            _tell(console, company, jobs, crms)
        console.print(f"\n{time.monotonic() - started:.1f} s in all")
    _say_how_to_go_on(console, folder, company)


def _tell(console: Console, company: Company, jobs: Jobs, crms: Mapping[str, Mapping[str, str]]) -> None:
    _introduce(console, company, jobs)
    console.print(Rule("2  the fields our results need", align="left"))
    for name, connector in jobs.connectors.items():
        steps = connector.setup(jobs.project.crm.destinations[name].needs(), False)
        made = sum(1 for step in steps if step.status == "created")
        console.print(f"{name}: {made} fields created, {sum(1 for s in steps if s.status == 'exists')} there already")
    console.print(Rule("3  the first run", align="left"))
    first = _run(jobs, AS_OF, first_run=True)
    console.print(render_report(first))
    _show_top_tasks(console, first, crms)
    console.print(Rule("4  the same moment again: nothing to do", align="left"))
    _print_traffic(console, _run(jobs, AS_OF))
    console.print(Rule("5  one day later: only what changed", align="left"))
    later = _run(jobs, AS_OF + timedelta(days=1))
    console.print(render_report(later))


def _run(jobs: Jobs, as_of: datetime, *, first_run: bool = False) -> RunReport:
    return pipeline.run(
        jobs.project, jobs.engine, jobs.connectors, as_of, now=now, wait=time.sleep, first_run=first_run
    )


def _introduce(console: Console, company: Company, jobs: Jobs) -> None:
    console.print(
        f"{len(company.accounts)} accounts over twelve months in {company.path.name}, "
        f"and sandbox CRMs for {' and '.join(jobs.connectors)} that hold most of them"
    )


def _print_traffic(console: Console, report: RunReport) -> None:
    for delivery in report.deliveries:
        calls, write_calls = report.calls[delivery.destination]
        written = sum(delivery.applied.values())
        console.print(
            f"{delivery.destination}: {written} writes, {write_calls} write calls ({calls} calls to read)",
            style="green" if not written and not write_calls else "red",
        )


# ---------------------------------------------------------------------------- tasks as a rep sees them


def _show_top_tasks(console: Console, report: RunReport, crms: Mapping[str, Mapping[str, str]]) -> None:
    """The three best PQL tasks, read back from the Salesforce sandbox as it holds them now."""
    wanted = [
        change
        for change in report.computed.plan.tasks
        if change.destination == "salesforce" and change.playbook_id == "pql-to-task" and change.kind == "task_create"
    ]
    best = sorted(wanted, key=lambda change: (-change.rank, change.key))[:_SHOWN_TASKS]
    objects = _state(crms["salesforce"]["url"])
    people = {user["Id"]: user["Name"] for user in objects["User"]}
    companies = {account["Id"]: account["Name"] for account in objects["Account"]}
    held = {task.get("Plgsync_Key__c"): task for task in objects["Task"]}
    console.print(Text(f"\nThe top {len(best)} PQL tasks, as the rep reads them in Salesforce:", style="bold"))
    for change in best:
        task = held[change.key]
        card = TaskCard(
            subject=task["Subject"],
            company=companies.get(task["WhatId"], "–"),
            owner=people.get(task["OwnerId"], "nobody"),
            due=task["ActivityDate"],
            priority=task["Priority"],
            body=task["Description"],
        )
        console.print(render_task_card(card))


def _state(url: str) -> dict[str, list[dict[str, Any]]]:
    answer = requests.get(f"{url}/__sim/state", timeout=10)
    answer.raise_for_status()
    objects: dict[str, list[dict[str, Any]]] = answer.json()["objects"]
    return objects


# ---------------------------------------------------------------------------- the stage


def _make_room(folder: Path) -> None:
    """Replace an earlier demo; never touch a folder that holds anything else."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise Refused(f"{folder} is not empty and no demo of ours; choose another folder with --dir")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()


@contextmanager
def _sandboxes(seed_file: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Both sandbox CRMs in a process of their own, which ends with the demo."""
    errors = seed_file.with_name("sandbox.log")
    with errors.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "connectors.sandbox", "--seed", str(seed_file)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise Refused(f"the sandbox CRMs did not start; see {errors}")
            yield json.loads(line)
        finally:
            process.terminate()
            process.wait(_START_S)


def _point_at(folder: Path, crms: Mapping[str, Mapping[str, str]]) -> None:
    """Addresses and credentials into the project's own files; nothing else tells it from a real one."""
    secrets = folder / ".plgsync"
    secrets.mkdir(mode=0o700, exist_ok=True)
    places = {
        "SALESFORCE_CLIENT_ID": crms["salesforce"]["client_id"],
        "SALESFORCE_CLIENT_SECRET": crms["salesforce"]["client_secret"],
        "HUBSPOT_TOKEN": crms["hubspot"]["token"],
    }
    settings = folder / "config" / "crm.yaml"
    text = settings.read_text(encoding="utf-8")
    for name, value in places.items():
        file = secrets / name.lower()
        file.touch(mode=0o600)
        file.write_text(value, encoding="utf-8")
        text = text.replace(f"env:{name}", f"file:.plgsync/{file.name}")
    text = re.sub(r"base_url: https://\S*salesforce\S*", f"base_url: {crms['salesforce']['url']}", text)
    text = re.sub(r"base_url: https://\S*hubapi\S*", f"base_url: {crms['hubspot']['url']}", text)
    settings.write_text(text, encoding="utf-8")
    for playbook in (folder / "playbooks").glob("*.yaml"):
        content = playbook.read_text(encoding="utf-8")
        playbook.write_text(re.sub(r"(?m)^mode: preview\b", "mode: live", content), encoding="utf-8")


def _say_how_to_go_on(console: Console, folder: Path, company: Company) -> None:
    console.print(Rule("go on", align="left"))
    name = company.accounts[0].name
    for command, meaning in (
        (f'plgsync explain "{name}" --project {folder}', "where its scores come from"),
        (f"plgsync sandbox --state {folder}", "the two CRMs again, as they are now; leave it running"),
        (f"plgsync plan --project {folder} --as-of 2026-07-02", "what the next day would write"),
        (f"edit {folder}/playbooks/pql-to-task.yaml, then plgsync check", "what an edit breaks"),
        (f"plgsync run --project {folder} --as-of 2026-07-02", "do it"),
    ):
        console.print(f"  {command}", style="bold", end="")
        console.print(f"   {meaning}")
