"""Bulk API 2.0: very many field updates as one job that outlives this process.

The job's id is kept before anything is uploaded, so that after a crash at any point the next process finds the job
and asks how it stands, instead of uploading the same again.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/bulk_api_2_0_ingest.htm
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from connectors.base import CallFailed, Outcome, Unavailable, Underway, UpdateFields
from connectors.salesforce.bulk_csv import ID, MOST_ROWS, Cells, Row, Upload, cells_of, fitting, result_of, rows_of
from connectors.salesforce.bulk_notes import UPLOADED, Job, Notes
from connectors.salesforce.client import Client
from connectors.salesforce.errors import Forbidden, Refused, Unanswered, outcome, redact
from connectors.salesforce.write import BATCH, update_fields

JOBS = "jobs/ingest"
OVER = ("JobComplete", "Failed")
POLL_SECONDS = 10.0
CALLS = 4
"""Write calls of a job: made, uploaded, closed and deleted."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """The outcomes a finished job gives, by key, and the operations it says nothing of or that met a lock.

    It holds results of ``held`` records, of which ``asked`` were asked for.
    """

    known: dict[str, Outcome]
    left: Sequence[UpdateFields]
    asked: int
    held: int


@dataclass(frozen=True, slots=True)
class BulkWriter:
    """Field updates of one org, by a job when there are at least ``bulk_from`` of them, else by Collections."""

    client: Client
    notes: Notes
    account: str
    bulk_from: int

    def batch_size(self, waiting: int) -> int:
        """All that waits, up to what a job takes, if a job is worth it and not refused, or is under way."""
        many = (waiting >= self.bulk_from and not self.notes.without()) or self.notes.job() is not None
        return max(self._load, min(waiting, MOST_ROWS)) if many else self._load

    @property
    def _load(self) -> int:
        """What one call of Collections carries."""
        return BATCH * self.client.packed

    def write(self, operations: Sequence[UpdateFields]) -> list[Outcome]:
        """One outcome per operation, in order. Raises `Underway` while Salesforce works on a job, and `CallFailed`."""
        job = self.notes.job()
        if job is None:
            return self._begin(operations)
        state = self._state(job.id)
        if state == "Open" and job.stage == UPLOADED:
            raise self._close(job.id)
        told = self._told(job.id, operations) if state in OVER else None
        if told is not None:
            return self._settle(job, state, operations, told)
        self._give_up(job.id, state)
        return self._begin(operations)

    def _settle(self, job: Job, state: str, operations: Sequence[UpdateFields], told: Told) -> list[Outcome]:
        """Write what a finished job leaves open, and forget the job only then, and once it has told all it knows.

        Until then others who are due may go by Collections if one call carries them, else they wait: the job's own
        are due in a moment. Who dies between this and keeping the outcomes has the same values sent again, which does
        no harm. Of a failed job the rest goes by Collections, so that each record gets an answer of its own.
        """
        if state != "JobComplete":
            self.notes.do_without()
        job, known, left = self.notes.told(job, told.asked), told.known, told.left
        over = job.told >= told.held or self.notes.has_waited(job)
        if not over and not told.asked and len(left) > self._load:
            raise _underway(job.id)
        if state == "JobComplete" and len(self._rows(left)) >= self.bulk_from and (over or told.asked):
            known |= {one.key: one for one in _later(left, "NOT_SENT", "a job of its own follows")}
        elif left:
            known |= {one.key: one for one in self._beside(known, left)}
        if over:
            self._forget(job.id)
        return [known[op.key] for op in operations]

    def _beside(self, known: Mapping[str, Outcome], left: Sequence[UpdateFields]) -> list[Outcome]:
        """Raises `CallFailed` only if nothing is known to be applied beside these."""
        try:
            return self._by_collections(left)
        except CallFailed as error:
            if not known:
                raise
            return _later(left, type(error).__name__, str(error))

    def _by_collections(self, operations: Sequence[UpdateFields]) -> list[Outcome]:
        """Send what one call carries; the rest is for the next, so that none takes longer than its caller's lease."""
        now, rest = operations[: self._load], operations[self._load :]
        return [*update_fields(self.client, now, self.account), *_later(rest, "NOT_SENT", "sent by the next call")]

    # ------------------------------------------------------------------ a new job

    def _begin(self, operations: Sequence[UpdateFields]) -> list[Outcome]:
        rows = fitting(self._rows(operations))
        if len(rows) < self.bulk_from <= len(operations):  # very many that no CSV can carry
            self.notes.do_without()
        if len(rows) < self.bulk_from or self.notes.without():
            return self._by_collections(operations)
        try:
            job = self._create()
        except (Refused, Forbidden) as error:  # no Bulk API for this user, or none left today
            return self._refused(error, operations)
        self.notes.begun(job)
        try:
            self._upload(job, rows)
        except Refused as refused:
            self._give_up(job, "Open")
            return self._refused(refused, operations)
        self.notes.uploaded(job)
        log.info("salesforce_bulk_uploaded", job=job, rows=len(rows))
        raise self._close(job)

    def _refused(self, error: CallFailed, operations: Sequence[UpdateFields]) -> list[Outcome]:
        log.warning("salesforce_bulk_refused", reason=str(error))
        self.notes.do_without()
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
        except Unanswered as error:  # a job without data does nothing, and ends by itself after a day
            raise Unavailable(str(error), POLL_SECONDS) from None

    def _upload(self, job: str, rows: Mapping[str, Cells]) -> None:
        try:
            self.client.upload(f"{JOBS}/{job}/batches", Upload(rows))
        except Unanswered as error:  # whether it arrived or not, nothing happens before UploadComplete
            raise Unavailable(str(error), POLL_SECONDS) from None

    def _close(self, job: str) -> Underway:
        """Let Salesforce begin. Without an answer the next look at the job tells whether it has."""
        try:
            self.client.write("PATCH", f"{JOBS}/{job}", {"state": "UploadComplete"})
        except Unanswered as error:
            log.info("salesforce_bulk_unanswered", job=job, reason=str(error))
        except Refused as refused:
            log.warning("salesforce_bulk_refused", job=job, reason=str(refused))
            self.notes.do_without()
            self._give_up(job, "Open")
        return _underway(job)

    def _rows(self, operations: Sequence[UpdateFields]) -> dict[str, Cells]:
        """What can travel in a job on our object, by record id."""
        ours = [op for op in operations if op.object in ("account", self.account)]
        return {op.record_id: cells for op in ours if (cells := cells_of(op)) is not None}

    # ------------------------------------------------------------------ a job found

    def _state(self, job: str) -> str:
        """How a job stands, empty when it is gone. Raises `Underway` while Salesforce works on it."""
        try:
            told = self.client.read("GET", f"{JOBS}/{job}")
        except Refused:
            return ""
        except Unavailable as error:
            raise Underway(f"bulk job {job}: {error}", error.retry_after) from None
        state = str(told.get("state"))
        if state in ("UploadComplete", "InProgress"):
            raise _underway(job)
        if told.get("errorMessage"):
            log.warning("salesforce_bulk_failed", job=job, reason=redact(str(told["errorMessage"])))
        return state

    def _told(self, job: str, operations: Sequence[UpdateFields]) -> Told | None:
        """What a finished job says of these operations. None when its results are gone, after seven days.

        What a failed job has not processed is in neither file.
        """
        try:
            applied = rows_of(self.client.read_bytes(f"{JOBS}/{job}/successfulResults"))
            refused = rows_of(self.client.read_bytes(f"{JOBS}/{job}/failedResults"))
        except Refused:
            return None
        known: dict[str, Outcome] = {}
        left: list[UpdateFields] = []
        for op in operations:
            told = _outcome(op, cells_of(op), applied, refused)
            if told is None:
                left.append(op)
            else:
                known[op.key] = told
        held = applied.keys() | refused.keys()
        log.info("salesforce_bulk_told", job=job, applied=len(applied), refused=len(refused), left=len(left))
        return Told(known, left, sum(op.record_id in held for op in operations), len(held))

    def _give_up(self, job: str, state: str) -> None:
        """Make sure that a job nobody will read can do nothing any more, and forget it."""
        log.warning("salesforce_bulk_given_up", job=job, state=state or "gone")
        if state == "Open":
            try:
                self.client.write("PATCH", f"{JOBS}/{job}", {"state": "Aborted"})
            except (Refused, Unanswered):  # perhaps it has just begun after all: the next look will tell
                raise _underway(job) from None
        self._forget(job)

    def _forget(self, job: str) -> None:
        """Erase first: a job that is not deleted does no harm, one that is gone but not erased would be done again."""
        self.notes.forget()
        with contextlib.suppress(CallFailed, Unanswered):
            self.client.write("DELETE", f"{JOBS}/{job}", None)


def _outcome(
    op: UpdateFields, cells: Cells | None, applied: Mapping[str, Row], refused: Mapping[str, Row]
) -> Outcome | None:
    """What a job's results say of an operation: nothing unless they hold exactly its cells."""
    done, failed = applied.get(op.record_id), refused.get(op.record_id)
    if cells is None:
        return None
    if done and done.cells == cells:
        return Outcome(op.key, "applied", op.record_id)
    if failed and failed.cells == cells:
        told, consequence = outcome(op.key, result_of(failed.error), {ID: op.record_id, **op.values})
        return None if consequence == "resend" else told
    return None


def _underway(job: str) -> Underway:
    return Underway(f"Salesforce works on bulk job {job}", POLL_SECONDS)


def _later(operations: Sequence[UpdateFields], code: str, reason: str) -> list[Outcome]:
    return [Outcome(op.key, "retry", op.record_id, code, reason) for op in operations]
