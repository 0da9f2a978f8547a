"""Collections writes: 200 records a call, one outcome a record, only the unlucky ones sent again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random

from connectors.base import CallFailed, Outcome, UpdateFields
from connectors.salesforce.client import Client, Row
from connectors.salesforce.errors import Refused, Unanswered, outcome

BATCH = 200
LOCK_WAIT = (0.1, 0.4)
UPDATE = "composite/sobjects"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to send. Entries are sent in order of ``lock``, the record Salesforce will lock for it."""

    key: str
    record: Row
    lock: str


def update_fields(client: Client, operations: Sequence[UpdateFields], account: str) -> list[Outcome]:
    """Update existing records by id; nothing is ever created. ``account`` is the CRM's name of our object."""
    entries = [
        Entry(op.key, _record(account if op.object == "account" else op.object, op), op.record_id) for op in operations
    ]
    return send(client, "PATCH", UPDATE, entries)


def _record(object: str, operation: UpdateFields) -> Row:
    return {"attributes": {"type": object}, "Id": operation.record_id, **operation.values}


def send(client: Client, method: str, path: str, entries: Sequence[Entry]) -> list[Outcome]:
    """One outcome per entry, in the order given.

    Records that met a lock are sent once more, alone. A call without an answer leaves its records
    ``unknown`` and those behind it unsent (``retry``). Raises `CallFailed` only if nothing was sent before.
    """
    order = sorted(range(len(entries)), key=lambda n: (entries[n].record["attributes"]["type"], entries[n].lock))
    outcomes: dict[int, Outcome] = {}
    pending = order

    def attempt() -> list[int]:
        nonlocal pending
        for n in pending:
            outcomes.pop(n, None)
        pending = _send_all(client, method, path, entries, pending, outcomes)
        return pending

    Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_attempt(2),
        wait=wait_random(*LOCK_WAIT),
        retry_error_callback=lambda _: None,
    )(attempt)
    return [outcomes[n] for n in range(len(entries))]


def _send_all(
    client: Client, method: str, path: str, entries: Sequence[Entry], order: list[int], outcomes: dict[int, Outcome]
) -> list[int]:
    """Send these entries, note their outcomes, and return those worth sending once more."""
    again: list[int] = []
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        try:
            again += _send_batch(client, method, path, entries, batch, outcomes)
        except Unanswered as error:
            unknown = [n for n in batch if n not in outcomes]
            _note(outcomes, entries, unknown, "unknown", "NO_ANSWER", str(error))
            _note(outcomes, entries, order[start + BATCH :], "retry", "NOT_SENT", "an earlier call got no answer")
            return []
        except CallFailed as error:
            if not outcomes:
                raise
            rest = [n for n in order[start:] if n not in outcomes]
            _note(outcomes, entries, rest, "retry", type(error).__name__, str(error))
            return []
    return again


def _send_batch(
    client: Client, method: str, path: str, entries: Sequence[Entry], batch: list[int], outcomes: dict[int, Outcome]
) -> list[int]:
    try:
        results = client.write(method, path, {"allOrNone": False, "records": [entries[n].record for n in batch]})
    except Refused as refused:
        return _apart(client, method, path, entries, batch, outcomes, refused)
    if not isinstance(results, list) or len(results) != len(batch):
        raise Unanswered("Salesforce answered with another number of results than records")
    again = []
    for n, result in zip(batch, results, strict=True):
        outcomes[n], consequence = outcome(entries[n].key, result, entries[n].record)
        if consequence == "resend":
            again.append(n)
    return again


def _apart(
    client: Client,
    method: str,
    path: str,
    entries: Sequence[Entry],
    batch: list[int],
    outcomes: dict[int, Outcome],
    refused: Refused,
) -> list[int]:
    """A whole call refused for what one record said: find that record, so that its neighbours go through."""
    guilty = [n for n in batch if _names(refused, entries[n].record)] or (batch if _hopeless(refused, batch) else [])
    if guilty:
        _note(outcomes, entries, guilty, "rejected", refused.code, refused.reason)
        rest = [n for n in batch if n not in outcomes]
        return _send_batch(client, method, path, entries, rest, outcomes) if rest else []
    half = len(batch) // 2
    return [
        n for part in (batch[:half], batch[half:]) for n in _send_batch(client, method, path, entries, part, outcomes)
    ]


def _names(refused: Refused, record: Mapping[str, Any]) -> bool:
    """Whether the refusal names a column of this record: ``No such column 'X' on …``."""
    named = set(re.findall(r"\w+", refused.reason)) - {"attributes", "Id"}
    return refused.code.startswith("INVALID_FIELD") and not named.isdisjoint(record)


def _hopeless(refused: Refused, batch: list[int]) -> bool:
    return len(batch) == 1 or refused.status in (404, 405) or refused.code == "INVALID_TYPE"


def _note(
    outcomes: dict[int, Outcome], entries: Sequence[Entry], which: Sequence[int], status: Any, code: str, reason: str
) -> None:
    for n in which:
        outcomes[n] = Outcome(entries[n].key, status, entries[n].record.get("Id"), code, reason)
