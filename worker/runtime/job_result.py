"""How a scheduled job ends, and that its end is kept and said."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from connectors.base import AccessDenied, QuotaExhausted, Unavailable
from worker.pipeline.compute import AsOfTooOld
from worker.pipeline.run import StalePlan
from worker.planning.guard import UnsafePlan
from worker.runtime.failures import describe_failure
from worker.signals.errors import StaleData
from worker.store.lock import Busy
from worker.store.schedules import DueJob, fail

log = structlog.get_logger()

_SAID = (UnsafePlan, StaleData, AsOfTooOld, StalePlan, Busy, AccessDenied, QuotaExhausted, Unavailable)
"""Errors whose words hold counts, names of fields and of CRMs, and never a value."""


@dataclass(slots=True)
class Ending:
    """How a job ends. ``wanted``: it has still to be done; ``kind`` and ``problem`` are empty when all went well.

    ``trouble`` is what a person has to look at although the job is done, in words.
    """

    wanted: bool = True
    kind: str = ""
    problem: str = ""
    trouble: str = ""

    def failed(self, error: BaseException) -> None:
        """Keep what went wrong; the words of an error that is not one of ours may hold values, and are left out."""
        self.kind = next((kind.__name__ for kind in type(error).__mro__ if kind in _SAID), type(error).__name__)
        self.problem = str(error) if isinstance(error, _SAID) else ""


def note_failure(engine: Engine, due: DueJob, error: Exception) -> None:
    """Say and keep that a job broke; its slot comes again. A database that is away only hears of it later."""
    what = describe_failure(error)
    log.error("job failed", schedule=due.schedule, slot=due.slot, job=due.job, error=type(error).__name__, what=what)
    with suppress(DBAPIError), engine.begin() as connection:
        fail(connection, due, what)
