"""Bulk API 2.0 query jobs: a client fetches the result of a SOQL query as CSV, in parts.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.salesforce import soql_run
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
from connectors.sandbox.salesforce.columns import column_name
from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.soql import Query, parse
from connectors.sandbox.salesforce.soql_run import Found
from connectors.sandbox.salesforce.table import Record

_MOST_RECORDS = 50_000


@dataclass(slots=True, kw_only=True)
class QueryJob(BulkJob):
    """One query job. ``made_at`` in seconds since 1970; ``found`` is set when it is complete."""

    query: Query
    made_at: float
    state: str = "UploadComplete"
    found: Found | None = None


def create(call: Call) -> HttpResponse:
    """``POST /jobs/query``. Raises `RequestRejected` for a query that cannot run, as a real org does at once."""
    given = call.body()
    operation = given.get("operation")
    if operation not in ("query", "queryAll"):
        raise RequestRejected("INVALIDJOB", f"Unsupported operation: {operation}", None)
    line_ending, delimiter = csv_format(given)
    query = parse(str(given.get("query") or ""))
    kind = soql_run.run(call.org, query, everything=operation == "queryAll").kind
    if not query.paths:
        raise RequestRejected("API_ERROR", "count() is not supported by the Bulk API", None)
    job = QueryJob(
        query=query,
        kind=kind,
        operation=operation,
        line_ending=line_ending,
        delimiter=delimiter,
        made_at=call.org.sim.clock.timestamp(),
        **made_by(call),
    )
    call.org.query_jobs[job.id] = job
    return HttpResponse(_described(job))


def read(call: Call, job_id: str) -> HttpResponse:
    """``GET /jobs/query/{id}``."""
    job = _job(call, job_id)
    processed = len(job.found.records) if job.found else 0
    counted = {
        "jobType": "V2Query",
        "numberRecordsProcessed": processed,
        "retries": 0,
        "totalProcessingTime": processed,
    }
    return HttpResponse({**_described(job), **counted})


def list_jobs(call: Call) -> HttpResponse:
    """``GET /jobs/query``."""
    return listed(_described(_advance(call.org, job)) for job in call.org.query_jobs.values())


def change(call: Call, job_id: str) -> HttpResponse:
    """``PATCH /jobs/query/{id}`` with state Aborted."""
    job = _job(call, job_id)
    if call.body().get("state") != "Aborted" or job.state in TERMINAL:
        raise wrong_state("Only an open job can be aborted", job)
    job.state = "Aborted"
    return HttpResponse(_described(job))


def delete(call: Call, job_id: str) -> HttpResponse:
    """``DELETE /jobs/query/{id}`` of a finished job."""
    return remove(call.org.query_jobs, _job(call, job_id))


def results(call: Call, job_id: str) -> HttpResponse:
    """``GET /jobs/query/{id}/results?maxRecords=&locator=``: every cell quoted; a missing value is an empty cell."""
    job = _job(call, job_id)
    if job.found is None:
        raise wrong_state("Results are available once the job is complete", job)
    start, most = _number(call, "locator", 0), min(_number(call, "maxRecords", _MOST_RECORDS), _MOST_RECORDS)
    records = job.found.records[start : start + most]
    end = start + len(records)
    headers = {
        "Sforce-Locator": str(end) if end < len(job.found.records) else "null",
        "Sforce-NumberOfRecords": str(len(records)),
    }
    return HttpResponse(_csv(call.org, job, job.found, records), headers=headers, media="text/csv")


def _csv(org: Org, job: QueryJob, found: Found, records: list[Record]) -> str:
    end, between = job.separators()
    lines = [between.join(f'"{column_name(column)}"' for column in found.columns)]
    lines += [between.join(_cell(column.read(org, record)) for column in found.columns) for record in records]
    return end.join(lines) + end


def _cell(value: Any) -> str:
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + text.replace('"', '""') + '"'


def _number(call: Call, name: str, otherwise: int) -> int:
    given = call.query.get(name, "")
    if not given or given == "null":
        return otherwise
    if not re.fullmatch(r"\d{1,9}", given):
        raise RequestRejected("INVALIDJOB", f"{name} is not a number: {given}", None)
    return int(given)


def _job(call: Call, job_id: str) -> QueryJob:
    return _advance(call.org, find_job(call.org.query_jobs, job_id))


def _advance(org: Org, job: QueryJob) -> QueryJob:
    waited_ms = (org.sim.clock.timestamp() - job.made_at) * 1000
    if job.state not in TERMINAL and waited_ms >= org.options.bulk_queue_ms:
        job.found = soql_run.run(org, job.query, everything=job.operation == "queryAll")
        job.state = "JobComplete"
    return job


def _described(job: QueryJob) -> dict[str, Any]:
    return {**job.to_json(), **job.format_json()}
