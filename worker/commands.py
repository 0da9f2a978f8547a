"""What the commands do: open a project, do one thing with it, close it again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from connectors.base import SetupStep
from worker import pipeline
from worker.delivery.backlog import drop_rows, retry_rows, waiting_rows
from worker.delivery.guard import UnsafePlan, check_plan
from worker.failures import Refused
from worker.jobs import open_jobs
from worker.language.suggest import did_you_mean
from worker.pipeline import Computed, RunReport
from worker.settings.clock import now


def make_plan(project: Path | None, as_of: datetime) -> tuple[Computed, list[str]]:
    """What a run as of this moment would write, and what the guard says to it."""
    with open_jobs(project) as jobs:
        computed = pipeline.compute(jobs.project, jobs.engine, jobs.connectors, as_of)
        try:
            check_plan(computed.plan, jobs.project.crm.guard, first_run=False)
        except UnsafePlan as unsafe:
            return computed, list(unsafe.reasons)
        return computed, []


def run_now(project: Path | None, as_of: datetime | None, plan: Path | None, *, first_run: bool) -> RunReport:
    """Compute and deliver inline, as of a moment or by an approved plan."""
    approved = _read_plan(plan) if plan else None
    moment = as_of or datetime.fromisoformat(str(approved and approved["as_of"]))
    with open_jobs(project) as jobs:
        return pipeline.run(
            jobs.project,
            jobs.engine,
            jobs.connectors,
            moment,
            now=now,
            wait=time.sleep,
            first_run=first_run,
            approved=approved["fingerprint"] if approved else None,
        )


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        document = None
    if not isinstance(document, dict) or not {"as_of", "fingerprint"} <= document.keys():
        raise Refused(f"{path} is not a plan; make one with: plgsync plan --out {path.name}")
    return document


def explain_account(project: Path | None, account: str, as_of: datetime | None) -> pipeline.Explanation:
    """Every score and playbook of one account, found by its id, name or domain."""
    with open_jobs(project) as jobs:
        return pipeline.explain(jobs.project, jobs.engine, jobs.connectors, account, as_of or now())


def outbox_rows(project: Path | None) -> Sequence[Mapping[str, Any]]:
    """Everything that waits, is parked or dead."""
    with open_jobs(project) as jobs, jobs.engine.begin() as connection:
        return waiting_rows(connection)


def change_outbox(project: Path | None, ids: Sequence[int], what: Literal["retry", "drop"]) -> int:
    """Retry or drop rows; answers how many could be."""
    with open_jobs(project) as jobs, jobs.engine.begin() as connection:
        return (retry_rows if what == "retry" else drop_rows)(connection, ids)


def set_up_crm(project: Path | None, name: str, *, dry_run: bool) -> Sequence[SetupStep]:
    """Create what one destination lacks."""
    with open_jobs(project) as jobs:
        if name not in jobs.connectors:
            hint = did_you_mean(name, jobs.connectors)
            known = ", ".join(jobs.connectors) or "none"
            raise Refused(
                f'config/crm.yaml has no destination "{name}"'
                + (f'. Did you mean "{hint}"?' if hint else f"; it has: {known}")
            )
        needs = jobs.project.crm.destinations[name].needs()
        return jobs.connectors[name].setup(needs, dry_run)


def serve_sandboxes(salesforce_port: int, hubspot_port: int, seed: Path | None) -> None:
    """Both sandbox CRMs in the foreground, until SIGTERM or Ctrl-C."""
    from connectors.sandbox.serve import serve

    def announce(where: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(where) + "\n")
        sys.stdout.flush()

    serve(salesforce_port, hubspot_port, json.loads(seed.read_text(encoding="utf-8")) if seed else None, announce)


