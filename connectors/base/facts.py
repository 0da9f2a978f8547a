"""The facts that reading back returns: deals, our tasks, and records that people changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connectors.base.fields import Scalar


@dataclass(frozen=True, slots=True)
class DealFact:
    """An opportunity or deal of a company record. Open means neither won nor lost; labels are never read."""

    id: str
    record_id: str
    open: bool
    won: bool
    amount: float | None = None
    deleted: bool = False


TaskStatus = Literal["open", "in_progress", "completed", "deleted"]


@dataclass(frozen=True, slots=True)
class TaskFact:
    """One CRM task of ours, by its key."""

    key: str
    task_id: str
    status: TaskStatus
    owner_id: str | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordFact:
    """A company record that changed: its owner and the current, canonical values of the fields asked for."""

    record_id: str
    owner_id: str | None
    values: Mapping[str, Scalar]
    deleted: bool = False


CrmFact = DealFact | TaskFact | RecordFact

Cursor = Mapping[str, str]
"""The position of reading back: one opaque text per stream; empty at the first read."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The facts that changed since a cursor, and the cursor to use next time once these are stored."""

    facts: Sequence[CrmFact]
    cursor: Cursor
