"""How the connector avoids creating a CRM task twice in this portal, and what each mode promises.

| mode | requires | promise |
|---|---|---|
| ``unique`` | a key property with unique values | one task per key for ever, whatever other clients create |
| ``looked_for`` | a plain key property | one task per key, while one plgsync at a time delivers to the portal |
| ``at_least_once`` | the setting ``tasks.at_least_once`` | a task whose answer was lost may be created again |

HubSpot does not document whether tasks allow unique properties
(https://developers.hubspot.com/docs/guides/api/crm/properties names no objects). So setup tries, and the property that
results decides the mode.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from connectors.base import CallFailed, CreateTask, Destination, Journal, Outcome
from connectors.clock import unix_time
from connectors.hubspot import search
from connectors.hubspot.associations import associated
from connectors.hubspot.client import Client
from connectors.hubspot.describe import TASKS, Schema
from connectors.hubspot.records import Record, read_batch
from connectors.hubspot.tasks import STATUS

Mode = Literal["unique", "looked_for", "at_least_once"]

GIVEN_UP_AFTER_S = 100.0
"""HubSpot ends a request after this long (status 524 of its error handling page), and then creates nothing more."""
REQUESTED_AT = "hubspot.tasks.asked_at"

PROMISES: Mapping[Mode, str] = {
    "unique": "",
    "looked_for": (
        "tasks have {key} as a plain property, not a unique one: plgsync searches for each task before it creates it, "
        "so there is one per key as long as one plgsync at a time delivers here"
    ),
    "at_least_once": (
        "tasks have no property {key}: tasks.at_least_once allows that, so a task whose answer is lost is created again"
    ),
}


class NoTaskKey(Exception):
    """This portal cannot guarantee one task per key; the message says what to do. Fields are not affected."""


@dataclass(frozen=True, slots=True)
class TaskKey:
    """The mode of this portal. ``property`` has our key; it is empty where there is no such property."""

    mode: Mode
    property: str


def task_key(destination: Destination, schema: Schema) -> TaskKey:
    """The mode of this portal. Raises `NoTaskKey` when no mode is possible and the operator has not waived the key."""
    if destination.tasks is None:
        raise NoTaskKey(f"{destination.name}: tasks are not configured (tasks.key_field in config/crm.yaml)")
    name = destination.tasks.key_field
    spec = schema.unique(TASKS, name)
    if spec is not None and spec.type == "string" and spec.writable:
        return TaskKey("unique" if spec.unique else "looked_for", name)
    if destination.tasks.at_least_once:
        return TaskKey("at_least_once", "")
    if spec is not None:
        raise NoTaskKey(
            f"HubSpot tasks have {name}, but it is not a text that we may write: archive it and run crm setup"
        )
    raise NoTaskKey(
        f"HubSpot tasks have no property {name}, so a task could be created twice: run plgsync crm setup. Where the "
        "portal allows no property on tasks at all, tasks.at_least_once in config/crm.yaml accepts that"
    )


def promise(destination: Destination, mode: Mode) -> str:
    """What the operator should know of a mode; empty for ``unique``."""
    key = destination.tasks.key_field if destination.tasks else ""
    return PROMISES[mode].format(key=key)


def find_existing(
    client: Client, destination: Destination, task_key: TaskKey, operations: Sequence[CreateTask]
) -> dict[str, Record]:
    """The existing tasks of these operations, by key; strongly consistent in both modes with a key."""
    wanted = [one.key for one in operations]
    if task_key.mode == "unique":
        return read_batch(client, TASKS, wanted, [STATUS], id_property=task_key.property)
    if task_key.mode == "at_least_once":
        return {}
    # Search lags, but finds a task on any company; tasks that it does not find yet are on their own company.
    found = _by_key(
        search.every(client, TASKS, [search.is_in(task_key.property, wanted)], [task_key.property, STATUS]),
        task_key.property,
        wanted,
    )
    missing = {one.record_id for one in operations if one.key not in found}
    companies = {record.id for record in read_batch(client, destination.object, missing, ["hs_object_id"]).values()}
    theirs = associated(client, destination.object, TASKS, sorted(companies))
    ids = [task_id for tasks in theirs.values() for task_id in tasks]
    on_companies = read_batch(client, TASKS, ids, [task_key.property, STATUS])
    return _by_key(on_companies.values(), task_key.property, wanted) | found


def _by_key(records: Iterable[Record], key: str, wanted: Sequence[str]) -> dict[str, Record]:
    """Of two records with one key, the older one counts."""
    named = [record for record in records if record.properties.get(key) in wanted]
    return {str(record.properties[key]): record for record in sorted(named, key=lambda one: -int(one.id))}


class LostAnswerCooldown:
    """Blocks creation after a request for tasks without an answer: HubSpot may still be creating them.

    In the mode ``looked_for`` nothing is created again before HubSpot must have ended the request. With a ``journal``
    this also holds after a crash and beside another process that delivers here: an answer to one process does not end
    the cooldown of the other.
    """

    def __init__(self, journal: Journal | None, clock: Callable[[], float] = unix_time) -> None:
        self._journal = journal
        self._clock = clock
        self._mark: str | None = None
        self._lock = threading.Lock()

    def remaining_s(self) -> float:
        """Seconds until the tasks of an unanswered request exist or never will."""
        return self._remaining_s(self._read())

    def send(self, request: Callable[[], dict[str, Outcome]]) -> dict[str, Outcome]:
        """The outcomes of ``request``; starts the cooldown if any is unknown. One request at a time."""
        with self._lock:
            before, mark = self._read(), f"{self._clock()} {uuid4().hex}"
            self._store(mark)
            try:
                outcomes = request()
            except CallFailed:
                self._clear(mark, before)  # nothing was applied
                raise
            if all(outcome.status != "unknown" for outcome in outcomes.values()):
                self._clear(mark, before)
            elif self._remaining_s(self._read()) < self._remaining_s(mark):
                self._store(mark)  # the process that overwrote it has its answer by now
            return outcomes

    def _clear(self, mark: str, before: str | None) -> None:
        """Replace our mark by the one that it overwrote: the request of that mark may still be running."""
        if self._read() == mark:
            self._store(before if self._remaining_s(before) else None)

    def _remaining_s(self, mark: str | None) -> float:
        try:
            waited = self._clock() - float((mark or "").partition(" ")[0])
        except ValueError:
            return 0.0
        return max(0.0, min(GIVEN_UP_AFTER_S - waited, GIVEN_UP_AFTER_S))

    def _read(self) -> str | None:
        return self._mark if self._journal is None else self._journal.read(REQUESTED_AT)

    def _store(self, mark: str | None) -> None:
        if self._journal is None:
            self._mark = mark
        elif mark is None:
            self._journal.erase(REQUESTED_AT)
        else:
            self._journal.write(REQUESTED_AT, mark)
