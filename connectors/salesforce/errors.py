"""The meaning of each of Salesforce's answers for its operation.

Pages named in the comments are under https://developer.salesforce.com/docs/atlas.en-us.<book>.meta/:
`api#StatusCode` is api/sforce_api_calls_concepts_core_data_objects.htm, `api_rest/errorcodes` is
api_rest/errorcodes.htm, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal

import structlog

from connectors.base import ALREADY_THERE, AccessDenied, CallFailed, Outcome, QuotaExhausted, Unavailable
from connectors.clock import now

log = structlog.get_logger(__name__)

Consequence = Literal["resend", "retry", "rejected", "stale"]
"""``resend``: send again at once, alone; ``retry``: in a later delivery; ``stale``: the record id is gone."""

RECORD_CODES: Mapping[str, Consequence] = {
    "UNABLE_TO_LOCK_ROW": "resend",  # api#StatusCode
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": "resend",  # api_rest/resources_composite_allornone
    "PROCESSING_HALTED": "resend",  # api_rest/resources_composite_graph_introduction
    "RECORD_IN_USE_BY_WORKFLOW": "retry",  # api#StatusCode
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": "retry",  # api#StatusCode
    "REQUEST_RUNNING_TOO_LONG": "retry",  # api#StatusCode
    "SERVER_UNAVAILABLE": "retry",  # api_rest/errorcodes
    "QUERY_TIMEOUT": "retry",  # api_rest/errorcodes
    "STORAGE_LIMIT_EXCEEDED": "retry",  # api#StatusCode (an admin frees some; no value is at fault)
    "UNKNOWN_EXCEPTION": "retry",  # api#StatusCode (an internal error of Salesforce)
    "ENTITY_IS_DELETED": "stale",  # api#StatusCode
    "NOT_FOUND": "stale",  # api_rest/errorcodes
    "CANNOT_UPDATE_CONVERTED_LEAD": "stale",  # api#StatusCode
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "rejected",  # api#StatusCode (rejected by a trigger of the org)
    "DUPLICATES_DETECTED": "rejected",  # api_rest/resources_composite_sobjects_collections_create
    "DUPLICATE_EXTERNAL_ID": "rejected",  # api#StatusCode
    "DUPLICATE_VALUE": "rejected",  # api#StatusCode
    "EXCEEDED_ID_LIMIT": "rejected",  # api_rest/resources_composite_sobjects_collections_update
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "rejected",  # api#StatusCode
    "FIELD_FILTER_VALIDATION_EXCEPTION": "rejected",  # api#StatusCode (a lookup filter)
    "FIELD_INTEGRITY_EXCEPTION": "rejected",  # api#StatusCode
    "INACTIVE_OWNER_OR_USER": "rejected",  # api#StatusCode
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "rejected",  # api#StatusCode
    "INSUFFICIENT_ACCESS_OR_READONLY": "rejected",  # api#StatusCode
    "INSUFFICIENT_ACCESS": "rejected",  # api_rest/errorcodes
    "INVALID_CROSS_REFERENCE_KEY": "rejected",  # api#StatusCode (stale when it is about our own id)
    "INVALID_EMAIL_ADDRESS": "rejected",  # api#StatusCode
    "INVALID_FIELD": "rejected",  # api_rest/errorcodes (unknown, or hidden by field-level security)
    "INVALID_FIELD_FOR_INSERT_UPDATE": "rejected",  # api#StatusCode (field-level security)
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "rejected",  # api#StatusCode
    "INVALID_TYPE": "rejected",  # api_rest/errorcodes
    "INVALID_TYPE_ON_FIELD_IN_RECORD": "rejected",  # api#StatusCode
    "JSON_PARSER_ERROR": "rejected",  # api_rest/errorcodes
    "LIMIT_EXCEEDED": "rejected",  # api#StatusCode
    "MALFORMED_ID": "rejected",  # api#StatusCode
    "MISSING_ARGUMENT": "rejected",  # api#StatusCode
    "NUMBER_OUTSIDE_VALID_RANGE": "rejected",  # api#StatusCode
    "REQUIRED_FIELD_MISSING": "rejected",  # api#StatusCode
    "STRING_TOO_LONG": "rejected",  # api#StatusCode (its message echoes the value)
    "TRANSACTION_SECURITY_BLOCKED": "rejected",  # api#StatusCode
    "TXN_SECURITY_METERING_ERROR": "rejected",  # api#StatusCode
    "TXN_SECURITY_NO_ACCESS": "rejected",  # api#StatusCode
}
"""What the error of one record means; a code that is not here is permanent for the record, and logged."""

CALL_CODES: Mapping[str, Literal["admin", "later", "unanswered"]] = {
    "API_CURRENTLY_DISABLED": "admin",  # api_rest/errorcodes
    "API_DISABLED_FOR_ORG": "admin",  # api_rest/errorcodes
    "FEATURENOTENABLED": "admin",  # api_asynch/async_api_intro
    "INSUFFICIENT_ACCESS": "admin",  # api_rest/errorcodes
    "INVALID_AUTH_HEADER": "admin",  # api_rest/errorcodes
    "INVALID_TYPE": "admin",  # api_rest/errorcodes: on a query, the object is not visible to this user
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": "later",  # api#StatusCode
    "INVALID_QUERY_LOCATOR": "later",  # api_rest/resources_query: the pages are gone, ask from the start
    "SERVER_UNAVAILABLE": "later",  # api_rest/errorcodes
    "QUERY_TIMEOUT": "unanswered",  # api_rest/errorcodes: cut off after ten minutes
    "REQUEST_RUNNING_TOO_LONG": "unanswered",  # api#StatusCode
}
"""What the error code of a whole call means; any other code is about its content (`RequestRejected`)."""

LATER_SECONDS: Mapping[int, float] = {
    420: 30.0,  # api_rest/errorcodes: not enough app servers
    429: 30.0,  # https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta
    503: 5.0,  # api_rest/errorcodes: overloaded or down for maintenance
}
CONCURRENT_SECONDS = 15.0
QUOTA_PAUSE = timedelta(hours=1)
# The allocation is a rolling 24 hours, so some of it comes back within the hour:
# https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm

NEVER_REFRESHED = ("not valid for use with the REST API", "Connected app is not attached to Agent")
# A fresh token gets the same answer: https://github.com/jsforce/jsforce `isSessionExpired`

_NO_KEY_FIELD = "external ID field does not exist or is not accessible"


class Forbidden(AccessDenied):
    """We are logged in, but this user lacks a permission."""


class RequestRejected(CallFailed):
    """Salesforce rejected the whole request because of its content; inside `write` it becomes outcomes."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(f"Salesforce rejected the request: {code or status} {reason}".strip())
        self.status = status
        self.code = code
        self.reason = reason


class Unanswered(Exception):
    """The request was sent without a readable answer: it may have been applied."""


def are_results(body: object) -> bool:
    """Whether an answer, whatever its status, is a result for each record."""
    return isinstance(body, list) and bool(body) and all(isinstance(one, dict) and "success" in one for one in body)


def first_error(body: object) -> tuple[str, str]:
    """(code, message) of an error body in any of the recorded forms; empty texts when it has none."""
    item = body[0] if isinstance(body, list) and body else body
    if not isinstance(item, dict):
        return "", ""
    code = item.get("errorCode") or item.get("statusCode") or item.get("error") or ""
    return str(code), str(item.get("message") or item.get("error_description") or "")


def failure(status: int, body: object) -> CallFailed | Unanswered:
    """The exception for a request that failed as a whole."""
    code, message = first_error(body)
    words = redact(message)
    if code == "REQUEST_LIMIT_EXCEEDED":
        if message.lower().startswith("concurrent"):
            return Unavailable(f"Salesforce has too many long requests running: {words}", CONCURRENT_SECONDS)
        until = now() + QUOTA_PAUSE
        return QuotaExhausted(f"Salesforce's daily request limit is used up: {words}", until)
    meaning = CALL_CODES.get(code)
    if 300 < status < 400:
        return wrong_address(status)
    if status in LATER_SECONDS or meaning == "later":
        return Unavailable(f"Salesforce answered {status} {code}".rstrip(), LATER_SECONDS.get(status, 5.0))
    if status >= 500 or meaning == "unanswered":
        return Unanswered(f"Salesforce answered {status} {code}".rstrip())
    if status == 401 or code == "INVALID_SESSION_ID":
        return AccessDenied(f"Salesforce denied access: {code or status} {words}".rstrip())
    if status == 403 or meaning == "admin" or _NO_KEY_FIELD in message:
        return Forbidden(f"Salesforce denied access: {code or status} {words}".rstrip())
    return RequestRejected(status, code, words)


def wrong_address(status: int, code: str = "", words: str = "") -> AccessDenied:
    """The exception for an answer that the API never gives to such a call, such as a redirect or a web page."""
    answer = " ".join(f"{status} {code} {words}".split())
    return AccessDenied(f"Salesforce answered {answer}: check base_url and api_version")


def outcome(key: str, result: Any, sent: Mapping[str, Any]) -> tuple[Outcome, Consequence | None]:
    """The outcome of one record from its item in a Collections answer, and what follows from it.

    ``sent`` is the record as sent; its values are removed from the CRM's words. The consequence is None for success. An
    unknown code is permanent for the record. An item that is not a result is ``unknown``.
    """
    success = result.get("success") if isinstance(result, dict) else None
    if success is True:
        code = "" if result.get("created", True) else ALREADY_THERE
        return Outcome(key=key, status="applied", record_id=result.get("id") or sent.get("Id"), code=code), None
    if success is not False:
        return Outcome(
            key=key, status="unknown", code="NO_RESULT", reason="Salesforce gave no result for this record"
        ), None
    errors = result.get("errors") or [{}]
    error = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
    code, message = first_error(error)
    consequence = consequence_of(code, message, error.get("fields") or (), sent)
    reason = redact(message, sent)
    status: Literal["retry", "rejected"] = "retry" if consequence in ("resend", "retry") else "rejected"
    return Outcome(
        key=key, status=status, record_id=sent.get("Id"), code=code, reason=reason, stale_record=consequence == "stale"
    ), consequence


def consequence_of(code: str, message: str, fields: Iterable[str], sent: Mapping[str, Any]) -> Consequence:
    """What the error of a record means. Triggers wrap a lock error in their own code, so the message counts too."""
    if "UNABLE_TO_LOCK_ROW" in message:
        return "resend"
    if code == "INVALID_CROSS_REFERENCE_KEY":
        about = set(fields)
        ours = not about & (set(sent) - {"Id", "WhatId"}) if about else True
        return "stale" if ours else "rejected"
    if code not in RECORD_CODES:
        log.warning("salesforce_code_unknown", code=code)
    return RECORD_CODES.get(code, "rejected")


_ECHOES = (
    re.compile(r"(data value too large: ).*(?= \(max length=)", re.DOTALL),
    re.compile(r"(invalid email address: ).*", re.DOTALL),
    re.compile(r"(bad value for restricted picklist field: ).*", re.DOTALL),
    re.compile(r"(id value of incorrect type: ).*", re.DOTALL),
    re.compile(r"(from VALUE_\w+ value ).*?(?= or request|$)", re.DOTALL),
    re.compile(r"(Due to, ').*(?=' is not a valid value)", re.DOTALL),
    re.compile(r"(Foreign key external ID: ).*(?= not found)", re.DOTALL),
)
_EXCERPT = re.compile(r"^.*ERROR at Row:\d+:Column:\d+\s*", re.DOTALL)  # a piece of the query, values and all
_PERSONAL = re.compile(r"[^\s'\"<>:,;]+@[^\s'\"<>:,;]+")
_TOKEN = re.compile(r"00D\w{12,15}![\w.]+")
_REASON_LENGTH = 300


def redact(message: str, sent: Mapping[str, Any] | None = None) -> str:
    """The CRM's message without values, addresses or tokens. Record ids and field names stay."""
    words = _EXCERPT.sub("", message)
    for pattern in _ECHOES:
        words = pattern.sub(r"\1…", words)
    for value in sorted((_plain(v) for v in (sent or {}).values()), key=len, reverse=True):
        if len(value) > 1:
            words = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", words)
    words = _TOKEN.sub("…", _PERSONAL.sub("…", words))
    words = " ".join(words.split())
    return words if len(words) <= _REASON_LENGTH else words[: _REASON_LENGTH - 1] + "…"


def _plain(value: object) -> str:
    return "" if value is None or isinstance(value, bool | dict) else str(value).strip()
