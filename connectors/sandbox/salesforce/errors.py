"""Salesforce's rejections of requests and records.

The code is called ``statusCode`` in a list of results and ``errorCode`` in the error list of a whole request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class RequestRejected(Exception):
    """A rejection with Salesforce's code and message. ``fields`` None leaves the key out.

    ``status`` is the HTTP status when the rejection is the whole answer. ``rank`` orders the checks of one record:
    the lowest rank is reported. ``more`` are further keys of a whole request's error.
    """

    code: str
    message: str
    fields: tuple[str, ...] | None = ()
    status: int = 400
    rank: int = 0
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
    """404 for a whole request."""
    return RequestRejected("NOT_FOUND", message, None, 404)


def no_key_field(name: str) -> RequestRejected:
    """404 for a field that does not address records, or that the user may not see."""
    return not_found(f"Provided external ID field does not exist or is not accessible: {name}")


def malformed_id(label: str, given: object, field: str = "Id", rank: int = 0) -> RequestRejected:
    """400 for a text that is no id of the wanted object; ``label`` is that of the field."""
    return RequestRejected("MALFORMED_ID", f"{label}: id value of incorrect type: {given}", (field,), rank=rank)


def malformed(message: str) -> RequestRejected:
    """400 for an invalid body."""
    return RequestRejected("JSON_PARSER_ERROR", message, None, 400)


def rejected_at(text: str, at: int, code: str, message: str) -> RequestRejected:
    """A rejection that shows its position in the query as Salesforce does."""
    line_start = text.rfind("\n", 0, at) + 1
    start = max(line_start, at - 32)
    line_end = text.find("\n", at)
    excerpt = text[start : min(at + 40, len(text) if line_end < 0 else line_end)]
    row, column = text.count("\n", 0, at) + 1, at - line_start + 1
    where = f"\n{excerpt}\n{' ' * (at - start)}^\nERROR at Row:{row}:Column:{column}\n"
    return RequestRejected(code, where + message, None)


NO_REFERENCE = RequestRejected("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
ROLLED_BACK = RequestRejected(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
