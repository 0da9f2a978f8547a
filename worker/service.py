"""What a person may ask of a project: each function opens it, does one thing and closes it again."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from connectors.base import SetupStep
from connectors.clock import now
from worker.adoption.adopt import Adoption, adopt
from worker.alerts.alert_store import Message
from worker.alerts.channels import NotSent, send
from worker.alerts.conditions import FAILED as RUN_FAILED
from worker.alerts.facts import BY_HAND
from worker.delivery.backlog import drop_rows, existing_rows, retry_rows, waiting_rows
from worker.delivery.reused_ids import keep_account, renew_account
from worker.delivery.row_state import DROPPED, RETRIED, RowState
from worker.delivery.selection import Selection, selected_ids
from worker.pipeline import run as pipeline
from worker.pipeline.compute import Computed, compute
from worker.pipeline.run import Approved, RunReport
from worker.planning.guard import UnsafePlan, check_plan
from worker.planning.lost_state import refuse_lost_state, refuse_unadopted
from worker.reports.explain import Explanation, explain
from worker.reports.names import (
    UnknownName,
    account_ids,
    destination_names,
    playbook_names,
    record_ids,
    require_account,
    require_known,
)
from worker.reports.reader import Reader, open_reader
from worker.runtime.jobs import Jobs
from worker.runtime.open_jobs import open_jobs
from worker.settings.environment import project_dir
from worker.settings.problems import CommandError
from worker.settings.project import load_project
from worker.store.job_results import record_job_result
from worker.store.lock import exclusive_run
from worker.store.sightings import load_sightings
from worker.store.state import forget_usual, last_as_of
from worker.telemetry.steps import report_step

Change = Literal["retry", "drop"]

_IDS_AT_ONCE = 500


class _RowChange(NamedTuple):
    """How rows are changed, and the states of the rows that can be."""

    change: Callable[[Connection, Sequence[int]], int]
    states: Sequence[RowState]


_CHANGES: Mapping[Change, _RowChange] = {
    "retry": _RowChange(retry_rows, RETRIED),
    "drop": _RowChange(drop_rows, DROPPED),
}


def make_plan(project: Path | None, as_of: datetime, *, resume: bool) -> tuple[Computed, list[str]]:
    """What a run as of this moment would write, and the guard's reasons against it."""
    with open_jobs(project) as jobs:
        with jobs.engine.begin() as connection:
            refuse_unadopted(connection)
        computed = compute(jobs.project, jobs.engine, jobs.connectors, as_of, resume=resume)
        with jobs.engine.begin() as connection:
            refuse_lost_state(connection, computed.views)
        try:
            check_plan(computed.plan, jobs.project.crm.guard, first_run=False)
        except UnsafePlan as unsafe:
            return computed, list(unsafe.reasons)
        return computed, []


def run_now(project: Path | None, as_of: datetime, *, first_run: bool, yes_future: bool) -> RunReport:
    """Compute and deliver inline, as of a moment. Raises `InFuture` for one in the future without ``yes_future``."""
    with open_jobs(project) as jobs, _recorded(jobs):
        return pipeline.run(
            jobs.project,
            jobs.engine,
            jobs.connectors,
            as_of,
            now=now,
            first_run=first_run,
            yes_future=yes_future,
        )


@contextmanager
def _recorded(jobs: Jobs) -> Iterator[None]:
    """Store that a run which a person started went well. One that was refused alerts nobody: the person is told."""
    yield
    with jobs.engine.begin() as connection:
        record_job_result(connection, BY_HAND, "run")
    jobs.update_alerts()


def apply_plan(project: Path | None, path: Path, *, yes_future: bool) -> RunReport:
    """Deliver an approved plan, if it still holds. Raises `InFuture` as `run_now` does."""
    plan = _read_plan(path)
    with open_jobs(project) as jobs, _recorded(jobs):
        return pipeline.run(
            jobs.project,
            jobs.engine,
            jobs.connectors,
            datetime.fromisoformat(plan["as_of"]),
            now=now,
            approved=Approved(plan["fingerprint"], plan["resumed"]),
            yes_future=yes_future,
        )


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        document = None
    if not isinstance(document, dict) or not {"as_of", "fingerprint", "resumed"} <= document.keys():
        raise CommandError(f"{path} is not a plan; make one with: plgsync plan --out {path.name}")
    return document


def explain_account(project: Path | None, account: str, as_of: datetime | None) -> Explanation:
    """Every score and playbook of one account, as of a moment or, without one, of the last run."""
    with open_jobs(project) as jobs:
        with jobs.engine.begin() as connection:
            last = last_as_of(connection)
        moment = as_of or (datetime.fromisoformat(last) if last else now())
        return explain(jobs.project, jobs.engine, jobs.connectors, account, moment)


def serve_metrics_here(reader: Reader, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve the metrics until SIGTERM or Ctrl-C; ``announce`` gets their address."""
    from worker.reports.prometheus import serve_metrics

    bound = serve_metrics(reader, host, port)
    announce(f"http://{host}:{bound}/metrics")
    until_stopped()


def until_stopped() -> None:
    """Return at SIGTERM or Ctrl-C."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()


def try_channel(project: Path | None, name: str) -> None:
    """Send a test message. Raises `UnknownName`, and `CommandError` when the message cannot be sent."""
    root = project_dir(project)
    channels = load_project(root).alerts.channels
    require_known("channel", name, channels)
    moment = now()
    text = "This is a test of the channel; nothing is wrong."
    message = Message(
        alert_id=0,
        channel=name,
        phase="start",
        kind=RUN_FAILED,
        subject="test",
        text=text,
        opened_at=moment.timestamp(),
        recovered_at=None,
        attempts=0,
        lease_token="",
    )
    report_step(f"sending over {name}")
    try:
        send(channels[name], message, root, moment)
    except NotSent as error:
        raise CommandError(f"{name}: {error}") from None


def outbox_rows(reader: Reader, selection: Selection) -> Sequence[Mapping[str, Any]]:
    """The unsettled rows of a selection, oldest first. Raises `UnknownName`."""
    with _known_selection(reader, selection) as connection:
        return waiting_rows(connection, selection)


def change_rows(reader: Reader, ids: Sequence[int], what: Change) -> int:
    """Retry or drop rows; answers how many were changed. Raises `UnknownName` for a row that does not exist."""
    with reader.engine.begin() as connection:
        if missing := sorted(set(ids) - existing_rows(connection, ids)):
            raise UnknownName(f"the outbox has no row {', '.join(map(str, missing))}; nothing was changed")
        return _CHANGES[what].change(connection, ids)


def count_matching(reader: Reader, selection: Selection, what: Change) -> int:
    """How many rows of a selection can be retried or dropped. Raises `UnknownName`."""
    with _known_selection(reader, selection) as connection:
        return len(selected_ids(connection, selection, _CHANGES[what].states))


def change_matching(reader: Reader, selection: Selection, what: Change) -> int:
    """Retry or drop every row of a selection that can be; answers how many. Raises `UnknownName`."""
    done = 0
    with _known_selection(reader, selection) as connection:
        ids = selected_ids(connection, selection, _CHANGES[what].states)
        for start in range(0, len(ids), _IDS_AT_ONCE):
            report_step("changing rows of the outbox", start, len(ids))
            done += _CHANGES[what].change(connection, ids[start : start + _IDS_AT_ONCE])
    return done


def settle_account(project: Path | None, account: str, how: Literal["keep", "renew"]) -> None:
    """Go on with what is stored of a reused account id, or forget it. Raises `UnknownName`."""
    with open_reader(project, to_change=True) as reader, exclusive_run(reader.engine), reader.engine.begin() as state:
        require_account(account, load_sightings(state))
        (keep_account if how == "keep" else renew_account)(state, account)


def adopt_state(project: Path | None, as_of: datetime) -> Adoption:
    """Rebuild the state of a project from what of it is in its CRMs."""
    with open_jobs(project) as jobs:
        return adopt(jobs.project, jobs.engine, jobs.connectors, as_of)


def accept_data(project: Path | None) -> None:
    """Let the data of the next run become what is usual of its tables."""
    with open_reader(project, to_change=True) as reader, exclusive_run(reader.engine), reader.engine.begin() as state:
        forget_usual(state)


@contextmanager
def _known_selection(reader: Reader, selection: Selection) -> Iterator[Connection]:
    """One transaction on the rows of a selection, whose destination, playbook and account must exist."""
    with reader.engine.begin() as connection:
        if selection.destination is not None:
            require_known("destination", selection.destination, destination_names(connection, reader.project))
        if selection.playbook is not None:
            require_known("playbook", selection.playbook, playbook_names(connection, reader.project))
        if selection.account is not None:
            require_account(selection.account, account_ids(connection) | record_ids(connection))
        yield connection


def set_up_crm(project: Path | None, name: str, *, dry_run: bool) -> Sequence[SetupStep]:
    """Create the CRM fields that one destination lacks. Raises `UnknownName`."""
    with open_jobs(project) as jobs:
        require_known("destination", name, jobs.connectors)
        needs = jobs.project.crm.destinations[name].needs()
        report_step(f"looking at the fields of {name}" if dry_run else f"setting up the fields of {name}")
        return jobs.connectors[name].setup(needs, dry_run)


def serve_sandboxes(
    salesforce_port: int, hubspot_port: int, seed: Path | None, announce: Callable[[str], None], *, keep: bool
) -> None:
    """Run both sandbox CRMs until SIGTERM or Ctrl-C; ``announce`` gets their addresses as JSON.

    Raises `CommandError` for an invalid seed.
    """
    from connectors.sandbox.core.control import ControlError
    from connectors.sandbox.serve import serve

    try:
        records = json.loads(seed.read_text(encoding="utf-8")) if seed else None
        serve(
            salesforce_port,
            hubspot_port,
            records,
            lambda where: announce(json.dumps(where)),
            keep=seed if keep else None,
        )
    except (ControlError, json.JSONDecodeError) as error:
        raise CommandError(f"{seed}: {error}") from None
