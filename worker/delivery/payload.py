"""Operations as JSON, as the outbox stores them, and the hash of that JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any, Literal

from connectors.base import CloseTask, CreateRecord, CreateTask, Operation, UpdateFields, UpdateTask

Kind = Literal["record_create", "task_create", "task_update", "task_close", "fields"]
KINDS: tuple[Kind, ...] = ("record_create", "task_create", "task_update", "task_close", "fields")
"""In the order of delivery: records before the tasks that need them, and tasks before scores."""

NAMES: Mapping[Kind, str] = {
    "record_create": "new records",
    "task_create": "new tasks",
    "task_update": "changed tasks",
    "task_close": "closed tasks",
    "fields": "fields",
}

OPERATIONS: Mapping[str, type[Operation]] = {
    "record_create": CreateRecord,
    "task_create": CreateTask,
    "task_update": UpdateTask,
    "task_close": CloseTask,
    "fields": UpdateFields,
}


def payload_hash(payload: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of a payload: equal content, equal hash, in every process."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def to_payload(operation: Operation) -> dict[str, Any]:
    """The JSON form of an operation, without its key and record, which are columns of the outbox."""
    payload = asdict(operation)
    payload.pop("key")
    payload.pop("record_id", None)
    if isinstance(operation, CreateTask):
        payload["due"] = operation.due.isoformat()
    return payload


def to_operation(kind: str, key: str, record_id: str | None, payload: Mapping[str, Any]) -> Operation:
    """The operation of an outbox row; its key is the one that the CRM stores, or the row's own."""
    fields = dict(payload)
    if kind == "task_create":
        fields["due"] = date.fromisoformat(payload["due"])
    if kind in {"task_create", "fields"}:
        fields["record_id"] = record_id or ""
    return OPERATIONS[kind](key=key, **fields)
