"""What in a CRM is ours: read to rebuild a local state that is lost or older than the CRM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.base.facts import TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OurTask:
    """One CRM task with a key in our key field, as the CRM shows it; also a deleted one that the CRM still has.

    ``record_ids`` are the company records that the task is on (leads or contacts where accounts are those), a merged
    record under the id of its survivor. Times are in UTC and of the CRM's clock. ``completed_by_us`` says of a
    completed task whether the one who created it (our user, our app) completed it; None: the CRM does not say.
    """

    key: str
    task_id: str
    record_ids: tuple[str, ...]
    status: TaskStatus
    owner_id: str | None
    created_at: datetime
    completed_at: datetime | None = None
    completed_by_us: bool | None = None


@dataclass(frozen=True, slots=True)
class DeletedRecord:
    """A record with an account id of ours that was deleted and that the CRM still has (recycle bin, archive).

    ``merged_into`` is the survivor where a merge deleted the record and the CRM says so.
    """

    record_id: str
    account_id: str
    merged_into: str | None = None


FieldWriters = Mapping[str, Mapping[str, bool | None]]
"""By record id and field: whether we wrote the value that the field holds now; None: the CRM does not say."""
