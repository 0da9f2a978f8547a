"""Collections writes: 200 records a call, or five times 200; one outcome a record, only the unlucky sent again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random

from connectors.base import CallFailed, Outcome, Status, UpdateFields
from connectors.salesforce.client import NO_RULES, Client, Row
from connectors.salesforce.errors import Refused, Unanswered, are_results, failure, outcome

BATCH = 200
LOCK_WAIT = (0.1, 0.4)
UPDATE = "composite/sobjects"


class Entry(NamedTuple):
    """One record to send. Entries are sent in order of ``lock``, the record Salesforce will lock for it."""

    key: str
    record: Row
    lock: str


def update_fields(client: Client, operations: Sequence[UpdateFields], account: str) -> list[Outcome]:
    """Update existing records by id; nothing is ever created. ``account`` is the CRM's name of our object."""
    return send(client, "PATCH", UPDATE, [Entry(op.key, record_of(op, account), op.record_id) for op in operations])


def record_of(operation: UpdateFields, account: str) -> Row:
    """A field update as Collections take it."""
    kind = account if operation.object == "account" else operation.object
    return {"attributes": {"type": kind}, "Id": operation.record_id, **operation.values}


def send(client: Client, method: str, path: str, entries: Sequence[Entry]) -> list[Outcome]:
    """One outcome per entry, in the order given.

    Records that met a lock are sent once more, alone. A call without an answer leaves its records
    ``unknown`` and those behind it unsent (``retry``). Raises `CallFailed` only if nothing was sent before.
    """
    sending = Sending(client, method, path, entries)
    pending = sorted(range(len(entries)), key=lambda n: (entries[n].record["attributes"]["type"], entries[n].lock))

    def attempt() -> list[int]:
        nonlocal pending
        for n in pending:
            sending.outcomes.pop(n, None)
        pending = sending.all(pending)
        return pending

    Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_attempt(2),
        wait=wait_random(*LOCK_WAIT),
        retry_error_callback=lambda _: None,
    )(attempt)
    return [sending.outcomes[n] for n in range(len(entries))]


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
        # What is known is noted first, so that no failure can make it look as if nothing was sent.
        for batch, answer in sorted(zip(batches, answers, strict=True), key=lambda one: not isinstance(one[1], list)):
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
        return {"allOrNone": False, "records": [self.entries[n].record for n in batch]}

    def _settle(self, batch: Sequence[int], answer: Answer) -> list[int]:
        """Note what a batch's answer means, and return the entries worth sending once more."""
        if isinstance(answer, list):
            return self._note_results(batch, answer)
        if isinstance(answer, Refused):
            return self._apart(batch, answer)
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
        for n, result in zip(batch, results, strict=True):
            entry = self.entries[n]
            self.outcomes[n], consequence = outcome(entry.key, result, entry.record)
            if consequence == "resend":
                again.append(n)
        return again

    def _apart(self, batch: Sequence[int], refused: Refused) -> list[int]:
        """A whole call refused for what one record said: find that record, so that its neighbours go through."""
        guilty = {n for n in batch if _names(refused, self.entries[n].record)}
        if not guilty and _hopeless(refused, batch):
            guilty = set(batch)
        self._note(guilty, "rejected", refused.code, refused.reason)
        rest = [n for n in batch if n not in guilty]
        half = len(rest) if guilty else len(rest) // 2
        return self._one_by_one((rest[:half], rest[half:]))

    def _note(self, which: Sequence[int] | set[int], status: Status, code: str, reason: str) -> None:
        for n in which:
            self.outcomes[n] = Outcome(self.entries[n].key, status, self.entries[n].record.get("Id"), code, reason)


def _part(status: int, body: object, count: int) -> Answer:
    """What one part of a composite answer says to its batch; results may come with status 400 here too."""
    try:
        return _checked(body, count) if status < 300 or are_results(body) else failure(status, body)
    except Unanswered as error:
        return error


def _checked(results: object, count: int) -> list[Any]:
    if not isinstance(results, list) or len(results) != count:
        raise Unanswered("Salesforce answered with another number of results than records")
    return results


def _names(refused: Refused, record: Mapping[str, Any]) -> bool:
    """Whether the refusal names a column of this record: ``No such column 'X' on …``."""
    named = set(re.findall(r"\w+", refused.reason)) - {"attributes", "Id"}
    return refused.code.startswith("INVALID_FIELD") and not named.isdisjoint(record)


def _hopeless(refused: Refused, batch: Sequence[int]) -> bool:
    return len(batch) == 1 or refused.status in (404, 405) or refused.code == "INVALID_TYPE"
