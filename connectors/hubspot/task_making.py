"""Creates CRM tasks: searches for existing and deleted ones, creates the others, then associates company and person.

The keys are read first, because an upsert of an existing task would overwrite what a person changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from connectors.base import ALREADY_CLOSED, ALREADY_THERE, CallFailed, CreateTask, Destination, Outcome, Underway
from connectors.hubspot.associations import associate, associated, company_association
from connectors.hubspot.batch import Input, not_sent, write_batch
from connectors.hubspot.client import Client
from connectors.hubspot.describe import TASKS
from connectors.hubspot.match import OWNER
from connectors.hubspot.people import CONTACTS
from connectors.hubspot.portal import Portal
from connectors.hubspot.records import Record, list_archived, read_batch
from connectors.hubspot.task_keys import LostAnswerCooldown, TaskKey, find_existing
from connectors.hubspot.tasks import COMPLETED, STATUS, task_properties
from connectors.hubspot.write import race_lost

log = structlog.get_logger(__name__)

OWNER_UNKNOWN = "INVALID_OWNER_ID"


@dataclass(frozen=True, slots=True)
class TaskMaker:
    """Creates tasks in one portal, in the mode that it allows."""

    client: Client
    destination: Destination
    task_key: TaskKey
    cooldown: LostAnswerCooldown
    portal: Portal

    def make(self, operations: Sequence[CreateTask]) -> dict[str, Outcome]:
        """Create the missing tasks and associate each with its company and person; one outcome per operation.

        Safe to repeat after a crash or lost answer, within the promise of `task_keys`: an existing task stays as it is,
        and only a missing association is added. Raises `Underway` while HubSpot may still be creating tasks.
        """
        existing = find_existing(self.client, self.destination, self.task_key, operations)
        deleted = self._deleted([one.key for one in operations if one.key not in existing])
        new = [one for one in operations if one.key not in existing and one.key not in deleted]
        if new and self.task_key.mode == "looked_for" and (wait_s := self.cooldown.remaining_s()):
            raise Underway("HubSpot did not answer the last request for tasks and may still be creating them", wait_s)
        homes = self._companies([one for one in operations if one.key not in deleted])
        created = self._send([one for one in new if one.key in homes], homes)
        answers = {
            name: Outcome(key=name, status="applied", record_id=record.id, code=ALREADY_CLOSED)
            for name, record in deleted.items()
        }
        answers |= {one.key: _no_company(one.key) for one in new if one.key not in homes}
        answers |= created | {
            name: Outcome(key=name, status="applied", record_id=record.id, code=_existing_code(record))
            for name, record in existing.items()
        }
        try:
            return answers | self._associate_missing(
                [one for one in operations if one.key not in deleted], existing, answers, homes
            )
        except CallFailed:
            if not created:
                raise
            # The tasks exist; the next write with the same keys adds only the associations.
            return answers | {name: _associate_later(outcome) for name, outcome in created.items()}

    def _deleted(self, keys: Sequence[str]) -> dict[str, Record]:
        """Our deleted tasks, by key.

        A deleted record releases its unique value, so it is found only in the list of deleted tasks.
        """
        found: dict[str, Record] = {}
        if not keys or not self.task_key.property:
            return found
        for records in list_archived(self.client, TASKS, [self.task_key.property]):
            found |= {
                str(key): record for record in records if (key := record.properties.get(self.task_key.property)) in keys
            }
            if len(found) == len(keys):
                break
        return found

    def _companies(self, operations: Sequence[CreateTask]) -> dict[str, str]:
        """The living company of each task, also after a merge, by key; a task whose company is gone is left out."""
        ids = [one.record_id for one in operations]
        companies = read_batch(self.client, self.destination.object, ids, ["hs_object_id"])
        return {one.key: companies[one.record_id].id for one in operations if one.record_id in companies}

    def _send(self, operations: Sequence[CreateTask], homes: Mapping[str, str]) -> dict[str, Outcome]:
        key, due_hour = self.task_key.property, self.destination.tasks.due_hour if self.destination.tasks else 0
        inputs = [
            Input(
                one.key,
                one.key,
                task_properties(one, key, due_hour, self.portal.zone),
                id_property=key,
                # A plain key is found through the company, so the task must never exist without it.
                associations=() if self.task_key.mode == "unique" else company_association(homes[one.key]),
            )
            for one in operations
        ]
        if not inputs:
            return {}
        if self.task_key.mode == "unique":
            outcomes = self._write("upsert", inputs)
            return {name: race_lost(outcome) for name, outcome in outcomes.items()}
        if self.task_key.mode == "looked_for":
            return self.cooldown.send(lambda: self._write("create", inputs))
        return self._send_one_by_one(inputs)

    def _send_one_by_one(self, inputs: Sequence[Input]) -> dict[str, Outcome]:
        """Without a key, nothing in an answer of several tasks identifies each task."""
        outcomes: dict[str, Outcome] = {}
        for one in inputs:
            try:
                outcomes |= self._write("create", [one])
            except CallFailed:
                if not outcomes:
                    raise
                break
        return {one.key: outcomes.get(one.key) or not_sent(one.key) for one in inputs}

    def _write(self, verb: str, inputs: Sequence[Input]) -> dict[str, Outcome]:
        """A task whose owner HubSpot no longer knows is created again, without an owner."""
        outcomes = write_batch(self.client, TASKS, verb, inputs)
        ownerless = {name for name, outcome in outcomes.items() if outcome.code == OWNER_UNKNOWN}
        again = [_unowned(one) for one in inputs if one.key in ownerless and OWNER in one.properties]
        if not again:
            return outcomes
        log.warning("hubspot no longer knows an owner, the tasks are created without one", tasks=len(again))
        try:
            return outcomes | write_batch(self.client, TASKS, verb, again)
        except CallFailed:
            return outcomes | {one.key: not_sent(one.key) for one in again}

    def _associate_missing(
        self,
        operations: Sequence[CreateTask],
        existing: Mapping[str, Record],
        answers: Mapping[str, Outcome],
        homes: Mapping[str, str],
    ) -> dict[str, Outcome]:
        """Add the missing associations, also to older tasks. A deleted person does not fail the task.

        Nor does a company that was deleted after the task was created: the task stays as it is.
        """
        tasks = {name: one.record_id for name, one in answers.items() if one.status == "applied" and one.record_id}
        applied = [one for one in operations if one.key in tasks]
        created_with_company = {
            one.key for one in applied if self.task_key.mode != "unique" and one.key not in existing
        }
        companies = {
            one.key: (tasks[one.key], homes[one.key])
            for one in applied
            if one.key not in created_with_company and one.key in homes
        }
        people = {one.key: (tasks[one.key], one.person_id) for one in applied if one.person_id}
        old = {record.id for record in existing.values()}
        outcomes = self._associate(self.destination.object, companies, old, optional=False)
        for name, outcome in self._associate(CONTACTS, people, old, optional=True).items():
            if name not in outcomes or outcomes[name].status == "applied":
                outcomes[name] = outcome
        return outcomes

    def _associate(
        self, other: str, pairs: Mapping[str, tuple[str, str]], old: Collection[str], *, optional: bool
    ) -> dict[str, Outcome]:
        linked = associated(self.client, TASKS, other, [task_id for task_id, _ in pairs.values() if task_id in old])
        missing = {name: pair for name, pair in pairs.items() if not linked.get(pair[0])}
        return associate(self.client, TASKS, other, missing, optional=optional)


def _existing_code(task: Record) -> str:
    return ALREADY_CLOSED if task.properties.get(STATUS) == COMPLETED else ALREADY_THERE


def _unowned(one: Input) -> Input:
    return replace(one, properties={name: value for name, value in one.properties.items() if name != OWNER})


def _no_company(key: str) -> Outcome:
    return Outcome(
        key=key,
        status="rejected",
        code="OBJECT_NOT_FOUND",
        reason="the company may be deleted or not exist",
        stale_record=True,
    )


def _associate_later(outcome: Outcome) -> Outcome:
    return (
        outcome
        if outcome.status != "applied"
        else Outcome(key=outcome.key, status="retry", record_id=outcome.record_id, code="not_associated")
    )
