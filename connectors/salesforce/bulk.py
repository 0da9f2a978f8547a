"""Bulk API 2.0: very many field updates as one job that outlives this process.

The job's id is stored before the upload, so that after a crash at any point the next process finds the job and reads
its state, instead of uploading the same data again.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/bulk_api_2_0_ingest.htm
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from connectors.base import CallFailed, Outcome, Unavailable, Underway, UpdateFields
from connectors.salesforce.bulk_csv import ID, MOST_ROWS, Cells, Row, Upload, cells_of, fitting, result_of, rows_of
from connectors.salesforce.bulk_journal import BulkJournal, Job
from connectors.salesforce.client import Client
from connectors.salesforce.errors import Forbidden, RequestRejected, Unanswered, outcome, redact
from connectors.salesforce.write import BATCH, postponed, postponed_by, update_fields

JOBS = "jobs/ingest"
OVER = ("JobComplete", "Failed")
POLL_SECONDS = 10.0
CALLS = 4
"""Write calls of a job: create, upload, close and delete."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobResults:
    """The outcomes of a finished job by key, and the operations without a result or with a lock (``open``).

    The job has results for ``total`` records; ``requested`` of them are in this call.
    """

    known: dict[str, Outcome]
    open: Sequence[UpdateFields]
    requested: int
    total: int


@dataclass(frozen=True, slots=True)
class BulkWriter:
    """Field updates of one org, by a job when there are at least ``bulk_from`` of them, else by Collections."""

    client: Client
    journal: BulkJournal
    account: str
    bulk_from: int

    def batch_size(self, waiting: int) -> int:
        """All waiting operations, up to the size of a job, if a job is running or is worth its calls and available."""
        many = (waiting >= self.bulk_from and not self.journal.suspended()) or self.journal.job() is not None
        return max(self._load, min(waiting, MOST_ROWS)) if many else self._load

    @property
    def _load(self) -> int:
        """The records in one Collections call."""
        return BATCH * self.client.packed

    def write(self, operations: Sequence[UpdateFields]) -> list[Outcome]:
        """One outcome per operation, in order. Raises `Underway` while Salesforce works on a job, and `CallFailed`."""
        job = self.journal.job()
        if job is None:
            return self._start(operations)
        state = self._state(job.id)
        if state == "Open" and job.stage == "uploaded":
            raise self._close(job.id)
        results = self._results(job.id, operations) if state in OVER else None
        if results is not None:
            return self._finish(job, state, operations, results)
        self._give_up(job.id, state)
        return self._start(operations)

    def _finish(self, job: Job, state: str, operations: Sequence[UpdateFields], results: JobResults) -> list[Outcome]:
        """Write what a finished job leaves open, and forget the job once all its results are reported.

        Until then other operations are sent by Collections if one call carries them; otherwise they wait, because those
        of the job are due soon. If the process dies before the outcomes are stored, the same values are sent again,
        which does no harm. The rest of a failed job is sent by Collections, so that each record gets its own result.
        """
        if state != "JobComplete":
            self.journal.suspend()
        job, known, left = self.journal.report(job, results.requested), results.known, results.open
        over = job.reported >= results.total or self.journal.expired(job)
        if not over and not results.requested and len(left) > self._load:
            raise _underway(job.id)
        if state == "JobComplete" and len(self._rows(left)) >= self.bulk_from and (over or results.requested):
            known |= postponed(left, "NOT_SENT", "sent by another job")
        elif left:
            known |= self._with_known(known, left)
        if over:
            self._forget(job.id)
        return [known[op.key] for op in operations]

    def _with_known(self, known: Mapping[str, Outcome], left: Sequence[UpdateFields]) -> dict[str, Outcome]:
        """Send the rest by Collections. Raises `CallFailed` only if there are no known outcomes."""
        try:
            return {one.key: one for one in self._by_collections(left)}
        except CallFailed as error:
            if not known:
                raise
            return postponed_by(left, error)

    def _by_collections(self, operations: Sequence[UpdateFields]) -> list[Outcome]:
        """Send what one call carries; the rest waits for the next call: no write outlasts its caller's lease."""
        now, rest = operations[: self._load], operations[self._load :]
        return [
            *update_fields(self.client, now, self.account),
            *postponed(rest, "NOT_SENT", "sent by the next call").values(),
        ]

    # ------------------------------------------------------------------ a new job

    def _start(self, operations: Sequence[UpdateFields]) -> list[Outcome]:
        rows = fitting(self._rows(operations))
        if len(rows) < self.bulk_from <= len(operations):  # too many rows that a CSV cannot carry
            self.journal.suspend()
        if len(rows) < self.bulk_from or self.journal.suspended():
            return self._by_collections(operations)
        try:
            job = self._create()
        except (RequestRejected, Forbidden) as error:  # no Bulk API for this user, or none left today
            return self._without_bulk(error, operations)
        self.journal.created(job)
        try:
            self._upload(job, rows)
        except RequestRejected as rejected:
            self._give_up(job, "Open")
            return self._without_bulk(rejected, operations)
        self.journal.uploaded(job)
        log.info("salesforce_bulk_uploaded", job=job, rows=len(rows))
        raise self._close(job)

    def _without_bulk(self, error: CallFailed, operations: Sequence[UpdateFields]) -> list[Outcome]:
        log.warning("salesforce_bulk_rejected", reason=str(error))
        self.journal.suspend()
        return self._by_collections(operations)

    def _create(self) -> str:
        body = {
            "object": self.account,
            "operation": "update",
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        try:
            return str(self.client.write("POST", JOBS, body)["id"])
        except Unanswered as error:  # a job without data does nothing, and Salesforce ends it after a day
            raise Unavailable(str(error), POLL_SECONDS) from None

    def _upload(self, job: str, rows: Mapping[str, Cells]) -> None:
        try:
            self.client.upload(f"{JOBS}/{job}/batches", Upload(rows))
        except Unanswered as error:  # whether or not it arrived, nothing happens before UploadComplete
            raise Unavailable(str(error), POLL_SECONDS) from None

    def _close(self, job: str) -> Underway:
        """Let Salesforce start the job. Without an answer, the next read of the job shows whether it has."""
        try:
            self.client.write("PATCH", f"{JOBS}/{job}", {"state": "UploadComplete"})
        except Unanswered as error:
            log.info("salesforce_bulk_unanswered", job=job, reason=str(error))
        except RequestRejected as rejected:
            log.warning("salesforce_bulk_rejected", job=job, reason=str(rejected))
            self.journal.suspend()
            self._give_up(job, "Open")
        return _underway(job)

    def _rows(self, operations: Sequence[UpdateFields]) -> dict[str, Cells]:
        """The operations that a job on our object can carry, by record id."""
        ours = [op for op in operations if op.object in ("account", self.account)]
        return {op.record_id: cells for op in ours if (cells := cells_of(op)) is not None}

    # ------------------------------------------------------------------ an existing job

    def _state(self, job: str) -> str:
        """The state of a job, empty when it is gone. Raises `Underway` while Salesforce works on it."""
        try:
            answer = self.client.read("GET", f"{JOBS}/{job}")
        except RequestRejected:
            return ""
        except Unavailable as error:
            raise Underway(f"bulk job {job}: {error}", error.retry_after) from None
        state = str(answer.get("state"))
        if state in ("UploadComplete", "InProgress"):
            raise _underway(job)
        if answer.get("errorMessage"):
            log.warning("salesforce_bulk_failed", job=job, reason=redact(str(answer["errorMessage"])))
        return state

    def _results(self, job: str, operations: Sequence[UpdateFields]) -> JobResults | None:
        """The results of a finished job for these operations. None when they are gone, after seven days.

        Records that a failed job did not process are in neither file.
        """
        try:
            applied = rows_of(self.client.read_bytes(f"{JOBS}/{job}/successfulResults"))
            failed = rows_of(self.client.read_bytes(f"{JOBS}/{job}/failedResults"))
        except RequestRejected:
            return None
        known: dict[str, Outcome] = {}
        left: list[UpdateFields] = []
        for op in operations:
            result = _outcome(op, cells_of(op), applied, failed)
            if result is None:
                left.append(op)
            else:
                known[op.key] = result
        records = applied.keys() | failed.keys()
        log.info("salesforce_bulk_results", job=job, applied=len(applied), failed=len(failed), open=len(left))
        return JobResults(known, left, sum(op.record_id in records for op in operations), len(records))

    def _give_up(self, job: str, state: str) -> None:
        """Make sure that an abandoned job changes nothing any more, and forget it."""
        log.warning("salesforce_bulk_given_up", job=job, state=state or "gone")
        if state == "Open":
            try:
                self.client.write("PATCH", f"{JOBS}/{job}", {"state": "Aborted"})
            except (RequestRejected, Unanswered):  # Salesforce may just have started it: the next read will show
                raise _underway(job) from None
        self._forget(job)

    def _forget(self, job: str) -> None:
        """Erase first: a job that is not deleted does no harm; one that is gone but not erased would be repeated."""
        self.journal.forget()
        with contextlib.suppress(CallFailed, Unanswered):
            self.client.write("DELETE", f"{JOBS}/{job}", None)


def _outcome(
    op: UpdateFields, cells: Cells | None, applied: Mapping[str, Row], failed: Mapping[str, Row]
) -> Outcome | None:
    """The outcome of an operation in a job's results; None unless they have exactly its cells."""
    success, failure = applied.get(op.record_id), failed.get(op.record_id)
    if cells is None:
        return None
    if success and success.cells == cells:
        return Outcome(key=op.key, status="applied", record_id=op.record_id)
    if failure and failure.cells == cells:
        found, consequence = outcome(op.key, result_of(failure.error), {ID: op.record_id, **op.values})
        return None if consequence == "resend" else found
    return None


def _underway(job: str) -> Underway:
    return Underway(f"Salesforce works on bulk job {job}", POLL_SECONDS)
