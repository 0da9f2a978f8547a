"""The ``plgsync`` command: what commands there are, and how a failure is told."""

from __future__ import annotations

import sys

import typer

from worker.cli.crm import crm_setup, sandbox
from worker.cli.history import explain, why
from worker.cli.outbox import outbox_app
from worker.cli.printing import fail
from worker.cli.processes import health, tick, up, worker
from worker.cli.project import check, demo, init, playbooks_test, schema
from worker.cli.run import plan, run
from worker.cli.status import alerts_test, metrics, status

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

for command in (demo, init, check, schema, plan, run, explain, why, status, metrics, sandbox, tick, up, health):
    app.command()(command)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(worker)
app.add_typer(outbox_app, name="outbox")
app.add_typer(alerts_app, name="alerts")
app.add_typer(crm_app, name="crm")
app.add_typer(playbooks_app, name="playbooks")
alerts_app.command("test")(alerts_test)
crm_app.command("setup")(crm_setup)
playbooks_app.command("test")(playbooks_test)


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
        from worker.runtime.failures import explain_failure

        message = explain_failure(error)
        if message is None:
            raise
        fail(message)
