"""Collections writes: 200 records per call, or five times 200; one outcome per record; locked ones are sent again."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import CallFailed, Operation, Outcome, Status, UpdateFields
from connectors.salesforce.client import NO_RULES, Client, Row
from connectors.salesforce.errors import RequestRejected, Unanswered, are_results, failure, outcome, wrong_address

BATCH = 200
LOCK_WAIT = (0.1, 0.4)
UPDATE = "composite/sobjects"


Entry = tuple[str, Row, str]
"""One record to send: the operation's key, the record, and the id of the record that Salesforce locks for it."""


def update_fields(client: Client, operations: Sequence[UpdateFields], account: str) -> list[Outcome]:
    """Update existing records by id; nothing is ever created. ``account`` is the CRM's name of our object."""
    types = {op.object: {"type": account if op.object == "account" else op.object} for op in operations}
    entries = [
        (op.key, {"attributes": types[op.object], "Id": op.record_id, **op.values}, op.record_id) for op in operations
    ]
    return send(client, "PATCH", UPDATE, entries)


def send(client: Client, method: str, path: str, entries: Sequence[Entry]) -> list[Outcome]:
    """One outcome per entry, in the order given.

    Records that met a lock are sent once more, alone. The records of a call without an answer are ``unknown``; those
    after it are not sent (``retry``). Raises `CallFailed` only if nothing can have been applied.
    """
    if not entries:
        return []
    sending = Sending(client, method, path, entries)
    locked = sending.all(_in_order(entries))
    if locked:
        time.sleep(random.uniform(*LOCK_WAIT))  # noqa: S311 - so that two clients do not collide again
        sending.all(locked)
    return [sending.outcomes[n] for n in range(len(entries))]


def postponed(operations: Iterable[Operation], code: str, reason: str) -> dict[str, Outcome]:
    """Outcomes of operations that were not sent, by key."""
    return {
        op.key: Outcome(
            key=op.key,
            status="retry",
            record_id=op.record_id if isinstance(op, UpdateFields) else None,
            code=code,
            reason=reason,
        )
        for op in operations
    }


def postponed_by(operations: Iterable[Operation], error: CallFailed) -> dict[str, Outcome]:
    """Outcomes of operations that were not sent because an earlier call failed, by key."""
    return postponed(operations, type(error).__name__, str(error))


def _in_order(entries: Sequence[Entry]) -> list[int]:
    """By object, then by locked record: fewer lock conflicts, and fewer calls."""
    order = sorted(range(len(entries)), key=[lock for _, _, lock in entries].__getitem__)
    types = [record["attributes"]["type"] for _, record, _ in entries]
    return order if types.count(types[0]) == len(types) else sorted(order, key=types.__getitem__)


BatchResult = list[Any] | CallFailed | Unanswered
"""The results of one batch, one per record, or why there are none."""


@dataclass(slots=True)
class Sending:
    """The entries of one write, and the known outcomes by the index of the entry."""

    client: Client
    method: str
    path: str
    entries: Sequence[Entry]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    stopped: tuple[str, str] | None = None
    """(code, reason) once a call has failed or has no answer: nothing more is sent."""

    def all(self, order: Sequence[int]) -> list[int]:
        """Send these entries, record their outcomes, and return those to send once more."""
        again: list[int] = []
        load = BATCH * self.client.packed
        for start in range(0, len(order), load):
            batches = [order[n : n + BATCH] for n in range(start, min(start + load, len(order)), BATCH)]
            again += self._together(batches) if len(batches) > 1 else self._one_by_one(batches)
        return [] if self.stopped else again

    def _one_by_one(self, batches: Iterable[Sequence[int]]) -> list[int]:
        again: list[int] = []
        for batch in batches:
            if self.stopped:
                self._record_all(batch, "retry", *self.stopped)
            elif batch:
                again += self._record(batch, self._answer(batch))
        return again

    def _together(self, batches: Sequence[Sequence[int]]) -> list[int]:
        """Send some batches in one call; a rejected batch does not affect the others."""
        if self.stopped:
            return self._one_by_one(batches)
        try:
            answers: Sequence[BatchResult] = self._composite(batches)
        except RequestRejected:  # Salesforce processed none of them
            return self._one_by_one(batches)
        except (CallFailed, Unanswered) as error:
            answers = [error] * len(batches)
        again: list[int] = []
        for batch, answer in sorted(zip(batches, answers, strict=True), key=lambda one: _rank(one[1])):
            again += self._record(batch, answer)
        return again

    def _composite(self, batches: Sequence[Sequence[int]]) -> list[BatchResult]:
        parts = [
            {
                "method": self.method,
                "url": f"{self.client.root}{self.path}",
                "httpHeaders": NO_RULES,
                "referenceId": f"b{n}",
                "body": self._body(batch),
            }
            for n, batch in enumerate(batches)
        ]
        answer = self.client.write("POST", "composite", {"allOrNone": False, "compositeRequest": parts})
        try:
            found = {
                part["referenceId"]: (part["httpStatusCode"], part["body"]) for part in answer["compositeResponse"]
            }
            return [_part(*found[f"b{n}"], len(batch)) for n, batch in enumerate(batches)]
        except (LookupError, TypeError):
            raise Unanswered("Salesforce's answer does not name every request") from None

    def _answer(self, batch: Sequence[int]) -> BatchResult:
        try:
            return _checked(self.client.write(self.method, self.path, self._body(batch)), len(batch))
        except (CallFailed, Unanswered) as error:
            return error

    def _body(self, batch: Sequence[int]) -> Row:
        return {"allOrNone": False, "records": [self.entries[n][1] for n in batch]}

    def _record(self, batch: Sequence[int], answer: BatchResult) -> list[int]:
        """Record what a batch's answer means, and return the entries to send once more."""
        if isinstance(answer, list):
            return self._record_results(batch, answer)
        if isinstance(answer, RequestRejected) and answer.status == 400 and answer.code:
            return self._split(batch, answer)
        if isinstance(answer, RequestRejected):  # not about a record
            answer = wrong_address(answer.status, answer.code, answer.reason)
        if isinstance(answer, Unanswered):
            self._record_all(batch, "unknown", "NO_ANSWER", str(answer))
            self.stopped = self.stopped or ("NOT_SENT", "an earlier call got no answer")
            return []
        if not self.outcomes:
            raise answer
        self.stopped = type(answer).__name__, str(answer)
        self._record_all(batch, "retry", *self.stopped)
        return []

    def _record_results(self, batch: Sequence[int], results: Sequence[Any]) -> list[int]:
        again = []
        entries, outcomes = self.entries, self.outcomes
        for n, result in zip(batch, results, strict=True):
            key, record, _ = entries[n]
            outcomes[n], consequence = outcome(key, result, record)
            if consequence == "resend":
                again.append(n)
        return again

    def _split(self, batch: Sequence[int], rejected: RequestRejected) -> list[int]:
        """A call was rejected because of one record: find that record, so that the others are written."""
        at_fault = {n for n in batch if _names(rejected, self.entries[n][1])}
        if not at_fault and _cannot_split(rejected, batch):
            at_fault = set(batch)
        result = {"success": False, "errors": [{"statusCode": rejected.code, "message": rejected.reason}]}
        for n in at_fault:
            key, record, _ = self.entries[n]
            self.outcomes[n], _ = outcome(key, result, record)
        rest = [n for n in batch if n not in at_fault]
        half = len(rest) if at_fault else len(rest) // 2
        return self._one_by_one((rest[:half], rest[half:]))

    def _record_all(self, which: Sequence[int], status: Status, code: str, reason: str) -> None:
        for n in which:
            key, record, _ = self.entries[n]
            self.outcomes[n] = Outcome(key=key, status=status, record_id=record.get("Id"), code=code, reason=reason)


def _part(status: int, body: object, count: int) -> BatchResult:
    """The results in one part of a composite answer; results may have status 400 here too."""
    try:
        return _checked(body, count) if status < 300 or are_results(body) else failure(status, body)
    except Unanswered as error:
        return error


def _rank(answer: BatchResult) -> int:
    """The order of recording: applied and possibly applied batches before failed ones, which must not hide them."""
    return 0 if isinstance(answer, list) else 1 if isinstance(answer, Unanswered) else 2


def _checked(results: object, count: int) -> list[Any]:
    if not isinstance(results, list) or len(results) != count:
        raise Unanswered("Salesforce answered with another number of results than records")
    return results


def _names(rejected: RequestRejected, record: Mapping[str, Any]) -> bool:
    """Whether the rejection names a column of this record: ``No such column 'X' on …``."""
    named = set(re.findall(r"\w+", rejected.reason)) - {"attributes", "Id"}
    return rejected.code.startswith("INVALID_FIELD") and not named.isdisjoint(record)


def _cannot_split(rejected: RequestRejected, batch: Sequence[int]) -> bool:
    return len(batch) == 1 or rejected.code == "INVALID_TYPE"
