"""What of ours the portal has: tasks with a key of ours, and deleted records with an account id of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile

from connectors.base import DeletedRecord, Destination, OurTask
from connectors.hubspot import search
from connectors.hubspot.associations import associated
from connectors.hubspot.client import Client
from connectors.hubspot.describe import TASKS, Schema
from connectors.hubspot.match import OWNER
from connectors.hubspot.read_back import COMPLETED_AT, completed_at, moment, task_status
from connectors.hubspot.records import Record, list_archived, read_batch
from connectors.hubspot.tasks import STATUS, authors

CREATED = "hs_createdate"
COMPLETED = "COMPLETED"


def our_tasks(
    client: Client, schema: Schema, destination: Destination, starts_with: str, newest: int | None
) -> list[OurTask]:
    """Every task with such a key, the last created first; deleted ones only without ``newest``.

    For 1,000 tasks: five searches, one call for their companies, one per 50 completed tasks for who completed them, and
    one per 100 deleted tasks of the portal (5,000 at most). The start of a key is compared here: the operator
    CONTAINS_TOKEN finds words, and HubSpot does not document where a word ends. Search does not find a task in its
    first seconds: https://developers.hubspot.com/docs/guides/api/crm/search
    """
    key = key_property(schema, destination)
    if not key:
        return []
    living = _living(client, key, starts_with, newest)
    gone = {} if newest is not None else {one.id: one for one in _archived(client, key, starts_with)}
    living = [one for one in living if one.id not in gone]  # deleted after the search found it
    companies = associated(client, TASKS, destination.object, [one.id for one in living])
    completed = [one.id for one in living if task_status(one) == "completed"]
    histories = read_batch(client, TASKS, completed, [], history=[key, STATUS])
    tasks = [_our_task(one, key, companies.get(one.id, ()), histories.get(one.id)) for one in living]
    tasks += [_deleted_task(one, key) for one in gone.values()]
    return sorted(tasks, key=lambda one: (one.created_at, int(one.task_id)), reverse=True)


def deleted_records(client: Client, destination: Destination) -> list[DeletedRecord]:
    """Archived records with an account id: one call per 100 archived ones of the portal, 5,000 at most.

    Their account ids are free again, so other records may have them. A merged record is not archived: its id finds the
    survivor (https://developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies).
    """
    field = destination.match_field
    return [
        DeletedRecord(record.id, str(record.properties[field]))
        for page in list_archived(client, destination.object, [field])
        for record in page
        if record.properties.get(field)
    ]


def key_property(schema: Schema, destination: Destination) -> str:
    """The property of tasks that has our keys; empty where there is none."""
    name = destination.tasks.key_field if destination.tasks else ""
    return name if name and name in schema.fields(TASKS) else ""


def _living(client: Client, key: str, starts_with: str, newest: int | None) -> list[Record]:
    properties = [key, STATUS, OWNER, COMPLETED_AT, CREATED]
    filters = [search.present(key)]
    if newest is None:
        return [one for one in search.every(client, TASKS, filters, properties) if _has_key(one, key, starts_with)]
    found = search.last_first(client, TASKS, filters, properties, CREATED)
    return list(islice((one for one in found if _has_key(one, key, starts_with)), newest))


def _archived(client: Client, key: str, starts_with: str) -> Iterator[Record]:
    for page in list_archived(client, TASKS, [key, OWNER, CREATED]):
        yield from (one for one in page if _has_key(one, key, starts_with))


def _has_key(record: Record, key: str, starts_with: str) -> bool:
    held = record.properties.get(key) or ""
    return bool(held) and held.lower().startswith(starts_with.lower())


def _our_task(record: Record, key: str, companies: Sequence[str], history: Record | None) -> OurTask:
    return OurTask(
        key=str(record.properties[key]),
        task_id=record.id,
        record_ids=tuple(companies),
        status=task_status(record),
        owner_id=record.properties.get(OWNER) or None,
        created_at=moment(str(record.properties[CREATED])),
        completed_at=completed_at(record),
        completed_by_us=_completed_by_us(history, key) if history else None,
    )


def _deleted_task(record: Record, key: str) -> OurTask:
    """HubSpot does not show the companies of a deleted task."""
    return OurTask(
        key=str(record.properties[key]),
        task_id=record.id,
        record_ids=(),
        status="deleted",
        owner_id=record.properties.get(OWNER) or None,
        created_at=moment(str(record.properties[CREATED])),
    )


def _completed_by_us(history: Record, key: str) -> bool | None:
    """Whether the app that wrote the key set the status that the task has had since it was completed."""
    since = list(takewhile(_is_completed, history.history.get(STATUS) or ()))
    us = authors(history, key)[:1]
    return authors(history, STATUS)[len(since) - 1] == us[0] if since and us else None


def _is_completed(entry: Mapping[str, object]) -> bool:
    return entry.get("value") == COMPLETED
