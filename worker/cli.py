"""The commands. Each reads its options, calls one function, prints what came of it, and says how it ended.

Exit 0: done. Exit 1: refused or failed, with one clear message. Exit 2: wrong usage.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from worker.computing import Computed
    from worker.delivery.selection import Selection

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Health, onboarding and PQL scores from product data, as fields and tasks in Salesforce and HubSpot.",
)
outbox_app = typer.Typer(no_args_is_help=True, help="What waits to be sent, is parked or dead.")
crm_app = typer.Typer(no_args_is_help=True, help="The CRMs themselves.")
playbooks_app = typer.Typer(no_args_is_help=True, help="The playbooks' own tests.")
alerts_app = typer.Typer(no_args_is_help=True, help="Messages about what is wrong.")
app.add_typer(outbox_app, name="outbox")
app.add_typer(alerts_app, name="alerts")
app.add_typer(crm_app, name="crm")
app.add_typer(playbooks_app, name="playbooks")

ProjectOption = Annotated[
    Path | None,
    typer.Option("--project", envvar="PLGSYNC_PROJECT", help="The project folder (default: here).", show_default=False),
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="The moment to compute for, ISO 8601; without a zone it is UTC (default: now)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
JsonLogsOption = Annotated[
    bool, typer.Option("--json-logs", help="Log every stage as a JSON line on stderr, as workers do.")
]


def main() -> None:
    """The ``plgsync`` command."""
    if "--help" not in sys.argv:
        from worker.logs import log_for_people

        log_for_people()
    try:
        app()
    except KeyboardInterrupt:
        _fail("interrupted; what was queued is kept and goes on with the next plgsync run", 130)
    except Exception as error:
        message = _expected(error)
        if message is None:
            raise
        _fail(message)


def _log(*, as_json: bool) -> None:
    if as_json:
        from worker.logs import log_for_machines

        log_for_machines()


def _expected(error: Exception) -> str | None:
    """The message of an error that somebody can act on, or None for a bug."""
    from connectors.base import CallFailed
    from worker.failures import explain_failure

    if isinstance(error, CallFailed):
        return str(error)
    return explain_failure(error)


def _fail(message: str, code: int = 1) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write(message.rstrip() + "\n")
    raise SystemExit(code)


def _console() -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else 110
    return Console(width=width, highlight=False, soft_wrap=False)


def _show(result: Any, as_json: bool, data: Any) -> None:
    """Print either the rendered result or its JSON."""
    if as_json:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        _console().print(result)


def _say_refused(computed: Computed) -> None:
    """Wrong playbooks were left out, or their last good version ran; the run itself went on."""
    for problem in computed.refused:
        sys.stderr.write(problem.format() + "\n")
    for file in computed.held:
        sys.stderr.write(f"{file}: until this is mended, its last good version keeps running\n")


def _moment(text: str | None) -> datetime:
    from datetime import UTC, datetime

    from worker.settings.clock import now

    if text is None:
        return now().replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is not a date or a time such as 2026-06-30 or 2026-06-30T08:00Z') from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(microsecond=0)  # as the store keeps it


# ---------------------------------------------------------------------------- getting started


@app.command()
def demo(
    dir: Annotated[Path, typer.Option("--dir", help="Where the demo project is made.")] = Path("demo"),
    accounts: Annotated[int, typer.Option(min=20, max=20_000, help="How many accounts the company has.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same company.")] = 7,
) -> None:
    """Build a company and two sandbox CRMs, and run the whole main job on them.

    Example: plgsync demo --accounts 500
    """
    from worker.demo.story import run_demo
    from worker.settings.environment import check_environment

    check_environment()
    run_demo(dir, accounts, seed, _console())


@app.command()
def init(dir: Annotated[Path, typer.Argument(help="The folder to write config/ and playbooks/ into.")]) -> None:
    """Write a commented project to edit; files that exist are left alone.

    Example: plgsync init ~/plgsync-acme
    """
    from worker.starting import write_project

    written = write_project(dir)
    _console().print(f"{len(written)} files written to {dir}. Next: edit config/product.yaml and config/crm.yaml, then")
    _console().print(f"  plgsync check --project {dir}", style="bold")


@app.command()
def check(
    project: ProjectOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Look at the files only.")] = False,
    json_: JsonOption = False,
) -> None:
    """Find every problem in every file at once, then see whether the source and the CRMs are fit to run.

    Example: plgsync check --offline
    """
    from worker.checking import check_project
    from worker.rendering.problems import render_check

    result = check_project(project, offline=offline)
    _show(render_check(result), json_, result.to_json())
    if not result.fit:
        raise SystemExit(1)


@app.command()
def schema(
    write: Annotated[Path | None, typer.Option("--write", help="Write one .schema.json per file here.")] = None,
) -> None:
    """Print the JSON Schema of every YAML file, for editors that complete and check.

    Example: plgsync schema --write .schemas
    """
    from worker.settings.schema import schemas

    if write is None:
        sys.stdout.write(json.dumps(schemas(), indent=2) + "\n")
        return
    write.mkdir(parents=True, exist_ok=True)
    for name, document in schemas().items():
        (write / f"{name}.schema.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


@playbooks_app.command("test")
def playbooks_test(project: ProjectOption = None, json_: JsonOption = False) -> None:
    """Run the .test.yaml beside every playbook, on a controlled clock.

    Example: plgsync playbooks test
    """
    from worker.checking import run_tests_of_playbooks
    from worker.rendering.problems import render_playbook_tests

    results = run_tests_of_playbooks(project)
    _show(render_playbook_tests(results), json_, [result.to_json() for result in results])
    if any(not result.passed for result in results):
        raise SystemExit(1)


# ---------------------------------------------------------------------------- the main job


@app.command()
def plan(
    project: ProjectOption = None,
    as_of: AsOfOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Keep the plan, for plgsync run --apply.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Let playbooks go on that paused because far more accounts match than usual."),
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Show every field and task a run would write, old and new. Writes nothing.

    Example: plgsync plan --out plan.json
    """
    from worker.commands import make_plan
    from worker.rendering.plan import render_plan

    computed, guard = make_plan(project, _moment(as_of), resume=resume)
    if out:
        out.write_text(json.dumps(computed.plan.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _say_refused(computed)
    _show(render_plan(computed, guard), json_, {**computed.plan.to_json(), "guard": guard})


@app.command()
def run(
    project: ProjectOption = None,
    as_of: AsOfOption = None,
    apply: Annotated[Path | None, typer.Option("--apply", help="Run only if this plan still holds.")] = None,
    first_run: Annotated[
        bool, typer.Option("--first-run", help="Let the guard pass a run that fills every record for the first time.")
    ] = False,
    json_: JsonOption = False,
    json_logs: JsonLogsOption = False,
) -> None:
    """Compute, decide and deliver now, without Celery.

    Example: plgsync run --apply plan.json
    """
    from worker.commands import apply_plan, run_now
    from worker.rendering.summary import render_report, report_json
    from worker.settings.environment import check_environment

    _log(as_json=json_logs)
    if apply and as_of:
        raise typer.BadParameter("a plan carries its own moment: leave --as-of out")
    check_environment()
    report = apply_plan(project, apply) if apply else run_now(project, _moment(as_of), first_run=first_run)
    _say_refused(report.computed)
    _show(render_report([report]), json_, report_json(report))
    if report.unfinished:
        _fail(f"not finished: {report.unfinished}; nothing is lost, the next run goes on")


@app.command()
def explain(
    account: Annotated[str, typer.Argument(help="An account id, name or domain.")],
    project: ProjectOption = None,
    as_of: AsOfOption = None,
    json_: JsonOption = False,
) -> None:
    """Show where every score of an account comes from, and what every playbook sees in it.

    Example: plgsync explain acme.example
    """
    from worker.commands import explain_account
    from worker.rendering.explain import render_explanation

    explanation = explain_account(project, account, _moment(as_of) if as_of else None)
    _show(render_explanation(explanation), json_, explanation.to_json())


@app.command()
def why(
    record: Annotated[
        str,
        typer.Argument(
            help="A CRM record or task (its id or address), a task's key, or an account (its id, name or domain)."
        ),
    ],
    project: ProjectOption = None,
    field: Annotated[str | None, typer.Option("--field", help="Only this field: the CRM's name or ours.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many effects, the newest first.")] = 20,
    json_: JsonOption = False,
) -> None:
    """Show who wrote which field or task, when, in which run and why, and what the CRM answered.

    Example: plgsync why 001A0000004aaaaAAA --field Health_Score__c
    """
    from worker.commands import why_written
    from worker.rendering.why import render_effects

    effects = why_written(project, record, field=field, limit=limit)
    _show(render_effects(record, effects), json_, [effect.to_json() for effect in effects])


@app.command()
def status(project: ProjectOption = None, json_: JsonOption = False) -> None:
    """Show what ran, what waits, what was spent today, and what needs a person; ends with 1 when something does.

    Example: plgsync status
    """
    from worker.commands import read_status
    from worker.rendering.status import render_status

    found = read_status(project)
    _show(render_status(found), json_, found.to_json())
    if found.needs_person:
        raise SystemExit(1)


@app.command()
def metrics(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to serve /metrics; 0 takes a free port.")] = 9464,
    host: Annotated[str, typer.Option(help="The address to serve on; the default is reached from here only.")] = (
        "127.0.0.1"
    ),
    once: Annotated[bool, typer.Option("--once", help="Print them and end.")] = False,
    project: ProjectOption = None,
) -> None:
    """Serve Prometheus metrics, read from the state database at every scrape.

    Example: plgsync metrics --port 9464
    """
    from worker.commands import print_or_serve_metrics

    print_or_serve_metrics(project, host, port, once=once)


@alerts_app.command("test")
def alerts_test(
    channel: Annotated[str, typer.Argument(help="A channel of config/alerts.yaml.")], project: ProjectOption = None
) -> None:
    """Send a test message over one channel.

    Example: plgsync alerts test ops-slack
    """
    from worker.commands import try_channel

    try_channel(project, channel)
    _console().print(f"sent over {channel}")


# ---------------------------------------------------------------------------- the outbox


class Standing(StrEnum):
    """How a row of the outbox stands."""

    WAITING = "waiting"
    QUOTA = "quota"
    DENIED = "denied"
    UNMATCHED = "unmatched"
    SENDING = "sending"
    PARKED = "parked"
    DEAD = "dead"


StateOption = Annotated[
    list[Standing] | None, typer.Option("--state", help="Only rows that stand so; may be repeated.")
]
DestinationOption = Annotated[str | None, typer.Option("--destination", help="Only rows for this CRM.")]
PlaybookOption = Annotated[str | None, typer.Option("--playbook", help="Only tasks of this playbook, by its id.")]
AccountOption = Annotated[str | None, typer.Option("--account", help="Only rows of this account or CRM record, by id.")]
AllOption = Annotated[bool, typer.Option("--all-matching", help="Do it to every row that the filters match.")]
IdsArgument = Annotated[list[int] | None, typer.Argument(help="Row numbers from plgsync outbox list.")]


@outbox_app.command("list")
def outbox_list(
    state: StateOption = None,
    destination: DestinationOption = None,
    playbook: PlaybookOption = None,
    account: AccountOption = None,
    project: ProjectOption = None,
    json_: JsonOption = False,
) -> None:
    """Show what waits, is being sent, parked or dead, with the CRM's words.

    Example: plgsync outbox list --state parked --state dead --destination hubspot
    """
    from worker.commands import outbox_rows
    from worker.delivery.selection import Selection
    from worker.rendering.outbox import render_outbox

    rows = outbox_rows(project, Selection(tuple(state or ()), destination, playbook, account))
    _show(render_outbox(rows), json_, rows)


@outbox_app.command("retry")
def outbox_retry(
    ids: IdsArgument = None,
    state: StateOption = None,
    destination: DestinationOption = None,
    playbook: PlaybookOption = None,
    account: AccountOption = None,
    all_matching: AllOption = False,
    project: ProjectOption = None,
) -> None:
    """Send parked or dead rows again with the next delivery.

    Example: plgsync outbox retry 12 13
    """
    from worker.delivery.selection import Selection

    selection = Selection(tuple(state or ()), destination, playbook, account)
    _change(project, ids or [], selection, "retry", all_matching)


@outbox_app.command("drop")
def outbox_drop(
    ids: IdsArgument = None,
    state: StateOption = None,
    destination: DestinationOption = None,
    playbook: PlaybookOption = None,
    account: AccountOption = None,
    all_matching: AllOption = False,
    project: ProjectOption = None,
) -> None:
    """Give up on rows that wait, are parked or dead.

    Example: plgsync outbox drop 12
    """
    from worker.delivery.selection import Selection

    selection = Selection(tuple(state or ()), destination, playbook, account)
    _change(project, ids or [], selection, "drop", all_matching)


_CHANGED = {"retry": "will be sent again with the next plgsync run", "drop": "dropped"}


def _change(
    project: Path | None, ids: list[int], selection: Selection, what: Literal["retry", "drop"], all_matching: bool
) -> None:
    """Change rows by number, or all that match: those are counted first, and changed only when asked for in words."""
    from worker.commands import change_matching, change_outbox, count_matching

    if bool(ids) == (all_matching or not selection.empty):
        raise typer.BadParameter("give either row numbers or filters (all rows: --all-matching alone)")
    if ids:
        done = change_outbox(project, ids, what)
        _console().print(f"{done} of {len(ids)} rows {_CHANGED[what]}")
        if done < len(ids):
            raise SystemExit(1)
        return
    count = count_matching(project, selection, what)
    _console().print(f"{count} rows match")
    if count and not all_matching:
        _fail(f"nothing was done; add --all-matching to {what} them")
    if count:
        _console().print(f"{change_matching(project, selection, what)} rows {_CHANGED[what]}")


# ---------------------------------------------------------------------------- the CRMs


@crm_app.command("setup")
def crm_setup(
    name: Annotated[str, typer.Argument(help="A destination of config/crm.yaml.")],
    project: ProjectOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    json_: JsonOption = False,
) -> None:
    """Create the CRM fields this project needs, and say what a person still has to do.

    Example: plgsync crm setup hubspot --dry-run
    """
    from dataclasses import asdict

    from worker.commands import set_up_crm
    from worker.rendering.setup import render_setup

    steps = set_up_crm(project, name, dry_run=dry_run)
    _show(render_setup(name, steps), json_, [asdict(step) for step in steps])
    if any(step.status in {"todo", "wrong"} for step in steps):
        raise SystemExit(1)


@app.command()
def sandbox(
    salesforce_port: Annotated[int, typer.Option(help="0 takes a free port.")] = 0,
    hubspot_port: Annotated[int, typer.Option(help="0 takes a free port.")] = 0,
    seed: Annotated[Path | None, typer.Option(help="A JSON file of records to start with.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="On stop write both CRMs back to the seed file, to go on from there.")
    ] = False,
) -> None:
    """Run both sandbox CRMs here; one JSON line says where they are. Stops on SIGTERM or Ctrl-C.

    Example: plgsync sandbox --salesforce-port 8101 --hubspot-port 8102
    """
    from worker.commands import serve_sandboxes

    if keep and seed is None:
        raise typer.BadParameter("--keep needs --seed FILE")
    serve_sandboxes(salesforce_port, hubspot_port, seed, keep=keep)


# ---------------------------------------------------------------------------- the schedule


@app.command()
def tick(project: ProjectOption = None, json_logs: JsonLogsOption = False) -> None:
    """Do every job of config/schedule.yaml that is due now, here; for cron or a Kubernetes CronJob.

    Example: plgsync tick
    """
    from worker.jobs import open_jobs
    from worker.settings.environment import check_environment

    _log(as_json=json_logs)
    check_environment()
    with open_jobs(project, tell=True) as jobs:
        due = jobs.do_due()
        following = jobs.next_due()
    _console().print(f"{len(due)} jobs done: {', '.join(job.schedule for job in due) or 'nothing was due'}")
    if following:
        _console().print(f"next: {following[0]} at {following[1]:%Y-%m-%d %H:%M} UTC")


@app.command()
def up(
    project: ProjectOption = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Also run both sandbox CRMs, and deliver to them instead of the real ones."),
    ] = False,
    seed: Annotated[
        Path | None, typer.Option(help="With --sandbox: the records they start with, written back on stop.")
    ] = None,
    salesforce_port: Annotated[int, typer.Option(help="With --sandbox; 0 takes a free port.")] = 0,
    hubspot_port: Annotated[int, typer.Option(help="With --sandbox; 0 takes a free port.")] = 0,
) -> None:
    """Keep everything running on this machine: the schedule, the runs and the deliveries. Stops on SIGTERM or Ctrl-C.

    Example: plgsync up
    """
    from worker.logs import log_for_machines
    from worker.settings.environment import check_environment
    from worker.up.tree import SandboxOptions, bring_up

    check_environment()
    log_for_machines()
    options = SandboxOptions(seed, {"salesforce": salesforce_port, "hubspot": hubspot_port})
    bring_up(project, options if sandbox else None)


@app.command()
def health(
    project: ProjectOption = None,
    live: Annotated[bool, typer.Option("--live", help="Only: do the processes here still move?")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="Only: do database and broker answer?")] = False,
    json_: JsonOption = False,
) -> None:
    """Say whether the workers here live and whether they could work; ends with 1 when not. For probes.

    Example: plgsync health --live
    """
    from dataclasses import asdict

    from worker.health import signs_of_life, signs_of_readiness

    signs = [
        *(signs_of_life(project) if live or not ready else []),
        *(signs_of_readiness(project) if ready or not live else []),
    ]
    text = "\n".join(f"{'ok ' if sign.well else 'BAD'} {sign.what}: {sign.said}" for sign in signs)
    _show(text, json_, [asdict(sign) for sign in signs])
    if not all(sign.well for sign in signs):
        raise SystemExit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def worker(context: typer.Context) -> None:
    """Run the Celery worker; everything after it goes to celery.

    Example: plgsync worker --queues compute,deliver,default --concurrency 2
    """
    from worker.app import app as celery_app
    from worker.settings.environment import check_environment

    check_environment()
    celery_app.worker_main(["worker", *context.args])
