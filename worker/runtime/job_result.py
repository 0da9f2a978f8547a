"""The result of a scheduled job, and how a failure is logged and stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from connectors.base import AccessDenied, QuotaExhausted, Unavailable
from worker.pipeline.compute import AsOfTooOld
from worker.pipeline.run import StalePlan
from worker.planning.guard import UnsafePlan
from worker.runtime.failures import describe_failure
from worker.signals.errors import SourceError, StaleData
from worker.store.errors import StoreError
from worker.store.lock import Busy
from worker.store.schedules import DueJob, fail

log = structlog.get_logger()

_SAFE_MESSAGE = (
    *(UnsafePlan, StaleData, AsOfTooOld, StalePlan, Busy),
    *(AccessDenied, QuotaExhausted, Unavailable, StoreError),
)
"""Errors whose message holds counts and the names of fields, files and CRMs; of the data one account id at the most."""

_OPERATOR_ACTS = (UnsafePlan, StaleData, SourceError, AsOfTooOld, StoreError)


@dataclass(slots=True)
class JobResult:
    """The result of a job, empty while all goes well.

    ``due`` is false when the job need not be done (another worker did it). ``kind`` names the error that ended the job,
    ``problem`` is its message. ``trouble`` says what a person has to look at although the job is done.
    """

    due: bool = True
    kind: str = ""
    problem: str = ""
    trouble: str = ""

    def failed(self, error: BaseException) -> None:
        """Keep the kind of an error, and its message unless that may hold values of the data."""
        names = (kind.__name__ for kind in type(error).__mro__ if kind in _SAFE_MESSAGE)
        self.kind = next(names, type(error).__name__)
        self.problem = str(error) if isinstance(error, _SAFE_MESSAGE) else ""


def note_failure(engine: Engine, due: DueJob, error: Exception) -> None:
    """Log and store that a job failed; its slot is due again later. A lost database connection stores nothing."""
    what = describe_failure(error)
    log.error("job failed", schedule=due.schedule, slot=due.slot, job=due.job, error=type(error).__name__, what=what)
    with suppress(DBAPIError), engine.begin() as connection:
        fail(connection, due, what)


@contextmanager
def for_operator(result: JobResult, event: str) -> Iterator[None]:
    """An error on which an operator acts is logged and stored, and ends the work."""
    try:
        yield
    except _OPERATOR_ACTS as error:
        result.failed(error)
        log.error(event, reason=str(error), kind=type(error).__name__)
        result.trouble = f"{type(error).__name__}: {error}"
