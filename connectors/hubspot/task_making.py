"""Making CRM tasks: looked for first, deleted ones included, then made, then tied to the company and the person.

Before anything is made the keys are looked up, because an upsert on its own would put back what a human changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from connectors.base import CallFailed, CreateTask, Destination, Outcome, Underway
from connectors.hubspot.associations import associate, associated, tie_to_company
from connectors.hubspot.batch import Input, not_sent, write_batch
from connectors.hubspot.client import Client
from connectors.hubspot.describe import TASKS
from connectors.hubspot.match import OWNER
from connectors.hubspot.people import CONTACTS
from connectors.hubspot.portal import Portal
from connectors.hubspot.records import Record, list_archived, read_batch
from connectors.hubspot.task_keys import Keeping, Settling, find_made
from connectors.hubspot.tasks import task_properties
from connectors.hubspot.write import race_lost

log = structlog.get_logger(__name__)

DELETED = "deleted"
OWNER_UNKNOWN = "INVALID_OWNER_ID"
DELETED_PAGES = 50
"""Of a hundred deleted tasks each: what fits into a few seconds of the rate window."""


@dataclass(frozen=True, slots=True)
class TaskMaker:
    """Makes tasks in one portal, in the mode that it allows."""

    client: Client
    destination: Destination
    kept: Keeping
    settling: Settling
    portal: Portal

    def make(self, operations: Sequence[CreateTask]) -> dict[str, Outcome]:
        """Make the tasks that do not exist yet and tie each to its company and person; one outcome per operation.

        Safe to repeat after any crash or lost answer, as far as `task_keys` promises: a task that is there is left as
        it is and only a missing tie is made good. Raises `Underway` while HubSpot may still be making some.
        """
        there = find_made(self.client, self.destination, self.kept, operations)
        deleted = self._deleted([one.key for one in operations if one.key not in there])
        new = [one for one in operations if one.key not in there and one.key not in deleted]
        if new and self.kept.mode == "looked_for" and (left := self.settling.left()):
            raise Underway("HubSpot gave no answer to the last tasks and may still be making them", left)
        homes = self._companies([one for one in operations if one.key not in deleted])
        made = self._send([one for one in new if one.key in homes], homes)
        answers = {name: Outcome(name, "applied", record.id, DELETED) for name, record in deleted.items()}
        answers |= {one.key: _no_company(one.key) for one in new if one.key not in homes}
        answers |= made | {name: Outcome(name, "applied", record.id) for name, record in there.items()}
        try:
            return answers | self._tie([one for one in operations if one.key not in deleted], there, answers, homes)
        except CallFailed:
            if not made:
                raise
            # The tasks are made; written again with the same keys, only the ties are.
            return answers | {name: _tie_later(outcome) for name, outcome in made.items()}

    def _deleted(self, keys: Sequence[str]) -> dict[str, Record]:
        """Our tasks that somebody deleted, by key.

        A deleted record gives its unique value free, so it is not found by it; only the list of deleted tasks
        shows it.
        """
        found: dict[str, Record] = {}
        if not keys or not self.kept.key:
            return found
        for page, records in enumerate(list_archived(self.client, TASKS, [self.kept.key]), 1):
            found |= {str(key): record for record in records if (key := record.properties.get(self.kept.key)) in keys}
            if len(found) == len(keys):
                break
            if page == DELETED_PAGES:
                log.warning("hubspot has more deleted tasks than are looked through", pages=page)
                break
        return found

    def _companies(self, operations: Sequence[CreateTask]) -> dict[str, str]:
        """The company of each task, the survivor of a merge, by key; none where it is gone."""
        ids = [one.record_id for one in operations]
        companies = read_batch(self.client, self.destination.object, ids, ["hs_object_id"])
        return {one.key: companies[one.record_id].id for one in operations if one.record_id in companies}

    def _send(self, operations: Sequence[CreateTask], homes: Mapping[str, str]) -> dict[str, Outcome]:
        key, due_hour = self.kept.key, self.destination.tasks.due_hour if self.destination.tasks else 0
        inputs = [
            Input(
                one.key,
                one.key,
                task_properties(one, key, due_hour, self.portal.zone),
                id_property=key,
                # A task that is looked for is found with its company: it must never stand without.
                ties=() if self.kept.mode == "unique" else tie_to_company(homes[one.key]),
            )
            for one in operations
        ]
        if not inputs:
            return {}
        if self.kept.mode == "unique":
            outcomes = self._write("upsert", inputs)
            return {name: race_lost(outcome) for name, outcome in outcomes.items()}
        if self.kept.mode == "looked_for":
            return self.settling.ask(lambda: self._write("create", inputs))
        return self._send_one_by_one(inputs)

    def _send_one_by_one(self, inputs: Sequence[Input]) -> dict[str, Outcome]:
        """Without a key nothing in an answer of many tells which task is which."""
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
        """An owner whom HubSpot knows no more does not cost the task: it is made once more, for nobody."""
        outcomes = write_batch(self.client, TASKS, verb, inputs)
        lost = {name for name, outcome in outcomes.items() if outcome.code == OWNER_UNKNOWN}
        again = [_unowned(one) for one in inputs if one.key in lost and OWNER in one.properties]
        if not again:
            return outcomes
        log.warning("hubspot does not know an owner any more, the tasks are made without", tasks=len(again))
        try:
            return outcomes | write_batch(self.client, TASKS, verb, again)
        except CallFailed:
            return outcomes | {one.key: not_sent(one.key) for one in again}

    def _tie(
        self,
        operations: Sequence[CreateTask],
        there: Mapping[str, Record],
        answers: Mapping[str, Outcome],
        homes: Mapping[str, str],
    ) -> dict[str, Outcome]:
        """Tie what is not tied yet, old tasks included. A person who is gone does not cost the task.

        Nor does a company that somebody deleted after the task was made: the task stays as it is.
        """
        tasks = {name: one.record_id for name, one in answers.items() if one.status == "applied" and one.record_id}
        placed = [one for one in operations if one.key in tasks]
        born_tied = {one.key for one in placed if self.kept.mode != "unique" and one.key not in there}
        companies = {
            one.key: (tasks[one.key], homes[one.key]) for one in placed if one.key not in born_tied and one.key in homes
        }
        people = {one.key: (tasks[one.key], one.person_id) for one in placed if one.person_id}
        old = {record.id for record in there.values()}
        outcomes = self._associate(self.destination.object, companies, old, optional=False)
        for name, outcome in self._associate(CONTACTS, people, old, optional=True).items():
            if name not in outcomes or outcomes[name].status == "applied":
                outcomes[name] = outcome
        return outcomes

    def _associate(
        self, other: str, pairs: Mapping[str, tuple[str, str]], old: Collection[str], *, optional: bool
    ) -> dict[str, Outcome]:
        has = associated(self.client, TASKS, other, [task_id for task_id, _ in pairs.values() if task_id in old])
        untied = {name: pair for name, pair in pairs.items() if not has.get(pair[0])}
        return associate(self.client, TASKS, other, untied, optional=optional)


def _unowned(one: Input) -> Input:
    return replace(one, properties={name: value for name, value in one.properties.items() if name != OWNER})


def _no_company(key: str) -> Outcome:
    return Outcome(
        key, "rejected", code="OBJECT_NOT_FOUND", reason="the company may be deleted or not exist", stale_record=True
    )


def _tie_later(outcome: Outcome) -> Outcome:
    return outcome if outcome.status != "applied" else Outcome(outcome.key, "retry", outcome.record_id, "not_tied")
