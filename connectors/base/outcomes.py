"""An *outcome* is what the CRM answered for exactly one operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["applied", "rejected", "retry", "unknown"]


ALREADY_THERE = "ALREADY_THERE"
"""The ``code`` of an applied creation of what was there already, by our key."""
ALREADY_CLOSED = "ALREADY_CLOSED"
"""The ``code`` of an applied creation of a task that is there already, by our key, and is completed or deleted."""
LEFT_ALONE = "left_alone"
"""The ``code`` of an applied change or close of a task that a person has touched: the task stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the CRM answered for one operation.

    ``unknown``: sent without an answer, so it may have been applied; the key reconciles it before anything is created
    again. ``stale_record``: the known record is gone, so the account must be matched again. ``reason`` is the CRM's
    message without values and tokens. ``rejected_fields``: the rejected fields where the CRM wrote the other fields of
    the operation; empty when it wrote none.
    """

    key: str
    status: Status
    record_id: str | None = None
    code: str = ""
    reason: str = ""
    stale_record: bool = False
    rejected_fields: tuple[str, ...] = ()
