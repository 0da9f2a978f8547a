"""The plan: what a run would write to which CRM record, field by field, and which tasks.

A plan is data. It is made from desired values and what the CRM showed or confirmed last, both in the
CRM's own precision; making it sends nothing and stores nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from connectors.base import Scalar
from worker.delivery.outbox import NewTask


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One CRM field: what it shows and what it should show. ``name`` is ours, ``field`` the CRM's."""

    name: str
    field: str
    old: Scalar
    new: Scalar


@dataclass(frozen=True, slots=True)
class RecordChange:
    """All changes of one record. ``parked``: exactly these values were refused before and are not sent again."""

    destination: str
    account_id: str
    record_id: str
    url: str
    changes: tuple[FieldChange, ...]
    parked: bool = False


@dataclass(frozen=True, slots=True)
class TaskChange:
    """One CRM task to create, update or close; ``record_id`` None waits until the account is matched."""

    destination: str
    kind: str
    key: str
    account_id: str
    record_id: str | None
    playbook_id: str
    payload: Mapping[str, Any]
    context: Mapping[str, Any]
    rank: float
    waiting_row: int | None = None

    def queued(self) -> NewTask:
        """The outbox form."""
        return NewTask(
            self.destination,
            self.kind,
            self.key,
            self.account_id,
            self.record_id,
            self.playbook_id,
            self.payload,
            self.rank,
            self.context,
        )


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An account without a record in one CRM; ``candidates`` are links to the records it might be."""

    destination: str
    account_id: str
    status: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A value we do not send because the CRM field cannot hold it."""

    destination: str
    account_id: str
    field: str
    reason: str


@dataclass(slots=True)
class Plan:
    """Everything one run would write, and what it cannot write and why.

    ``resumed``: made with playbooks let on in which far more accounts match than usual.
    """

    as_of: str
    config_version: str
    resumed: bool = False
    records: list[RecordChange] = field(default_factory=list)
    tasks: list[TaskChange] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    missing_fields: dict[str, list[str]] = field(default_factory=dict)
    skipped_open: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    known_records: dict[str, int] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Equal when data, settings and CRM state still lead to the same writes."""
        writes = {
            "as_of": self.as_of,
            "config": self.config_version,
            "resumed": self.resumed,
            "records": [asdict(change) for change in self.records],
            "tasks": [asdict(change) for change in self.tasks],
        }
        return hashlib.sha256(json.dumps(writes, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON, its fingerprint included."""
        return {**asdict(self), "fingerprint": self.fingerprint()}
