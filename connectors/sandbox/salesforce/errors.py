"""A request or a record Salesforce refuses, with its code and its words.

Inside a list of results the code is called ``statusCode``; in the error list of a whole request ``errorCode``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class RequestRejected(Exception):
    """``status`` is the HTTP status when the refusal is the whole answer. ``fields`` None leaves the key out.

    ``rank`` orders the checks of one record: of several refusals the lowest rank is reported. ``record_id``
    is the id a per-record result still carries; ``more`` are further keys of a whole request's error.
    """

    code: str
    message: str
    fields: tuple[str, ...] | None = ()
    status: int = 400
    rank: int = 0
    record_id: str | None = None
    more: dict[str, Any] | None = None

    def to_request_error(self) -> dict[str, Any]:
        """One element of a whole request's error list."""
        shown: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None and self.code != "JSON_PARSER_ERROR":
            shown["fields"] = list(self.fields)
        return {**shown, **(self.more or {})}

    def to_record_error(self) -> dict[str, Any]:
        """One element of ``errors`` in a per-record result."""
        code = "INVALID_FIELD" if self.code == "JSON_PARSER_ERROR" else self.code
        return {"statusCode": code, "message": self.message, "fields": list(self.fields or ())}


def not_found(message: str = "The requested resource does not exist") -> RequestRejected:
    """The whole request is about something that is not there."""
    return RequestRejected("NOT_FOUND", message, None, 404)


def malformed(message: str) -> RequestRejected:
    """The body is not what this resource takes."""
    return RequestRejected("JSON_PARSER_ERROR", message, None, 400)


def rejected_at(text: str, at: int, code: str, message: str) -> RequestRejected:
    """A refusal that shows where in the query it is, the way Salesforce does."""
    line_start = text.rfind("\n", 0, at) + 1
    start = max(line_start, at - 32)
    line_end = text.find("\n", at)
    excerpt = text[start : min(at + 40, len(text) if line_end < 0 else line_end)]
    row, column = text.count("\n", 0, at) + 1, at - line_start + 1
    where = f"\n{excerpt}\n{' ' * (at - start)}^\nERROR at Row:{row}:Column:{column}\n"
    return RequestRejected(code, where + message, None)


ROLLED_BACK = RequestRejected(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
