"""CRM tasks: made once per key for ever, and what a human has touched is left alone.

The key stands in a unique property of the task. Before anything is made the keys are looked up, deleted
tasks included, because an upsert on its own would put back what a human changed.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import structlog

from connectors.base import CallFailed, CloseTask, CreateTask, Destination, Outcome, UpdateTask
from connectors.hubspot.associations import associate, associated
from connectors.hubspot.batch import Input, write_batch
from connectors.hubspot.client import Client
from connectors.hubspot.describe import TASKS, Schema
from connectors.hubspot.match import OWNER
from connectors.hubspot.portal import Portal
from connectors.hubspot.records import Record, list_archived, read_batch

log = structlog.get_logger(__name__)

STATUS = "hs_task_status"
SUBJECT = "hs_task_subject"
BODY = "hs_task_body"
DUE = "hs_timestamp"
PRIORITY = "hs_task_priority"
OPEN = frozenset({"NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED"})
UNTOUCHED = frozenset({"NOT_STARTED"})
LEFT_ALONE = "left_alone"
DELETED = "deleted"
DELETED_PAGES = 50
"""Of a hundred deleted tasks each: what fits into a few seconds of the rate window."""


class NoTaskKey(Exception):
    """Tasks cannot be made once for ever here; the message says what to do. Fields are not concerned."""


def key_field(destination: Destination, schema: Schema) -> str:
    """The task property that holds our key. Raises `NoTaskKey` unless HubSpot keeps it unique."""
    if destination.tasks is None:
        raise NoTaskKey(f"{destination.name}: tasks are not configured (tasks.key_field in config/crm.yaml)")
    name = destination.tasks.key_field
    spec = schema.unique(TASKS, name)
    if spec is None:
        raise NoTaskKey(f"HubSpot tasks have no property {name}: run plgsync crm setup")
    if not spec.unique:
        raise NoTaskKey(
            f"HubSpot tasks have {name}, but not as a unique property, so a task could be made twice; "
            "making tasks without it is not available yet: archive the property and run plgsync crm setup"
        )
    return name


def create_tasks(
    client: Client, destination: Destination, key: str, portal: Portal, operations: Sequence[CreateTask]
) -> dict[str, Outcome]:
    """Make the tasks that do not exist yet and tie each to its company; one outcome per operation.

    ``key`` is the property of `key_field`. Safe to repeat after any crash or lost answer: a task that is
    there is left as it is and only a missing tie to its company is made good.
    """
    there = read_batch(client, TASKS, [one.key for one in operations], [], id_property=key)
    deleted = _deleted(client, key, [one.key for one in operations if one.key not in there])
    new = [one for one in operations if one.key not in there and one.key not in deleted]
    companies = read_batch(client, destination.object, [one.record_id for one in new], ["hs_object_id"])
    settled = {name: Outcome(name, "applied", record.id, DELETED) for name, record in deleted.items()}
    settled |= {one.key: _no_company(one.key) for one in new if one.record_id not in companies}
    due_hour = destination.tasks.due_hour if destination.tasks else 0
    inputs = [
        Input(one.key, one.key, _properties(one, key, due_hour, portal.zone), id_property=key)
        for one in new
        if one.record_id in companies
    ]
    made = {name: _race_lost(outcome) for name, outcome in write_batch(client, TASKS, "upsert", inputs).items()}
    made |= {name: Outcome(name, "applied", record.id) for name, record in there.items()}
    homes = {
        one.key: companies[one.record_id].id if one.record_id in companies else one.record_id for one in operations
    }
    try:
        untied = _untied(client, destination, there, made)
        ties = {name: (task_id, homes[name]) for name, task_id in untied.items()}
        return settled | made | associate(client, TASKS, destination.object, ties)
    except CallFailed:
        if not inputs:
            raise
        # The tasks are made; written again with the same keys, only the ties are.
        return settled | {name: _tie_later(outcome) for name, outcome in made.items()}


def update_tasks(client: Client, operations: Sequence[UpdateTask], key: str) -> dict[str, Outcome]:
    """New subject and body for tasks that are still ours; the others are left alone."""
    records = _with_history(client, operations, key, [SUBJECT, BODY])
    inputs = [
        Input(one.key, one.task_id, {SUBJECT: one.subject, BODY: rich_text(one.body)})
        for one in operations
        if _still_ours(records.get(one.task_id), key, [SUBJECT, BODY], OPEN)
    ]
    return _left_alone(operations) | write_batch(client, TASKS, "update", inputs)


def close_tasks(client: Client, operations: Sequence[CloseTask], key: str) -> dict[str, Outcome]:
    """Complete the tasks that nobody has touched since we made them; the others are left alone."""
    watched = [SUBJECT, BODY, STATUS, DUE, OWNER]
    records = _with_history(client, operations, key, watched)
    inputs = [
        Input(one.key, one.task_id, {STATUS: "COMPLETED"})
        for one in operations
        if _still_ours(records.get(one.task_id), key, watched, UNTOUCHED)
    ]
    return _left_alone(operations) | write_batch(client, TASKS, "update", inputs)


def rich_text(body: str) -> str:
    """Plain text as HubSpot's task notes show it: they are HTML, where a line end means nothing."""
    return html.escape(body, quote=False).replace("\n", "<br>")


def due_stamp(due: date, hour: int, zone: ZoneInfo) -> str:
    """The due date at ``hour`` of the portal's day, as a UTC point in time."""
    return datetime.combine(due, time(hour), zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _properties(one: CreateTask, key: str, due_hour: int, zone: ZoneInfo) -> dict[str, str]:
    properties = {
        key: one.key,  # also as a property: its echo is how the answer is joined
        SUBJECT: one.subject,
        BODY: rich_text(one.body),
        DUE: due_stamp(one.due, due_hour, zone),
        PRIORITY: one.priority.upper(),
        STATUS: "NOT_STARTED",
        "hs_task_type": "TODO",
    }
    return properties | ({OWNER: one.owner_id} if one.owner_id else {})


def _deleted(client: Client, key: str, keys: Sequence[str]) -> dict[str, Record]:
    """Our tasks that somebody deleted, by key.

    A deleted record gives its unique value free, so it is not found by it; only the list of deleted tasks
    shows it.
    """
    found: dict[str, Record] = {}
    if not keys:
        return found
    for page, records in enumerate(list_archived(client, TASKS, [key]), 1):
        found |= {str(r.properties[key]): r for r in records if r.properties.get(key) in keys}
        if len(found) == len(keys):
            break
        if page == DELETED_PAGES:
            log.warning("hubspot has more deleted tasks than are looked through", pages=page)
            break
    return found


def _untied(
    client: Client, destination: Destination, there: Mapping[str, Record], made: Mapping[str, Outcome]
) -> dict[str, str]:
    """Task ids, by key, that have to be tied to a company: new tasks, and old ones that have none."""
    tied = associated(client, TASKS, destination.object, [record.id for record in there.values()])
    return {
        name: one.record_id
        for name, one in made.items()
        if one.status == "applied" and one.record_id and not tied.get(one.record_id)
    }


def _with_history(
    client: Client, operations: Iterable[UpdateTask | CloseTask], key: str, watched: Sequence[str]
) -> dict[str, Record]:
    return read_batch(client, TASKS, [one.task_id for one in operations], [STATUS], history=[key, *watched])


def _still_ours(record: Record | None, key: str, watched: Sequence[str], statuses: frozenset[str]) -> bool:
    """Whether the task is in one of the statuses and no watched property was last set by somebody else.

    We are whoever set the key.
    """
    if record is None or record.properties.get(STATUS) not in statuses:
        return False
    us = _author(record, key)
    authors = {_author(record, name) for name in watched if record.history.get(name)}
    return us is None or authors <= {us}


def _author(record: Record, name: str) -> tuple[str, str] | None:
    history = record.history.get(name)
    return (str(history[0].get("sourceType")), str(history[0].get("sourceId"))) if history else None


def _left_alone(operations: Iterable[UpdateTask | CloseTask]) -> dict[str, Outcome]:
    return {one.key: Outcome(one.key, "applied", record_id=one.task_id, code=LEFT_ALONE) for one in operations}


def _no_company(key: str) -> Outcome:
    return Outcome(
        key, "rejected", code="OBJECT_NOT_FOUND", reason="the company may be deleted or not exist", stale_record=True
    )


def _race_lost(outcome: Outcome) -> Outcome:
    """Somebody made this key at the same moment: the next attempt finds it."""
    return replace(outcome, status="retry") if outcome.code == "UNIQUE_VALUE" else outcome


def _tie_later(outcome: Outcome) -> Outcome:
    return outcome if outcome.status != "applied" else Outcome(outcome.key, "retry", outcome.record_id, "not_tied")
