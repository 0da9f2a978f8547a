"""Bulk API 2.0 query jobs: a client fetches the result of a SOQL query as CSV, in parts.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.salesforce import ids, soql_run
from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.columns import column_name
from connectors.sandbox.salesforce.errors import RequestRejected, not_found
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.soql import Query, parse
from connectors.sandbox.salesforce.soql_run import Found
from connectors.sandbox.salesforce.table import Record

DELIMITERS = {"COMMA": ",", "TAB": "\t", "SEMICOLON": ";", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
_MOST_RECORDS = 50_000
_TERMINAL = frozenset({"JobComplete", "Aborted"})


@dataclass(slots=True, kw_only=True)
class QueryJob:
    """One query job. ``made_at`` in seconds since 1970; ``found`` is set when it is complete."""

    id: str
    query: Query
    kind: str
    everything: bool
    line_ending: str
    delimiter: str
    version: str
    user_id: str
    created: str
    made_at: float
    state: str = "UploadComplete"
    found: Found | None = None


def create(call: Call) -> HttpResponse:
    """``POST /jobs/query``. Raises `RequestRejected` for a query that cannot run, as a real org does at once."""
    given = call.body()
    operation = given.get("operation")
    if operation not in ("query", "queryAll"):
        raise RequestRejected("INVALIDJOB", f"Unsupported operation: {operation}", None)
    line_ending, delimiter = str(given.get("lineEnding", "LF")), str(given.get("columnDelimiter", "COMMA"))
    if given.get("contentType", "CSV") != "CSV" or line_ending not in LINE_ENDINGS or delimiter not in DELIMITERS:
        raise RequestRejected("INVALIDJOB", "contentType, lineEnding or columnDelimiter is not supported", None)
    query = parse(str(given.get("query") or ""))
    everything = operation == "queryAll"
    kind = soql_run.run(call.org, query, everything).kind.name
    if not query.paths:
        raise RequestRejected("API_ERROR", "count() is not supported by the Bulk API", None)
    now = call.org.sim.clock.timestamp()
    job = QueryJob(
        id=call.org.new_id("750"),
        query=query,
        kind=kind,
        everything=everything,
        line_ending=line_ending,
        delimiter=delimiter,
        version=call.version,
        user_id=call.user_id,
        created=call.org.now(),
        made_at=now,
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
    jobs = [_described(_advance(call.org, job)) for job in call.org.query_jobs.values()]
    return HttpResponse({"done": True, "records": jobs, "nextRecordsUrl": None})


def change(call: Call, job_id: str) -> HttpResponse:
    """``PATCH /jobs/query/{id}`` with state Aborted."""
    job = _job(call, job_id)
    if call.body().get("state") != "Aborted" or job.state in _TERMINAL:
        raise RequestRejected("INVALIDJOBSTATE", f"Only an open job can be aborted; the job is {job.state}", None)
    job.state = "Aborted"
    return HttpResponse(_described(job))


def delete(call: Call, job_id: str) -> HttpResponse:
    """``DELETE /jobs/query/{id}`` of a finished job."""
    job = _job(call, job_id)
    if job.state not in _TERMINAL:
        raise RequestRejected("INVALIDJOBSTATE", f"Only a finished job can be deleted; the job is {job.state}", None)
    del call.org.query_jobs[job.id]
    return HttpResponse(None, 204)


def results(call: Call, job_id: str) -> HttpResponse:
    """``GET /jobs/query/{id}/results?maxRecords=&locator=``: every cell quoted; a missing value is an empty cell."""
    job = _job(call, job_id)
    if job.found is None:
        raise RequestRejected(
            "INVALIDJOBSTATE", f"Results are available once the job is complete; it is {job.state}", None
        )
    start, most = _number(call, "locator", 0), min(_number(call, "maxRecords", _MOST_RECORDS), _MOST_RECORDS)
    records = job.found.records[start : start + most]
    end = start + len(records)
    headers = {
        "Sforce-Locator": str(end) if end < len(job.found.records) else "null",
        "Sforce-NumberOfRecords": str(len(records)),
    }
    return HttpResponse(_csv(call.org, job, job.found, records), headers=headers, media="text/csv")


def _csv(org: Org, job: QueryJob, found: Found, records: list[Record]) -> str:
    between, end = DELIMITERS[job.delimiter], LINE_ENDINGS[job.line_ending]
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
    job: QueryJob | None = call.org.query_jobs.get(ids.canonical(job_id) or "")
    if job is None:
        raise not_found()
    return _advance(call.org, job)


def _advance(org: Org, job: QueryJob) -> QueryJob:
    waited_ms = (org.sim.clock.timestamp() - job.made_at) * 1000
    if job.state not in _TERMINAL and waited_ms >= org.options.bulk_queue_ms:
        job.found = soql_run.run(org, job.query, job.everything)
        job.state = "JobComplete"
    return job


def _described(job: QueryJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "operation": "queryAll" if job.everything else "query",
        "object": job.kind,
        "createdById": job.user_id,
        "createdDate": job.created,
        "systemModstamp": job.created,
        "state": job.state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": float(job.version),
        "lineEnding": job.line_ending,
        "columnDelimiter": job.delimiter,
    }
