"""The result of a scheduled job: how a job keeps its lease, ends its slot, and how a failure is logged and stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from connectors.base import AccessDenied, QuotaExhausted, Unavailable
from worker.pipeline.compute import AsOfTooOld
from worker.pipeline.run import StalePlan
from worker.planning.guard import UnsafePlan
from worker.runtime.failures import describe_failure
from worker.signals.errors import SourceError, StaleData
from worker.store.engine import database_moment
from worker.store.errors import StoreError
from worker.store.job_results import record_job_result
from worker.store.lock import Busy
from worker.store.moments import InFuture, refuse_future
from worker.store.renewal import renewed
from worker.store.schedules import LONGEST_S, RENEW_EVERY_S, DueJob, fail, finish, release_slot, renew, start

log = structlog.get_logger()

_SAFE_MESSAGE = (
    *(UnsafePlan, StaleData, AsOfTooOld, InFuture, StalePlan, Busy),
    *(AccessDenied, QuotaExhausted, Unavailable, StoreError),
)
"""Errors whose message holds counts and the names of fields, files and CRMs; of the data one account id at the most."""

_OPERATOR_ACTS = (UnsafePlan, StaleData, SourceError, AsOfTooOld, InFuture, StoreError)


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


@contextmanager
def recording(engine: Engine, name: str, job: str) -> Iterator[JobResult]:
    """Store the result of some work under a name, also when the work raises."""
    result = JobResult()
    try:
        yield result
    except BaseException as error:
        result.due &= isinstance(error, Exception)  # the person who stops a job knows that it did not finish
        result.failed(error)
        raise
    finally:
        if result.due:  # where the database is away, the next tick notes that the job did not end
            with suppress(DBAPIError), engine.begin() as connection:
                record_job_result(connection, name, job, result.kind, result.problem)


@contextmanager
def finishing(engine: Engine, due: DueJob | None, job: str) -> Iterator[JobResult]:
    """Keep the lease of a job while it works, and finish its slot. The slot of a job that fails is due again later."""
    with recording(engine, due.schedule if due else job, job) as result:
        if due is None:
            yield result
            return
        try:
            with engine.begin() as connection:
                refuse_future("the slot", datetime.fromisoformat(due.slot), _clock_of(connection))
                result.due = start(connection, due)
            with renewed(engine, lambda one: renew(one, due), RENEW_EVERY_S, at_most_s=LONGEST_S[due.job]):
                yield result
        except Exception as error:
            note_failure(engine, due, error)
            raise
        except BaseException:  # the process is stopping: the next worker starts the job at once
            with engine.begin() as connection:
                release_slot(connection, due)
            raise
        with engine.begin() as connection:
            if result.due:
                finish(connection, due, trouble=result.trouble)
            else:
                release_slot(connection, due)


def _clock_of(connection: Connection) -> dict[str, datetime]:
    return {"the state database": database_moment(connection)}


def note_failure(engine: Engine, due: DueJob, error: Exception) -> None:
    """Log and store that a job failed; its slot is due again later.

    While the database is away nothing is stored: the lease of the job ends, and the next tick notes that.
    """
    what = describe_failure(error)
    log.error("job failed", schedule=due.schedule, slot=due.slot, job=due.job, error=type(error).__name__, what=what)
    with suppress(DBAPIError), engine.begin() as connection:
        fail(connection, due, what, lost_database=isinstance(error, DBAPIError) and error.connection_invalidated)


@contextmanager
def for_operator(result: JobResult, event: str) -> Iterator[None]:
    """An error on which an operator acts is logged and stored, and ends the work."""
    try:
        yield
    except _OPERATOR_ACTS as error:
        result.failed(error)
        log.error(event, reason=str(error), kind=type(error).__name__)
        result.trouble = f"{type(error).__name__}: {error}"
