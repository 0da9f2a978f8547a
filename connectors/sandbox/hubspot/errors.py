"""HubSpot's error answers. Where recorded answers and the documentation differ, the recorded ones decide."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]

TOO_FEW_CREDENTIALS = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more "
    "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
NOT_GRANTED = (
    "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
    "https://developers.hubspot.com/scopes."
)


class RequestRejected(Exception):
    """The whole call is rejected with ``status``. ``body`` lacks only its correlation id."""

    def __init__(self, status: int, body: JsonObject, headers: dict[str, str] | None = None) -> None:
        super().__init__(body.get("message", ""))
        self.status = status
        self.body = body
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Violation:
    """One invalid property value."""

    name: str
    code: str
    message: str

    def in_message(self) -> JsonObject:
        """The form inside the message of an error."""
        return {"isValid": False, "message": self.message, "error": self.code, "name": self.name}

    def in_errors(self) -> JsonObject:
        """The form of an element of ``errors``."""
        return {"message": self.message, "code": self.code, "context": {"propertyName": [self.name]}}


def rejected(status: int, category: str, message: str, **more: Any) -> RequestRejected:
    """A rejection with HubSpot's usual body."""
    return RequestRejected(status, {"status": "error", "message": message, "category": category, **more})


def invalid(message: str, **more: Any) -> RequestRejected:
    """400 VALIDATION_ERROR."""
    return rejected(400, "VALIDATION_ERROR", message, **more)


def not_found(message: str = "resource not found", **more: Any) -> RequestRejected:
    """404 OBJECT_NOT_FOUND."""
    return rejected(404, "OBJECT_NOT_FOUND", message, **more)


def invalid_json(column: int, what: str) -> RequestRejected:
    """400 for a body that the call cannot read."""
    return invalid(f"Invalid input JSON on line 1, column {column}: {what}")


def values_message(violations: Sequence[Violation]) -> str:
    """``Property values were not valid: [...]``."""
    listed = json.dumps([violation.in_message() for violation in violations], separators=(",", ":"))
    return f"Property values were not valid: {listed}"


def invalid_values(violations: Sequence[Violation]) -> RequestRejected:
    """400 for the whole call because of property values.

    ``errors`` is shorter than the list in the message when the last one repeats an earlier one, as recorded:
    their number is not the number of invalid values.
    """
    errors = [violation.in_errors() for violation in violations]
    if len(errors) > 1 and errors[-1] in errors[:-1]:
        errors.pop()
    return invalid(values_message(violations), errors=errors)


def batch_error(category: str, message: str, **context: Sequence[str]) -> JsonObject:
    """One element of the ``errors`` of a 207."""
    listed = {name: list(values) for name, values in context.items()}
    return {"status": "error", "category": category, "message": message, "context": listed}


def duplicate_ids(ids: Sequence[str]) -> RequestRejected:
    """400 for a batch that names a record twice."""
    shown = ", ".join(ids)
    return invalid(f"Duplicate IDs found in batch input: [{shown}]. IDs must be unique", context={"ids": list(ids)})


def missing_scopes(scopes: Sequence[str]) -> RequestRejected:
    """403 for a token that lacks one of ``scopes``."""
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": list(scopes)},
    }
    return rejected(403, "MISSING_SCOPES", NOT_GRANTED, errors=[detail])


def secondly_limit() -> RequestRejected:
    """429 of search; it has no ``policyName`` and no ``errorType``."""
    return rejected(429, "RATE_LIMITS", "You have reached your secondly limit.")


def burst_limit(app_id: str) -> RequestRejected:
    """429 of the ten-second window."""
    group = f"publicapi:private-app-api-calls-ten-secondly:{app_id}"
    return _rate_limit("ten_secondly_rolling", "TEN_SECONDLY_ROLLING", groupName=group)


def daily_limit(request_id: str) -> RequestRejected:
    """429 of the portal's day."""
    return _rate_limit("daily", "DAILY", requestId=request_id)


def _rate_limit(limit: str, policy: str, **more: str) -> RequestRejected:
    body = {"status": "error", "message": f"You have reached your {limit} limit.", "errorType": "RATE_LIMIT"}
    return RequestRejected(429, {**body, "policyName": policy, **more})


def locked() -> RequestRejected:
    """423 while other writes lock the records."""
    return rejected(423, "LOCKED", "The resource is currently locked. Please wait 2 seconds before trying again.")
