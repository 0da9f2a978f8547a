"""The ``plgsync`` command: which commands there are, and how a failure becomes a message and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from inspect import unwrap
from typing import Annotated, Any

import typer

from connectors.garbage import collect_seldom
from worker.cli.accounts import accounts_keep, accounts_renew
from worker.cli.adopt import adopt
from worker.cli.crm import crm_setup, sandbox
from worker.cli.data import data_accept
from worker.cli.history import explain, history
from worker.cli.outbox import outbox_change, outbox_list
from worker.cli.printing import announce, fail
from worker.cli.processes import probe, tick, up, worker
from worker.cli.project import check, demo, fields, init, playbooks_test, schema
from worker.cli.run import plan, run
from worker.cli.state import state_backup, state_move, state_restore
from worker.cli.status import alerts_test, exporter, status

Command = Callable[..., None]

_SETTINGS: dict[str, Any] = {
    "no_args_is_help": True,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 120},
}
_USAGE = 2
_INTERRUPTED = 130
"""The exit code of Typer on Ctrl-C, for which it prints nothing."""
_FOR_MACHINES = {schema, exporter, sandbox, up, probe, worker}
"""Commands without progress: they print JSON, serve until they are stopped, or answer a supervisor."""

app = typer.Typer(**_SETTINGS, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        announce(f"plgsync {version('plgsync')}")
        raise typer.Exit


@app.callback()
def plgsync(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Health, onboarding and PQL scores from product data, as fields and tasks in Salesforce and HubSpot."""


def _add(command: Command, name: str | None = None, to: typer.Typer = app, **settings: Any) -> None:
    """Add a command; the list of commands shows its whole first line, which Typer cuts without a ``short_help``."""
    help_ = settings.get("help") or command.__doc__ or ""
    shown = command if unwrap(command) in _FOR_MACHINES else _with_progress(command)
    to.command(name, short_help=help_.partition("\n")[0], **settings)(shown)


def _with_progress(command: Command) -> Command:
    """The command, with its progress on stderr unless it prints or logs JSON."""

    @wraps(command)
    def shown(**options: Any) -> None:
        if options.get("json_") or options.get("json_logs"):
            command(**options)
            return
        from worker.rendering.progress import progress

        with progress():
            command(**options)

    return shown


def _add_group(name: str, help_: str) -> typer.Typer:
    group = typer.Typer(**_SETTINGS, help=help_)
    app.add_typer(group, name=name, short_help=help_)
    return group


def _keep_old_name(old: str, command: Command) -> None:
    new = command.__name__

    @wraps(command)
    def renamed(**options: Any) -> None:
        sys.stderr.write(f"plgsync {old} is now plgsync {new}\n")
        command(**options)

    _add(renamed, old, hidden=True, help=f"The old name of plgsync {new}.\n\nExample: plgsync {new} --help")


for _one in (
    demo,
    init,
    check,
    schema,
    fields,
    plan,
    run,
    adopt,
    explain,
    history,
    status,
    exporter,
    sandbox,
    tick,
    up,
    probe,
):
    _add(_one)
_add(worker, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})

_outbox = _add_group("outbox", "The rows that wait to be sent, are parked or dead.")
_add(outbox_list, "list", _outbox)
for _name, _help in (
    ("drop", "Give up on rows that wait, are parked or dead.\n\nExample: plgsync outbox drop 12"),
    ("retry", "Send parked or dead rows again with the next delivery.\n\nExample: plgsync outbox retry 12 13"),
):
    _add(outbox_change, _name, _outbox, help=_help)
_accounts = _add_group("accounts", "Account ids that belong to somebody else now.")
_add(accounts_keep, "keep", _accounts)
_add(accounts_renew, "renew", _accounts)
_state = _add_group("state", "The state as a whole: backup, restore, move.")
_add(state_backup, "backup", _state)
_add(state_restore, "restore", _state)
_add(state_move, "move", _state)
_add(data_accept, "accept", _add_group("data", "The product data."))
_add(alerts_test, "test", _add_group("alerts", "Messages about problems."))
_add(crm_setup, "setup", _add_group("crm", "The CRMs themselves."))
_add(playbooks_test, "test", _add_group("playbooks", "The tests of the playbooks."))

for _name, _one in (("why", history), ("metrics", exporter), ("health", probe)):
    _keep_old_name(_name, _one)


def main() -> None:
    """The ``plgsync`` command."""
    collect_seldom()
    if not {"--help", "-h", "--version"} & set(sys.argv):
        from worker.telemetry.logs import log_for_people

        log_for_people()
    try:
        app(prog_name="plgsync")
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            fail("interrupted; what was queued is kept; the next plgsync run continues", _INTERRUPTED)
        raise
    except Exception as error:
        from worker.reports.names import UnknownName
        from worker.runtime.failures import explain_failure

        message = explain_failure(error)
        if message is None:
            raise
        fail(message, _USAGE if isinstance(error, UnknownName) else 1)
