"""Runs the demo in five steps: a made-up company, two sandbox CRMs, and the main job on them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from rich.console import Console
from rich.text import Text

from connectors.clock import now, stopwatch
from worker.demo.company import Company
from worker.demo.stage import SEED_FILE, build_stage, point_at, sandboxes
from worker.language.plural import counted
from worker.pipeline import run as pipeline
from worker.pipeline.run import RunReport
from worker.rendering.heading import heading
from worker.rendering.summary import render_report
from worker.rendering.tasks import TaskCard, render_task_card
from worker.runtime.jobs import Jobs
from worker.runtime.open_jobs import open_jobs
from worker.telemetry.steps import report_step

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
_SHOWN_TASKS = 3
_FIRST_DAYS = 4
"""Conditions of playbooks hold for up to three days before they act, so the first day alone shows little."""


def run_demo(folder: Path, accounts: int, seed: int, console: Console) -> None:
    """Make the project in ``folder`` and run it: the first days, the same day again, and one day later."""
    started = stopwatch()
    console.print(heading("1  a company and two CRMs"))
    company = build_stage(folder, accounts, seed, AS_OF)
    with sandboxes(folder / SEED_FILE) as crms:
        point_at(folder, crms)
        with open_jobs(folder) as jobs:
            _run_steps(console, company, jobs, crms)
        console.print()
        console.print(f"{stopwatch() - started:.1f} s in all")
    _print_next_steps(console, folder, company, crms)


def _run_steps(console: Console, company: Company, jobs: Jobs, crms: Mapping[str, Mapping[str, str]]) -> None:
    _introduce(console, company, jobs)
    console.print(heading("2  the fields our results need"))
    for name, connector in jobs.connectors.items():
        report_step(f"setting up the fields of {name}")
        steps = connector.setup(jobs.project.crm.destinations[name].needs(), False)
        made = sum(1 for step in steps if step.status == "created")
        console.print(
            f"{name}: {counted(made, 'field')} created, {sum(1 for s in steps if s.status == 'exists')} already there"
        )
    console.print(heading("3  the first days"))
    days = [AS_OF - timedelta(days=back) for back in range(_FIRST_DAYS - 1, -1, -1)]
    reports = [_run(jobs, day, first_run=True) for day in days]
    console.print(render_report(reports))
    _show_top_tasks(console, reports, crms)
    console.print(heading("4  the same moment again: nothing to do"))
    _print_traffic(console, _run(jobs, AS_OF))
    console.print(heading("5  one day later: only what changed"))
    console.print(render_report([_run(jobs, AS_OF + timedelta(days=1))]))


def _run(jobs: Jobs, as_of: datetime, *, first_run: bool = False) -> RunReport:
    return pipeline.run(
        jobs.project, jobs.engine, jobs.connectors, as_of, now=now, first_run=first_run, yes_future=True
    )


def _introduce(console: Console, company: Company, jobs: Jobs) -> None:
    console.print(
        f"{counted(len(company.accounts), 'account')} over twelve months in {company.path.name}, "
        f"and sandbox CRMs for {' and '.join(jobs.connectors)} that hold most of them"
    )


def _print_traffic(console: Console, report: RunReport) -> None:
    for delivery in report.deliveries:
        used = report.calls[delivery.destination]
        written = sum(delivery.applied.values())
        console.print(
            f"{delivery.destination}: {counted(written, 'write')}, {counted(used.write_calls, 'write call')} "
            f"({counted(used.calls, 'call')} to read)",
            style="green" if not written and not used.write_calls else "red",
        )


# ---------------------------------------------------------------------------- tasks as a rep sees them


def _show_top_tasks(console: Console, reports: Sequence[RunReport], crms: Mapping[str, Mapping[str, str]]) -> None:
    """Print the three highest-ranked PQL tasks as the Salesforce sandbox holds them now."""
    wanted = [
        change
        for report in reports
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


def _print_next_steps(console: Console, folder: Path, company: Company, crms: Mapping[str, Mapping[str, str]]) -> None:
    console.print(heading("go on"))
    called = Path(sys.argv[0])
    plgsync = str(called) if called.name == "plgsync" and not shutil.which("plgsync") else "plgsync"
    project = f"--project {folder}"
    day = f"--as-of {AS_OF + timedelta(days=2):%Y-%m-%d}"
    ports = " ".join(f"--{name}-port {urlsplit(crm['url']).port}" for name, crm in crms.items())
    for meaning, command in (
        ("where the scores of an account come from", f'{plgsync} explain "{company.accounts[0].name}" {project}'),
        (
            "both CRMs again, as they are now; leave it running",
            f"{plgsync} sandbox --seed {folder / SEED_FILE} --keep {ports}",
        ),
        ("what the next day would write", f"{plgsync} plan {project} {day}"),
        (f"edit {folder}/playbooks/pql-to-task.yaml, and see what that breaks", f"{plgsync} check --offline {project}"),
        ("do it", f"{plgsync} run {project} {day}"),
    ):
        console.print(f"  {meaning}:", style="dim")
        console.print(f"    {command}", style="bold", soft_wrap=True)
