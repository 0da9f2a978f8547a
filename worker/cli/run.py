"""The main job: the plan of a run, and the run itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import AsOfOption, JsonLogsOption, JsonOption, ProjectOption, moment_of
from worker.cli.printing import fail, log_stages, print_invalid, print_result


def plan(
    project: ProjectOption = None,
    as_of: AsOfOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the plan to a file for plgsync run --apply.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Resume playbooks that paused because far more accounts match than usual."),
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Show every field and task a run would write, old and new. Writes nothing.

    Example: plgsync plan --out plan.json
    """
    from worker.rendering.plan import render_plan
    from worker.service import make_plan

    computed, guard = make_plan(project, moment_of(as_of), resume=resume)
    if out:
        import json

        from connectors.private_files import write_private

        write_private(out.resolve(), json.dumps(computed.plan.to_json(), indent=2, ensure_ascii=False) + "\n")
    print_invalid(computed)
    print_result(render_plan(computed, guard), json_, {**computed.plan.to_json(), "guard": guard})


def run(
    project: ProjectOption = None,
    as_of: AsOfOption = None,
    apply: Annotated[Path | None, typer.Option("--apply", help="Run only if this plan is still current.")] = None,
    first_run: Annotated[
        bool, typer.Option("--first-run", help="Let the guard accept a run that fills every record for the first time.")
    ] = False,
    yes_future: Annotated[
        bool, typer.Option("--yes-future", help="Run although the moment is in the future; later runs cannot go back.")
    ] = False,
    json_: JsonOption = False,
    json_logs: JsonLogsOption = False,
) -> None:
    """Compute, decide and deliver now, without Celery; ends with 1 while writes that were due wait or were rejected.

    Example: plgsync run --apply plan.json
    """
    from worker.rendering.summary import render_report, report_json, unfinished
    from worker.service import apply_plan, run_now
    from worker.settings.environment import check_environment

    log_stages(as_json=json_logs)
    if apply and as_of:
        raise typer.BadParameter("a plan has its own moment: leave --as-of out")
    check_environment()
    if apply:
        report = apply_plan(project, apply, yes_future=yes_future)
    else:
        report = run_now(project, moment_of(as_of), first_run=first_run, yes_future=yes_future)
    print_invalid(report.computed)
    print_result(render_report([report]), json_, report_json(report))
    if waits := list(unfinished(report)):
        fail("\n".join([*(f"not finished: {line}" for line in waits), "nothing is lost, the next run continues"]))
