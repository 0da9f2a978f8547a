"""The state of a project: for people, for Prometheus, and as alerts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from worker.cli.options import JsonOption, ProjectOption
from worker.cli.printing import announce, console, print_result, reading


def status(project: ProjectOption = None, json_: JsonOption = False) -> None:
    """Show results of jobs, the outbox, calls spent today and what needs a person; ends with 1 when something does.

    Example: plgsync status
    """
    from worker.rendering.status import render_status
    from worker.reports.reader import open_reader
    from worker.reports.status import read_status

    with open_reader(project) as reader:
        found = read_status(reader)
    print_result(render_status(found), json_, found.to_json())
    if found.needs_person:
        raise SystemExit(1)


def exporter(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of /metrics; 0 takes a free port.")] = 9464,
    host: Annotated[str, typer.Option(help="The address to listen on (default: this machine only).")] = "127.0.0.1",
    once: Annotated[bool, typer.Option("--once", help="Print the metrics once and exit.")] = False,
    project: ProjectOption = None,
) -> None:
    """Serve Prometheus metrics, read from the state database at every scrape.

    Example: plgsync exporter --port 9464
    """
    from worker.reports.prometheus import metrics_text
    from worker.service import serve_metrics_here

    with reading(project) as reader:
        if once:
            sys.stdout.write(metrics_text(reader))
        else:
            serve_metrics_here(reader, host, port, announce)


def alerts_test(
    channel: Annotated[str, typer.Argument(help="A channel of config/alerts.yaml.")], project: ProjectOption = None
) -> None:
    """Send a test message over one channel.

    Example: plgsync alerts test ops-slack
    """
    from worker.service import try_channel

    try_channel(project, channel)
    console().print(f"sent over {channel}")
