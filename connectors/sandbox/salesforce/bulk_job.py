"""What the ingest and query jobs of the Bulk API 2.0 have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.errors import RequestRejected, not_found
from connectors.sandbox.salesforce.schema import ObjectType

DELIMITERS = {"COMMA": ",", "TAB": "\t", "SEMICOLON": ";", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
TERMINAL = frozenset({"JobComplete", "Failed", "Aborted"})


@dataclass(slots=True, kw_only=True)
class BulkJob:
    """One job. ``created`` and ``modified`` are times in the form of records."""

    id: str
    kind: ObjectType
    operation: str
    line_ending: str
    delimiter: str
    version: str
    user_id: str
    created: str
    modified: str
    state: str

    def to_json(self) -> dict[str, Any]:
        """The description of the job in every answer."""
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.kind.name,
            "createdById": self.user_id,
            "createdDate": self.created,
            "systemModstamp": self.modified,
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
        }

    def format_json(self) -> dict[str, str]:
        """The form of the job's CSV."""
        return {"lineEnding": self.line_ending, "columnDelimiter": self.delimiter}

    def separators(self) -> tuple[str, str]:
        """The line end and the delimiter of the job's CSV."""
        return LINE_ENDINGS[self.line_ending], DELIMITERS[self.delimiter]


SomeJob = TypeVar("SomeJob", bound=BulkJob)


def csv_format(given: Mapping[str, Any]) -> tuple[str, str]:
    """The names of the line end and the delimiter in the body of a new job. Raises `RequestRejected`."""
    line_ending, delimiter = str(given.get("lineEnding", "LF")), str(given.get("columnDelimiter", "COMMA"))
    if given.get("contentType", "CSV") != "CSV" or line_ending not in LINE_ENDINGS or delimiter not in DELIMITERS:
        raise RequestRejected("INVALIDJOB", "contentType, lineEnding or columnDelimiter is not supported", None)
    return line_ending, delimiter


def made_by(call: Call) -> dict[str, Any]:
    """The id, the user and the times of a new job."""
    now = call.org.now()
    made = {"version": call.version, "user_id": call.user_id, "created": now, "modified": now}
    return {"id": call.org.new_id("750"), **made}


def find_job(jobs: Mapping[str, SomeJob], job_id: str) -> SomeJob:
    """The job of an id in 15 or 18 characters. Raises `RequestRejected` 404."""
    job = jobs.get(ids.canonical(job_id) or "")
    if job is None:
        raise not_found()
    return job


def listed(jobs: Iterable[dict[str, Any]]) -> HttpResponse:
    """The list of all jobs."""
    return HttpResponse({"done": True, "records": list(jobs), "nextRecordsUrl": None})


def remove(jobs: dict[str, SomeJob], job: SomeJob) -> HttpResponse:
    """Delete a finished job. Raises `RequestRejected`."""
    if job.state not in TERMINAL:
        raise wrong_state("Only a finished job can be deleted", job)
    del jobs[job.id]
    return HttpResponse(None, 204)


def wrong_state(message: str, job: BulkJob) -> RequestRejected:
    """The rejection of a request that the state of the job does not allow."""
    return RequestRejected("INVALIDJOBSTATE", f"{message}; the job is {job.state}", None)
