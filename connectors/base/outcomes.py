"""An *outcome* is what the CRM answered for exactly one operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["applied", "rejected", "retry", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the CRM answered for one operation.

    ``unknown``: sent without an answer, so it may have been applied; reconciled by key before any
    re-create. ``stale_record``: the record we knew is gone, match again. ``reason`` is the CRM's own
    words with values and tokens removed. ``refused``: the fields a rejection is about where the others
    of the operation are written all the same; empty when nothing is.
    """

    key: str
    status: Status
    record_id: str | None = None
    code: str = ""
    reason: str = ""
    stale_record: bool = False
    refused: tuple[str, ...] = ()
