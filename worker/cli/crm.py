"""The CRMs themselves: the fields they need, and sandboxes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import JsonOption, ProjectOption
from worker.cli.printing import announce, print_result


def crm_setup(
    name: Annotated[str, typer.Argument(help="A destination of config/crm.yaml.")],
    project: ProjectOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    json_: JsonOption = False,
) -> None:
    """Create the CRM fields that this project needs, and list what a person still has to do.

    Example: plgsync crm setup hubspot --dry-run
    """
    from dataclasses import asdict

    from worker.rendering.setup import render_setup
    from worker.service import set_up_crm

    steps = set_up_crm(project, name, dry_run=dry_run)
    print_result(render_setup(name, steps), json_, [asdict(step) for step in steps])
    if any(step.status in {"todo", "wrong"} for step in steps):
        raise SystemExit(1)


def sandbox(
    salesforce_port: Annotated[int, typer.Option(help="0 takes a free port.")] = 0,
    hubspot_port: Annotated[int, typer.Option(help="0 takes a free port.")] = 0,
    seed: Annotated[Path | None, typer.Option(help="Their first records as JSON.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="When they stop, write the records of both CRMs back to the seed file.")
    ] = False,
) -> None:
    """Run both sandbox CRMs until SIGTERM or Ctrl-C; prints their addresses as one JSON line.

    Example: plgsync sandbox --salesforce-port 8101 --hubspot-port 8102
    """
    from worker.service import serve_sandboxes

    if keep and seed is None:
        raise typer.BadParameter("--keep needs --seed FILE")
    serve_sandboxes(salesforce_port, hubspot_port, seed, announce, keep=keep)
