"""The content of CRM tasks, and changes only to tasks that no person has changed."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from connectors.base import LEFT_ALONE, CloseTask, CreateTask, Outcome, UpdateTask
from connectors.hubspot.batch import Input, write_batch
from connectors.hubspot.client import Client
from connectors.hubspot.describe import TASKS
from connectors.hubspot.match import OWNER
from connectors.hubspot.records import Record, read_batch

STATUS = "hs_task_status"
COMPLETED = "COMPLETED"
SUBJECT = "hs_task_subject"
BODY = "hs_task_body"
DUE = "hs_timestamp"
PRIORITY = "hs_task_priority"
OPEN = frozenset({"NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED"})
UNTOUCHED = frozenset({"NOT_STARTED"})


def task_properties(one: CreateTask, key: str, due_hour: int, zone: ZoneInfo) -> dict[str, str]:
    """The properties of a new task; ``key`` is the property for our key, empty where there is none."""
    properties = {
        SUBJECT: one.subject,
        BODY: rich_text(one.body),
        DUE: due_stamp(one.due, due_hour, zone),
        PRIORITY: one.priority.upper(),
        STATUS: "NOT_STARTED",
        "hs_task_type": "TODO",
    }
    if key:
        properties[key] = one.key  # also where it is the address: the answer repeats it, which joins the result
    return properties | ({OWNER: one.owner_id} if one.owner_id else {})


def update_tasks(client: Client, operations: Sequence[UpdateTask], key: str) -> dict[str, Outcome]:
    """Set subject and body of tasks that no person has changed; the others stay as they are."""
    records = _with_history(client, operations, key, [SUBJECT, BODY])
    inputs = [
        Input(one.key, one.task_id, {SUBJECT: one.subject, BODY: rich_text(one.body)})
        for one in operations
        if _still_ours(records.get(one.task_id), key, [SUBJECT, BODY], OPEN)
    ]
    return _left_alone(operations) | write_batch(client, TASKS, "update", inputs)


def close_tasks(client: Client, operations: Sequence[CloseTask], key: str) -> dict[str, Outcome]:
    """Complete the tasks that no person has changed; the others stay as they are."""
    watched = [SUBJECT, BODY, STATUS, DUE, OWNER]
    records = _with_history(client, operations, key, watched)
    inputs = [
        Input(one.key, one.task_id, {STATUS: COMPLETED})
        for one in operations
        if _still_ours(records.get(one.task_id), key, watched, UNTOUCHED)
    ]
    return _left_alone(operations) | write_batch(client, TASKS, "update", inputs)


def rich_text(body: str) -> str:
    """Plain text as HubSpot's task notes show it: notes are HTML, which ignores line breaks."""
    return html.escape(body, quote=False).replace("\n", "<br>")


def due_stamp(due: date, hour: int, zone: ZoneInfo) -> str:
    """The due date at ``hour`` of the portal's day, as a UTC point in time."""
    return datetime.combine(due, time(hour), zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _with_history(
    client: Client, operations: Iterable[UpdateTask | CloseTask], key: str, watched: Sequence[str]
) -> dict[str, Record]:
    return read_batch(
        client, TASKS, [one.task_id for one in operations], [STATUS], history=[*filter(None, [key]), *watched]
    )


def _still_ours(record: Record | None, key: str, watched: Sequence[str], statuses: frozenset[str]) -> bool:
    """Whether the task has one of the statuses, and we were the last to set each watched property.

    We are the author of the key, or, where there is none, of the first subject.
    """
    if record is None or record.properties.get(STATUS) not in statuses:
        return False
    us = authors(record, key)[:1] if key else authors(record, SUBJECT)[-1:]
    latest = [authors(record, name)[0] for name in watched if record.history.get(name)]
    return not us or all(author == us[0] for author in latest)


def authors(record: Record, name: str) -> list[tuple[str, str]]:
    """The authors of a property's values, newest first: the type and the id of each source."""
    return [(str(one.get("sourceType")), str(one.get("sourceId"))) for one in record.history.get(name) or []]


def _left_alone(operations: Iterable[UpdateTask | CloseTask]) -> dict[str, Outcome]:
    return {
        one.key: Outcome(key=one.key, status="applied", record_id=one.task_id, code=LEFT_ALONE) for one in operations
    }
