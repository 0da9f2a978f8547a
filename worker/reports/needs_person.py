"""What a person has to look at, one line each: settings, secrets, failed jobs, rejected writes, unsent alerts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from worker.alerts.alert_store import undelivered
from worker.alerts.conditions import find_conditions
from worker.alerts.facts import SETTINGS, load_facts
from worker.delivery.row_state import RowState
from worker.delivery.selection import depth
from worker.language.plural import counted
from worker.planning.whose_state import other_project
from worker.reports.reader import Reader
from worker.settings.alerts import Channel
from worker.settings.environment import SecretMissing, secret
from worker.settings.project import NO_PLAYBOOKS, Project
from worker.store.crm import ownerless_tasks
from worker.store.engine import database_moment
from worker.store.marks import UNADOPTED, adoption_required
from worker.store.moments import AHEAD, WAY_BACK, iso
from worker.store.schedules import future_slots
from worker.store.state import last_as_of


def needs_person(connection: Connection, reader: Reader) -> Iterator[str]:
    """Every problem that a person has to solve, those of the settings first. Opens no connector."""
    if reader.problem:
        yield reader.problem
    if adoption_required(connection):
        yield UNADOPTED
    if reader.project and (problem := other_project(connection, reader.project)):
        yield problem.message
    for condition in find_conditions(load_facts(connection, reader.project), reader.alerts.when):
        if condition.subject != SETTINGS:  # stored by the last job; the reader has just read the settings
            yield condition.text
    yield from _in_future(connection)
    for row in depth(connection):
        if row["row_state"] == RowState.PARKED:
            rejected = counted(row["rows"], "write")
            yield f"{row['destination']} rejected {rejected}: see plgsync outbox list --state parked"
        elif row["row_state"] == RowState.NO_OWNER:
            on_hold = counted(row["rows"], "task")
            yield f"{row['destination']} has nobody for {on_hold}, held: see plgsync outbox list --state no_owner"
    for destination, tasks in ownerless_tasks(connection).items():
        made = counted(tasks, "open task of ours was", "open tasks of ours were")
        yield f"{destination}: {made} created for nobody: see plgsync check"
    if reader.project:
        yield from _invalid_playbooks(reader.project)
        yield from _missing_secrets(reader.project)
    if count := undelivered(connection):
        yield f"{counted(count, 'alert')} could not be sent so far: try plgsync alerts test NAME"


def _in_future(connection: Connection) -> Iterator[str]:
    """What a clock that was ahead has left behind."""
    bound = iso(database_moment(connection) + AHEAD)
    newest = last_as_of(connection)
    if newest and newest > bound:
        yield f"the last run was as of {newest}, in the future, and no run can be before it. The way back: {WAY_BACK}"
    for name in future_slots(connection, bound):
        yield f"{name} was finished for a slot in the future by a clock that was ahead; the next tick resets it"


def _invalid_playbooks(project: Project) -> Iterator[str]:
    if any(problem.message == NO_PLAYBOOKS for problem in project.warnings):
        yield NO_PLAYBOOKS
    for file in sorted({problem.file for problem in project.invalid}):
        instead = "its last good version runs" if file in project.last_good_files else "it is left out"
        yield f"{file} is invalid and {instead}: see plgsync check --offline"


def _missing_secrets(project: Project) -> Iterator[str]:
    """One line for each CRM, product database or channel that lacks a secret in the environment of this process."""
    for owner, refs in _secrets(project):
        missing = [why for ref in refs if ref.startswith(("env:", "file:")) and (why := _why_missing(project, ref))]
        if missing:
            yield f"{owner} cannot be reached from here: {'; '.join(missing)}"


def _why_missing(project: Project, ref: str) -> str:
    try:
        secret(ref, project.root)()
    except SecretMissing as missing:
        return str(missing)
    return ""


def _secrets(project: Project) -> Iterator[tuple[str, Iterable[str]]]:
    """By owner, its references to secrets; among them may be plain settings."""
    for name, destination in project.crm.destinations.items():
        yield name, destination.credentials().values()
    yield (
        "the product database",
        [one.postgres or "" for one in (project.product.source, *project.product.sources.values()) if one],
    )
    for name, channel in project.alerts.channels.items():
        yield f"the alert channel {name}", _of_channel(channel)


def _of_channel(channel: Channel) -> Iterable[str]:
    match channel.kind:
        case "slack":
            return [channel.url]
        case "webhook":
            return [channel.secret]
        case "email":
            return [channel.password or ""]
