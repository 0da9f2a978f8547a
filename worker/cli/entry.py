"""The ``plgsync`` command: what commands there are, and how a failure is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from worker.cli.crm import crm_setup, sandbox
from worker.cli.history import explain, history
from worker.cli.outbox import outbox_app
from worker.cli.printing import fail
from worker.cli.processes import probe, tick, up, worker
from worker.cli.project import check, demo, init, playbooks_test, schema
from worker.cli.run import plan, run
from worker.cli.status import alerts_test, exporter, status

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Health, onboarding and PQL scores from product data, as fields and tasks in Salesforce and HubSpot.",
)
alerts_app = typer.Typer(no_args_is_help=True, help="Messages about what is wrong.")
crm_app = typer.Typer(no_args_is_help=True, help="The CRMs themselves.")
playbooks_app = typer.Typer(no_args_is_help=True, help="The playbooks' own tests.")

for command in (demo, init, check, schema, plan, run, explain, history, status, exporter, sandbox, tick, up, probe):
    app.command()(command)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(worker)
app.add_typer(outbox_app, name="outbox")
app.add_typer(alerts_app, name="alerts")
app.add_typer(crm_app, name="crm")
app.add_typer(playbooks_app, name="playbooks")
alerts_app.command("test")(alerts_test)
crm_app.command("setup")(crm_setup)
playbooks_app.command("test")(playbooks_test)


def _keep_old_name(old: str, command: Callable[..., None]) -> None:
    new = command.__name__

    @wraps(command)
    def renamed(**options: Any) -> None:
        sys.stderr.write(f"plgsync {old} is now plgsync {new}\n")
        command(**options)

    app.command(old, hidden=True, help=f"The old name of plgsync {new}.\n\nExample: plgsync {new} --help")(renamed)


for old_name, command in (("why", history), ("metrics", exporter), ("health", probe)):
    _keep_old_name(old_name, command)


_USAGE = 2
_INTERRUPTED = 130
"""How Typer ends on Ctrl-C, without a word."""


def main() -> None:
    """The ``plgsync`` command."""
    if "--help" not in sys.argv:
        from worker.telemetry.logs import log_for_people

        log_for_people()
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            fail("interrupted; what was queued is kept and goes on with the next plgsync run", _INTERRUPTED)
        raise
    except Exception as error:
        from worker.reports.names import UnknownName
        from worker.runtime.failures import explain_failure

        message = explain_failure(error)
        if message is None:
            raise
        fail(message, _USAGE if isinstance(error, UnknownName) else 1)
