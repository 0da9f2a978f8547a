"""Commands for unattended operation: scheduled jobs, workers and probes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import JsonLogsOption, JsonOption, ProjectOption
from worker.cli.printing import console, fail, log_stages, print_result, warn
from worker.language.plural import counted


def tick(project: ProjectOption = None, json_logs: JsonLogsOption = False) -> None:
    """Do every job of config/schedule.yaml that is due now, in this process. For cron or a Kubernetes CronJob.

    Example: plgsync tick
    """
    from worker.runtime.open_jobs import open_jobs
    from worker.settings.environment import check_environment

    log_stages(as_json=json_logs)
    check_environment()
    with open_jobs(project, notify_admins=True) as jobs:
        due = jobs.do_due()
        failures, following = jobs.failures(due), jobs.next_due()
    console().print(f"{counted(len(due), 'job')} done: {', '.join(job.schedule for job in due) or 'nothing was due'}")
    if following:
        console().print(f"next: {following[0]} at {following[1]:%Y-%m-%d %H:%M} UTC")
    if failures:
        fail("\n".join(failures))


def up(
    project: ProjectOption = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Also run both sandbox CRMs and deliver to them, not to the real CRMs."),
    ] = False,
    seed: Annotated[
        Path | None, typer.Option(help="With --sandbox: their first records as JSON; written back when they stop.")
    ] = None,
    salesforce_port: Annotated[int, typer.Option(help="With --sandbox; 0 takes a free port.")] = 0,
    hubspot_port: Annotated[int, typer.Option(help="With --sandbox; 0 takes a free port.")] = 0,
) -> None:
    """Run the schedule, the runs and the deliveries on this machine until SIGTERM or Ctrl-C.

    Example: plgsync up
    """
    from worker.runtime.up.tree import SandboxOptions, bring_up
    from worker.settings.environment import check_environment
    from worker.telemetry.logs import log_for_machines

    check_environment()
    log_for_machines()
    options = SandboxOptions(seed, {"salesforce": salesforce_port, "hubspot": hubspot_port})
    bring_up(project, options if sandbox else None)


def probe(
    project: ProjectOption = None,
    live: Annotated[bool, typer.Option("--live", help="Check only the heartbeats of the processes here.")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="Check only whether database and broker answer.")] = False,
    json_: JsonOption = False,
) -> None:
    """Check whether the workers here are alive and ready; ends with 1 when not. For liveness and readiness probes.

    Invalid settings are one line on stderr. They do not change the exit code: a restart cannot correct a file.

    Example: plgsync probe --live
    """
    from dataclasses import asdict

    from rich.console import Group

    from worker.reports.reader import settings_problems
    from worker.runtime.probes import liveness, readiness

    probes = [
        *(liveness(project) if live or not ready else []),
        *(readiness(project) if ready or not live else []),
    ]
    lines = (f"{'ok ' if one.ok else 'BAD'} {one.name}: {one.detail}" for one in probes)
    print_result(Group(*lines), json_, [asdict(one) for one in probes])
    for problem in settings_problems(project):
        warn(problem)
    if not all(one.ok for one in probes):
        raise SystemExit(1)


def worker(context: typer.Context) -> None:
    """Run the Celery worker; all arguments go to Celery.

    Example: plgsync worker --queues compute,deliver,default --concurrency 2
    """
    from worker.app import app as celery_app
    from worker.settings.environment import check_environment

    check_environment()
    celery_app.worker_main(["worker", *context.args])
