"""Bulk API 2.0 ingest: a job from its creation to its three result files.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/bulk_api_2_0_ingest.htm
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.bulk_job import (
    TERMINAL,
    BulkJob,
    csv_format,
    find_job,
    listed,
    made_by,
    remove,
    wrong_state,
)
from connectors.sandbox.salesforce.bulk_load import Load, csv_text, load
from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.faults import RecordFaults
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.write import Writer

_OPERATIONS = ("insert", "update", "upsert", "delete")
_MOST_BYTES = 150 * 1024 * 1024
_ROWS_PER_BATCH = 10_000
_ROWS_PER_CHUNK = 200


@dataclass(slots=True, kw_only=True)
class Job(BulkJob):
    """One ingest job. ``queued_at`` is the time of UploadComplete, in seconds since 1970."""

    key: str | None
    state: str = "Open"
    upload: bytes | None = None
    queued_at: float = 0.0
    loaded: Load | None = None
    error: str | None = None
    record_faults: RecordFaults | None = None


def create(call: Call) -> HttpResponse:
    """``POST /jobs/ingest``."""
    given = call.body()
    kind = call.org.catalogue.find(str(given.get("object")))
    if kind is None:
        raise RequestRejected("INVALIDENTITY", f"Unable to find object: {given.get('object')}", None)
    operation = given.get("operation")
    if operation not in _OPERATIONS:
        raise RequestRejected("INVALIDJOB", f"Unsupported operation: {operation}", None)
    key = given.get("externalIdFieldName")
    if operation == "upsert" and not (isinstance(key, str) and key):
        raise RequestRejected("INVALIDJOB", "ExternalIdFieldName is required for upsert operation", None)
    line_ending, delimiter = csv_format(given)
    job = Job(
        kind=kind,
        operation=operation,
        key=key if operation == "upsert" else None,
        line_ending=line_ending,
        delimiter=delimiter,
        **made_by(call),
    )
    call.org.jobs[job.id] = job
    url = f"services/data/v{job.version}/jobs/ingest/{job.id}/batches"
    return HttpResponse({**_described(job), "contentUrl": url, **job.format_json()})


def upload(call: Call, job_id: str) -> HttpResponse:
    """``PUT /jobs/ingest/{id}/batches``: the CSV, once."""
    job = _job(call, job_id)
    if job.state != "Open" or job.upload is not None:
        raise wrong_state("Data can be uploaded once and only while the job is Open", job)
    if len(call.raw) > _MOST_BYTES:
        raise RequestRejected("CLIENTINPUTERROR", "The upload exceeds the maximum size", None, 413)
    job.upload = call.raw
    call.exchange.records = max(0, call.raw.count(b"\n") - 1)
    return HttpResponse(None, 201)


def change(call: Call, job_id: str) -> HttpResponse:
    """``PATCH /jobs/ingest/{id}`` with state UploadComplete or Aborted."""
    job = _job(call, job_id)
    state = call.body().get("state")
    if state == "Aborted" and job.state not in TERMINAL:
        job.state = "Aborted"
    elif state == "UploadComplete" and job.state == "Open":
        if job.upload is None:
            raise RequestRejected("INVALIDJOB", "The job has no data", None)
        job.state, job.queued_at = "UploadComplete", call.org.sim.clock.timestamp()
        job.record_faults = (
            call.record_faults and call.record_faults.on_records()
        )  # a fault on records that fires here acts when the rows are applied
    else:
        raise wrong_state(f"Cannot change the state to {state}", job)
    job.modified = call.org.now()
    return HttpResponse(_described(job))


def read(call: Call, job_id: str) -> HttpResponse:
    """``GET /jobs/ingest/{id}``."""
    job = _job(call, job_id)
    return HttpResponse(_info(call.org, job))


def list_jobs(call: Call) -> HttpResponse:
    """``GET /jobs/ingest``."""
    return listed(_described(_advance(call.org, job)) for job in call.org.jobs.values())


def delete(call: Call, job_id: str) -> HttpResponse:
    """``DELETE /jobs/ingest/{id}`` of a finished job."""
    return remove(call.org.jobs, _job(call, job_id))


def advance_jobs(org: Org) -> None:
    """Advance every job to the current time."""
    for job in org.jobs.values():
        _advance(org, job)


def successful(call: Call, job_id: str) -> HttpResponse:
    """``GET /jobs/ingest/{id}/successfulResults``."""
    loaded = _results(call, job_id)
    rows = [(record_id, "true" if created else "false", *cells) for record_id, created, cells in loaded.applied]
    return _csv(("sf__Id", "sf__Created"), loaded, rows)


def failed(call: Call, job_id: str) -> HttpResponse:
    """``GET /jobs/ingest/{id}/failedResults``."""
    loaded = _results(call, job_id)
    return _csv(
        ("sf__Id", "sf__Error"), loaded, [(record_id, error, *row) for record_id, error, row in loaded.rejected]
    )


def unprocessed(call: Call, job_id: str) -> HttpResponse:
    """``GET /jobs/ingest/{id}/unprocessedrecords``: as uploaded, without additional columns."""
    loaded = _results(call, job_id)
    return _csv((), loaded, loaded.untouched)


def _csv(own: tuple[str, ...], loaded: Load, rows: list[tuple[str, ...]]) -> HttpResponse:
    return HttpResponse(csv_text(own, loaded.columns, rows), media="text/csv")


def _job(call: Call, job_id: str) -> Job:
    return _advance(call.org, find_job(call.org.jobs, job_id))


def _results(call: Call, job_id: str) -> Load:
    job = _job(call, job_id)
    if job.state not in TERMINAL:
        raise wrong_state("Results are available once the job is finished", job)
    return job.loaded or Load(columns=())


def _advance(org: Org, job: Job) -> Job:
    """Advance the job to the current time: queued, in progress chunk by chunk, or finished."""
    if job.state not in ("UploadComplete", "InProgress"):
        return job
    waited_ms = (org.sim.clock.timestamp() - job.queued_at) * 1000
    if waited_ms < org.options.bulk_queue_ms:
        return job
    if job.loaded is None:
        writer = Writer(org=org, user_id=job.user_id, record_faults=job.record_faults)
        job.loaded, job.error = load(writer, job.kind, job.operation, job.key, job.upload or b"", job.separators())
        org.sim.counters["bulk_batches"] += -(-len(job.loaded) // _ROWS_PER_BATCH)
    if _chunks_done(org, job) * _ROWS_PER_CHUNK < len(job.loaded):
        job.state = "InProgress"
        return job
    job.state = "Failed" if job.error else "JobComplete"
    job.upload, job.modified = b"", org.now()
    return job


def _chunks_done(org: Org, job: Job) -> int:
    working_ms = (org.sim.clock.timestamp() - job.queued_at) * 1000 - org.options.bulk_queue_ms
    each = org.options.bulk_ms_per_chunk
    return int(working_ms // each) if each else 1 + len(job.loaded or ()) // _ROWS_PER_CHUNK


def _info(org: Org, job: Job) -> dict[str, Any]:
    loaded = job.loaded or Load(columns=())
    processed, rejected = len(loaded.applied) + len(loaded.rejected), len(loaded.rejected)
    if job.state == "InProgress":
        processed, rejected = min(processed, _chunks_done(org, job) * _ROWS_PER_CHUNK), 0
    counted = {
        "jobType": "V2Ingest",
        **job.format_json(),
        "numberRecordsProcessed": processed,
        "numberRecordsFailed": rejected,
        "retries": 0,
        "totalProcessingTime": processed * 2,
        "apiActiveProcessingTime": processed,
        "apexProcessingTime": 0,
    }
    if job.state == "Failed" and job.error:
        counted["errorMessage"] = job.error
    return {**_described(job), **counted}


def _described(job: Job) -> dict[str, Any]:
    key = {"externalIdFieldName": job.key} if job.key else {}
    return {**job.to_json(), **key}
