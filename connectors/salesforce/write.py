"""Collections writes: 200 records a call, or five times 200; one outcome a record, only the unlucky sent again."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import CallFailed, Outcome, Status, UpdateFields
from connectors.salesforce.client import NO_RULES, Client, Row
from connectors.salesforce.errors import Refused, Unanswered, are_results, failure, outcome, wrong_address

BATCH = 200
LOCK_WAIT = (0.1, 0.4)
UPDATE = "composite/sobjects"


Entry = tuple[str, Row, str]
"""One record to send: the operation's key, the record, and the record Salesforce will lock for it."""


def update_fields(client: Client, operations: Sequence[UpdateFields], account: str) -> list[Outcome]:
    """Update existing records by id; nothing is ever created. ``account`` is the CRM's name of our object."""
    types = {op.object: {"type": account if op.object == "account" else op.object} for op in operations}
    entries = [
        (op.key, {"attributes": types[op.object], "Id": op.record_id, **op.values}, op.record_id) for op in operations
    ]
    return send(client, "PATCH", UPDATE, entries)


def send(client: Client, method: str, path: str, entries: Sequence[Entry]) -> list[Outcome]:
    """One outcome per entry, in the order given.

    Records that met a lock are sent once more, alone. A call without an answer leaves its records
    ``unknown`` and those behind it unsent (``retry``). Raises `CallFailed` only if nothing can have been applied.
    """
    if not entries:
        return []
    sending = Sending(client, method, path, entries)
    locked = sending.all(_in_order(entries))
    if locked:
        time.sleep(random.uniform(*LOCK_WAIT))  # noqa: S311 - so that two who met do not meet again
        sending.all(locked)
    return [sending.outcomes[n] for n in range(len(entries))]


def _in_order(entries: Sequence[Entry]) -> list[int]:
    """One object after the other, and by lock within each: so that few locks meet, and few chunks are needed."""
    order = sorted(range(len(entries)), key=[lock for _, _, lock in entries].__getitem__)
    types = [record["attributes"]["type"] for _, record, _ in entries]
    return order if types.count(types[0]) == len(types) else sorted(order, key=types.__getitem__)


Answer = list[Any] | CallFailed | Unanswered
"""What came of one batch: a result per record, or why there is none."""


@dataclass(slots=True)
class Sending:
    """Entries on their way, and the outcomes known so far by their number."""

    client: Client
    method: str
    path: str
    entries: Sequence[Entry]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    stopped: tuple[str, str] | None = None
    """Why nothing more is sent, once a call has failed or got no answer: a code and words."""

    def all(self, order: Sequence[int]) -> list[int]:
        """Send these entries, note their outcomes, and return those worth sending once more."""
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
                self._note(batch, "retry", *self.stopped)
            elif batch:
                again += self._settle(batch, self._answer(batch))
        return again

    def _together(self, batches: Sequence[Sequence[int]]) -> list[int]:
        """Send some batches in one call; what is refused of it costs nobody else."""
        if self.stopped:
            return self._one_by_one(batches)
        try:
            answers: Sequence[Answer] = self._composite(batches)
        except Refused:  # not one of them was looked at
            return self._one_by_one(batches)
        except (CallFailed, Unanswered) as error:
            answers = [error] * len(batches)
        again: list[int] = []
        for batch, answer in sorted(zip(batches, answers, strict=True), key=lambda one: _rank(one[1])):
            again += self._settle(batch, answer)
        return again

    def _composite(self, batches: Sequence[Sequence[int]]) -> list[Answer]:
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
        told = self.client.write("POST", "composite", {"allOrNone": False, "compositeRequest": parts})
        try:
            found = {part["referenceId"]: (part["httpStatusCode"], part["body"]) for part in told["compositeResponse"]}
            return [_part(*found[f"b{n}"], len(batch)) for n, batch in enumerate(batches)]
        except (LookupError, TypeError):
            raise Unanswered("Salesforce's answer does not name every request") from None

    def _answer(self, batch: Sequence[int]) -> Answer:
        try:
            return _checked(self.client.write(self.method, self.path, self._body(batch)), len(batch))
        except (CallFailed, Unanswered) as error:
            return error

    def _body(self, batch: Sequence[int]) -> Row:
        return {"allOrNone": False, "records": [self.entries[n][1] for n in batch]}

    def _settle(self, batch: Sequence[int], answer: Answer) -> list[int]:
        """Note what a batch's answer means, and return the entries worth sending once more."""
        if isinstance(answer, list):
            return self._note_results(batch, answer)
        if isinstance(answer, Refused) and answer.status == 400 and answer.code:
            return self._apart(batch, answer)
        if isinstance(answer, Refused):  # nothing that a record says
            answer = wrong_address(answer.status, answer.code, answer.reason)
        if isinstance(answer, Unanswered):
            self._note(batch, "unknown", "NO_ANSWER", str(answer))
            self.stopped = self.stopped or ("NOT_SENT", "an earlier call got no answer")
            return []
        if not self.outcomes:
            raise answer
        self.stopped = type(answer).__name__, str(answer)
        self._note(batch, "retry", *self.stopped)
        return []

    def _note_results(self, batch: Sequence[int], results: Sequence[Any]) -> list[int]:
        again = []
        entries, outcomes = self.entries, self.outcomes
        for n, result in zip(batch, results, strict=True):
            key, record, _ = entries[n]
            outcomes[n], consequence = outcome(key, result, record)
            if consequence == "resend":
                again.append(n)
        return again

    def _apart(self, batch: Sequence[int], refused: Refused) -> list[int]:
        """A whole call refused for what one record said: find that record, so that its neighbours go through."""
        guilty = {n for n in batch if _names(refused, self.entries[n][1])}
        if not guilty and _hopeless(refused, batch):
            guilty = set(batch)
        told = {"success": False, "errors": [{"statusCode": refused.code, "message": refused.reason}]}
        for n in guilty:
            key, record, _ = self.entries[n]
            self.outcomes[n], _ = outcome(key, told, record)
        rest = [n for n in batch if n not in guilty]
        half = len(rest) if guilty else len(rest) // 2
        return self._one_by_one((rest[:half], rest[half:]))

    def _note(self, which: Sequence[int], status: Status, code: str, reason: str) -> None:
        for n in which:
            key, record, _ = self.entries[n]
            self.outcomes[n] = Outcome(key, status, record.get("Id"), code, reason)


def _part(status: int, body: object, count: int) -> Answer:
    """What one part of a composite answer says to its batch; results may come with status 400 here too."""
    try:
        return _checked(body, count) if status < 300 or are_results(body) else failure(status, body)
    except Unanswered as error:
        return error


def _rank(answer: Answer) -> int:
    """What was or may have been applied is noted first: no failure makes it look as if nothing was sent."""
    return 0 if isinstance(answer, list) else 1 if isinstance(answer, Unanswered) else 2


def _checked(results: object, count: int) -> list[Any]:
    if not isinstance(results, list) or len(results) != count:
        raise Unanswered("Salesforce answered with another number of results than records")
    return results


def _names(refused: Refused, record: Mapping[str, Any]) -> bool:
    """Whether the refusal names a column of this record: ``No such column 'X' on …``."""
    named = set(re.findall(r"\w+", refused.reason)) - {"attributes", "Id"}
    return refused.code.startswith("INVALID_FIELD") and not named.isdisjoint(record)


def _hopeless(refused: Refused, batch: Sequence[int]) -> bool:
    return len(batch) == 1 or refused.code == "INVALID_TYPE"
