"""How a CRM task is kept from being made twice in this portal, and what that promises.

| mode | needs | promise |
|---|---|---|
| ``unique`` | the key property keeps values unique | one task per key for ever, whoever else makes tasks |
| ``looked_for`` | the key property, as a plain one | one task per key, while one plgsync at a time delivers here |
| ``at_least_once`` | the operator's word for it | a task whose answer was lost may be made again |

Whether tasks take unique properties is not documented (https://developers.hubspot.com/docs/guides/api/crm/properties
names no objects), so setup tries, and the property itself tells which mode it is.
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

Mode = Literal["unique", "looked_for", "at_least_once"]

GIVEN_UP_AFTER_S = 100.0
"""HubSpot ends a request after this long (status 524 of its error handling page): then nothing more comes of it."""
ASKED_AT = "hubspot.tasks.asked_at"

PROMISES: Mapping[Mode, str] = {
    "unique": "",
    "looked_for": (
        "tasks have {key} as a plain property, not a unique one: each task is looked for before it is made, so there "
        "is one per key as long as one plgsync at a time delivers here"
    ),
    "at_least_once": (
        "tasks have no property {key}: tasks.at_least_once allows it, so a task whose answer is lost is made again"
    ),
}


class NoTaskKey(Exception):
    """Tasks cannot be made once for ever here; the message says what to do. Fields are not concerned."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The mode of this portal. ``key`` is the property that holds our key, empty where there is none."""

    mode: Mode
    key: str


def keeping(destination: Destination, schema: Schema) -> Keeping:
    """How tasks are kept from being made twice. Raises `NoTaskKey` when that is not possible and not waived."""
    if destination.tasks is None:
        raise NoTaskKey(f"{destination.name}: tasks are not configured (tasks.key_field in config/crm.yaml)")
    name = destination.tasks.key_field
    spec = schema.unique(TASKS, name)
    if spec is not None and spec.type == "string" and spec.writable:
        return Keeping("unique" if spec.unique else "looked_for", name)
    if destination.tasks.at_least_once:
        return Keeping("at_least_once", "")
    if spec is not None:
        raise NoTaskKey(f"HubSpot tasks have {name}, but it is no text we may write: archive it and run crm setup")
    raise NoTaskKey(
        f"HubSpot tasks have no property {name}, so a task could be made twice: run plgsync crm setup. Where the "
        "portal takes no property on tasks at all, tasks.at_least_once in config/crm.yaml accepts that"
    )


def promise(destination: Destination, kept: Keeping) -> str:
    """What the operator should know of a mode; empty for the one that holds always."""
    key = destination.tasks.key_field if destination.tasks else ""
    return PROMISES[kept.mode].format(key=key)


def find_made(
    client: Client, destination: Destination, kept: Keeping, operations: Sequence[CreateTask]
) -> dict[str, Record]:
    """The tasks of these operations that are there already, by key; read-consistent in both modes with a key."""
    wanted = [one.key for one in operations]
    if kept.mode == "unique":
        return read_batch(client, TASKS, wanted, [], id_property=kept.key)
    if kept.mode == "at_least_once":
        return {}
    # Search lags, but sees a task wherever somebody moved it; what it does not see yet stands with its company.
    found = _by_key(search.every(client, TASKS, [search.is_in(kept.key, wanted)], [kept.key]), kept.key, wanted)
    homes = {one.record_id for one in operations if one.key not in found}
    companies = {record.id for record in read_batch(client, destination.object, homes, ["hs_object_id"]).values()}
    theirs = associated(client, destination.object, TASKS, sorted(companies))
    ids = [task_id for tasks in theirs.values() for task_id in tasks]
    there = read_batch(client, TASKS, ids, [kept.key])
    return _by_key(there.values(), kept.key, wanted) | found


def _by_key(records: Iterable[Record], key: str, wanted: Sequence[str]) -> dict[str, Record]:
    """Should there be two with one key, the older is the one."""
    named = [record for record in records if record.properties.get(key) in wanted]
    return {str(record.properties[key]): record for record in sorted(named, key=lambda one: -int(one.id))}


class Settling:
    """Remembers that tasks were asked for and no answer came: HubSpot may still be making them.

    Where nothing but looking keeps a task from being made twice, nothing is made again before HubSpot must have given
    up. With a ``journal`` a crash is survived too, and another process that delivers here at the same time: its answers
    do not end our waiting, nor ours its.
    """

    def __init__(self, journal: Journal | None, clock: Callable[[], float] = unix_time) -> None:
        self._journal = journal
        self._clock = clock
        self._here: str | None = None
        self._one_at_a_time = threading.Lock()

    def left(self) -> float:
        """Seconds until what was asked for without an answer is there or never will be."""
        return self._left(self._read())

    def ask(self, send: Callable[[], dict[str, Outcome]]) -> dict[str, Outcome]:
        """What ``send`` answers; unless that is an answer for each, `left` counts from now. One at a time."""
        with self._one_at_a_time:
            before, mark = self._read(), f"{self._clock()} {uuid4().hex}"
            self._keep(mark)
            try:
                outcomes = send()
            except CallFailed:
                self._settled(mark, before)  # nothing was applied
                raise
            if all(outcome.status != "unknown" for outcome in outcomes.values()):
                self._settled(mark, before)
            elif self._left(self._read()) < self._left(mark):
                self._keep(mark)  # whoever marked over it has its answer meanwhile
            return outcomes

    def _settled(self, mark: str, before: str | None) -> None:
        """Take our mark away and put back the one it was written over, whose asker may still be waiting."""
        if self._read() == mark:
            self._keep(before if self._left(before) else None)

    def _left(self, mark: str | None) -> float:
        try:
            waited = self._clock() - float((mark or "").partition(" ")[0])
        except ValueError:
            return 0.0
        return max(0.0, min(GIVEN_UP_AFTER_S - waited, GIVEN_UP_AFTER_S))

    def _read(self) -> str | None:
        return self._here if self._journal is None else self._journal.read(ASKED_AT)

    def _keep(self, mark: str | None) -> None:
        if self._journal is None:
            self._here = mark
        elif mark is None:
            self._journal.erase(ASKED_AT)
        else:
            self._journal.write(ASKED_AT, mark)
