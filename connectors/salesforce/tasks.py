"""CRM tasks, one per key: reads the keys first, then creates the missing tasks by the unique key field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from connectors.base import (
    ALREADY_CLOSED,
    ALREADY_THERE,
    LEFT_ALONE,
    CallFailed,
    CloseTask,
    CreateTask,
    Outcome,
    UpdateTask,
)
from connectors.salesforce.client import Client, Row
from connectors.salesforce.describe import Schema
from connectors.salesforce.soql import in_chunks, select
from connectors.salesforce.write import UPDATE, Entry, postponed_by, send

# https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_task.htm
SUBJECT_LENGTH = 255
BODY_LENGTH = 32_000
NOT_STARTED = "Not Started"
COMPLETED = "Completed"
LEAD, PEOPLE = "00Q", ("00Q", "003")  # prefixes of the ids of leads, and of leads and contacts
PRIORITIES = {"high": "High", "medium": "Normal", "low": "Low"}
STATE = ("Id", "Subject", "Description", "Status", "IsClosed", "IsDeleted", "CreatedById", "LastModifiedById")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TaskWriter:
    """Writes tasks of one org. ``key_field`` is External ID and Unique on Activity."""

    client: Client
    schema: Schema
    key_field: str

    def create(self, operations: Sequence[CreateTask]) -> list[Outcome]:
        """Create each task unless its key exists, open, closed or deleted; that counts as applied and stays as it is.

        Safe to call again after an ``unknown``. Two clients that create the same key at once end with one task.
        """
        found = self._existing([op.key for op in operations])
        missing = [op for op in operations if op.key.lower() not in found]
        made = {outcome.key: outcome for outcome in self._upsert(missing)}
        raced = [op for op in missing if self._lost_race(made[op.key])]
        if raced:
            made |= self._retry_raced(raced)
        return [made.get(op.key) or _already(op, found[op.key.lower()]) for op in operations]

    def update(self, operations: Sequence[UpdateTask]) -> list[Outcome]:
        """Set subject and body of open tasks that only we have changed; the others stay as they are."""
        return self._change(operations, {op.key: self._texts(op.subject, op.body) for op in operations})

    def close(self, operations: Sequence[CloseTask]) -> list[Outcome]:
        """Complete tasks that no person has started or changed; the others stay as they are."""
        status = self._closing_status() if operations else COMPLETED
        return self._change(operations, {op.key: {"Status": status} for op in operations})

    def _change(self, operations: Sequence[UpdateTask | CloseTask], values: Mapping[str, Row]) -> list[Outcome]:
        now = {row["Id"]: row for row in self._by_id([op.task_id for op in operations])}
        done: dict[str, Outcome] = {}
        entries: list[Entry] = []
        for op in operations:
            row = now.get(op.task_id)
            why = "deleted" if row is None else left_alone(row)
            changes = {name: value for name, value in values[op.key].items() if row and row.get(name) != value}
            if why or not changes:
                done[op.key] = Outcome(
                    key=op.key, status="applied", record_id=op.task_id, code=LEFT_ALONE if why else "", reason=why
                )
            else:
                record = {"attributes": {"type": "Task"}, "Id": op.task_id, **changes}
                entries.append((op.key, record, op.task_id))
        done |= {outcome.key: outcome for outcome in send(self.client, "PATCH", UPDATE, entries)}
        return [done[op.key] for op in operations]

    def _retry_raced(self, raced: Sequence[CreateTask]) -> dict[str, Outcome]:
        """Never raises `CallFailed`: other tasks of the same call may have been created."""
        try:
            found = self._existing([op.key for op in raced])
            again = [op for op in raced if op.key.lower() not in found]
            made = {outcome.key: outcome for outcome in self._upsert(again)}
        except CallFailed as error:
            return postponed_by(raced, error)
        return {op.key: made.get(op.key) or _already(op, found[op.key.lower()]) for op in raced}

    def _upsert(self, operations: Sequence[CreateTask]) -> list[Outcome]:
        """Create these tasks; one that is rejected with its owner or person is sent again without it.

        A task whose owner has left since the decision is then owned by the user that we are logged in as.
        """
        outcomes = self._send(operations)
        less = [(op, _without(op, outcome)) for op, outcome in zip(operations, outcomes, strict=True)]
        without = [op for _, op in less if op]
        if not without:
            return outcomes
        left = [was.owner_id for was, op in less if op and op.owner_id != was.owner_id]
        if left:
            log.warning("salesforce_task_without_owner", tasks=len(left), owners=sorted(set(map(str, left))))
        if len(left) < len(without):
            log.info("salesforce_task_without_person", tasks=len(without) - len(left))
        try:
            again = {outcome.key: outcome for outcome in self._upsert(without)}
        except CallFailed as error:
            again = postponed_by(without, error)
        return [again.get(outcome.key, outcome) for outcome in outcomes]

    def _send(self, operations: Sequence[CreateTask]) -> list[Outcome]:
        entries: list[Entry] = [(op.key, self._record(op), op.record_id) for op in operations]
        return send(self.client, "PATCH", f"{UPDATE}/Task/{self.key_field}", entries)

    def _record(self, op: CreateTask) -> Row:
        owner = {"OwnerId": op.owner_id} if op.owner_id else {}
        return {
            "attributes": {"type": "Task"},
            self.key_field: op.key,
            **_relations(op),
            "ActivityDate": op.due.isoformat(),
            "Priority": PRIORITIES[op.priority],
            **self._texts(op.subject, op.body),
            **owner,
        }

    @staticmethod
    def _texts(subject: str, body: str) -> Row:
        return {"Subject": _cut(" ".join(subject.split()), SUBJECT_LENGTH), "Description": _cut(body, BODY_LENGTH)}

    def _lost_race(self, outcome: Outcome) -> bool:
        """Another client created our key between our read and our write; an upsert reads, then inserts."""
        return outcome.code == "DUPLICATE_VALUE" and self.key_field in outcome.reason

    def _existing(self, keys: Iterable[str]) -> dict[str, Row]:
        """Tasks by key in lower case: Salesforce ignores case when it compares external ids."""
        start = select(("Id", "IsClosed", "IsDeleted", self.key_field), "Task", "WHERE", self.key_field, "IN ")
        rows = self.client.all_rows(in_chunks(start, keys), deleted=True)
        return {row[self.key_field].lower(): row for row in rows}

    def _by_id(self, ids: Iterable[str]) -> list[Row]:
        return self.client.all_rows(in_chunks(select(STATE, "Task", "WHERE Id IN "), ids), deleted=True)

    def _closing_status(self) -> str:
        """The org's closed status: ``Completed`` unless its picklist was renamed or translated."""
        status = self.schema.fields("Task").get("Status")
        if status is None or not status.options or COMPLETED in status.options:
            return COMPLETED
        rows = self.client.rows("SELECT ApiName FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder LIMIT 1")
        return str(rows[0]["ApiName"]) if rows else COMPLETED


def _already(op: CreateTask, task: Row) -> Outcome:
    code = ALREADY_CLOSED if task["IsClosed"] or task["IsDeleted"] else ALREADY_THERE
    return Outcome(key=op.key, status="applied", record_id=task["Id"], code=code)


def _relations(op: CreateTask) -> Row:
    """The record and the person of a task. A task on a lead allows no WhatId.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_task.htm
    """
    if op.record_id.startswith(PEOPLE):
        return {"WhoId": op.record_id}
    beside = op.person_id and not op.person_id.startswith(LEAD)
    return {"WhatId": op.record_id, "WhoId": op.person_id} if beside else {"WhatId": op.record_id}


def _without(op: CreateTask, outcome: Outcome) -> CreateTask | None:
    """A rejected task without its owner or person, if that may help; else None."""
    if op.owner_id and outcome.code == "INACTIVE_OWNER_OR_USER":
        return replace(op, owner_id=None)
    named = {"WhatId", "WhoId"} <= _relations(op).keys()  # not every rejection names its field
    return replace(op, person_id=None) if named and outcome.status == "rejected" else None


def left_alone(row: Row) -> str:
    """Why a task must stay as it is; empty while it is still as we created it."""
    if row["IsDeleted"]:
        return "deleted"
    if row["IsClosed"]:
        return "completed"
    return "a person has changed it" if touched(row) else ""


def touched(row: Row) -> bool:
    """Whether someone other than its creator was the last to change a task."""
    return bool(row["LastModifiedById"] != row["CreatedById"])


def _cut(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1].rstrip() + "…"
