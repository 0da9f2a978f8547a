"""An *operation* is one intended write; its ``key`` stays the same whatever is replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from connectors.base.fields import Scalar


@dataclass(frozen=True, slots=True)
class UpdateFields:
    """Set fields of one existing company record. ``None`` clears a field. Never creates a record."""

    key: str
    object: str
    record_id: str
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class CreateRecord:
    """Create the record of one account, or use the one whose match field has the account's id already.

    ``values`` hold the match field. Safe to repeat: the match field is unique, so there is one record in the end.
    """

    key: str
    object: str
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTask:
    """Create one CRM task on a company record, once per ``key`` for ever, whatever is replayed.

    ``person_id`` names the human to talk to, where the CRM allows it beside the record.
    """

    key: str
    record_id: str
    subject: str
    body: str
    due: date
    priority: Literal["high", "medium", "low"]
    owner_id: str | None
    person_id: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """Set subject and body of an open task of ours; a task that a person closed stays as it is."""

    key: str
    task_id: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class CloseTask:
    """Complete a task of ours that no person has changed; a task in progress or closed stays as it is."""

    key: str
    task_id: str


Operation = UpdateFields | CreateRecord | CreateTask | UpdateTask | CloseTask
