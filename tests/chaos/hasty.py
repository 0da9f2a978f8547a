"""The control that loses: a worker that acknowledges a CRM task before it is sent."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from connectors.base import Outcome
from tests.chaos import inline
from worker.delivery import send
from worker.delivery.leases import Entry, claim
from worker.delivery.record_outcomes import record_outcomes


def _claim(engine: Engine, destination: str, kind: str, limit: int, **options: Any) -> list[Entry]:
    entries = claim(engine, destination, kind, limit, **options)
    if kind == "task_create":
        record_outcomes(engine, entries, [Outcome(key=entry.key, status="applied") for entry in entries])
    return entries


setattr(send, claim.__name__, _claim)

if __name__ == "__main__":
    inline.main()
