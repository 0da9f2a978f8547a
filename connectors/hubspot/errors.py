"""The meaning of each of HubSpot's answers, with the vendor's page beside each line.

HubSpot's messages contain the rejected values, so a reason is never the message itself. Known codes have HubSpot's
words without the value; for other codes every value that we sent is removed from the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connectors.base import Status

_HANDLING = "https://developers.hubspot.com/docs/api-reference/error-handling"
_LIMITS = "https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines"
_PROPERTIES = "https://developers.hubspot.com/docs/guides/api/crm/properties"
_BATCHES = "https://developers.hubspot.com/docs/api-reference/error-handling#multi-status-errors"
_LOGIN = "https://developers.hubspot.com/docs/guides/api/app-management/oauth-tokens"
_OBJECTS = "https://developers.hubspot.com/docs/guides/api/crm/understanding-the-crm"

EXCERPT_LENGTH = 12
"""HubSpot shortens long texts in its messages: this many characters of a text that we sent identify it."""

Effect = Literal[
    "token", "denied", "quota", "too_fast", "migrating", "locked", "uncertain", "down", "answer", "wrong_address"
]
"""``answer``: the body is about the records. ``down``: HubSpot was not reached, nothing was applied.

``migrating``: the portal is being moved. ``wrong_address``: the server does not know the call, so its answer is not
about a record.
"""


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """Answers with one of these statuses whose body names ``word`` (any body when empty) have this effect."""

    statuses: frozenset[int]
    word: str
    effect: Effect
    page: str


def _rule(statuses: Iterable[int], word: str, effect: Effect, page: str) -> AnswerRule:
    return AnswerRule(frozenset(statuses), word, effect, page)


CALLS: tuple[AnswerRule, ...] = (
    _rule([401], "", "token", "https://developers.hubspot.com/docs/api/usage-details"),
    _rule([403], "", "denied", _HANDLING),
    _rule([429], "DAILY", "quota", _LIMITS),
    _rule([429], "", "too_fast", _LIMITS),
    _rule([477], "", "migrating", _HANDLING),  # the portal is being moved; Retry-After is in seconds, up to a day
    _rule([423], "", "locked", _HANDLING),
    _rule([500, 502, 503, 504, 521, 523, 524], "", "uncertain", _HANDLING),
    _rule([522, 525, 526], "", "down", _HANDLING),  # no connection or no TLS to HubSpot behind its proxy
    _rule([408], "", "uncertain", _HANDLING),
    _rule([400, 404, 409, 413, 414, 422], "", "answer", _HANDLING),
)

LOGINS: Mapping[str, tuple[str, str]] = {
    # The token endpoint has its codes in ``status``.
    "BAD_REFRESH_TOKEN": ("the refresh token is rejected: install the app again and store the new one", _LOGIN),
    "BAD_CLIENT_ID": ("the client id or secret is rejected: compare it with the app's Auth page", _LOGIN),
    "BAD_CLIENT_SECRET": ("the client secret is rejected: compare it with the app's Auth page", _LOGIN),
    "BAD_GRANT_TYPE": ("the app may not sign in with a refresh token: compare its kind with docs/hubspot.md", _LOGIN),
    "": ("install the app again and store its new refresh token", _LOGIN),
}
"""What an admin does about a rejected login, with the vendor's page; the last line is for undocumented codes."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why HubSpot rejected one record; safe to log, because it contains no value of the record.

    An unknown code (``known`` false) is permanent too; it should get a line in `RECORDS`.
    """

    code: str
    reason: str
    status: Status = "rejected"
    stale: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class _Code:
    words: str
    """Empty: HubSpot's message without the values that we sent."""
    page: str
    status: Status = "rejected"
    stale: bool = False


RECORDS: Mapping[str, _Code] = {
    "PROPERTY_DOESNT_EXIST": _Code("the property does not exist", _PROPERTIES),
    "READ_ONLY_VALUE": _Code("is a read only property; its value cannot be set", _PROPERTIES),
    "INVALID_OPTION": _Code("… was not one of the allowed options", _PROPERTIES),
    "INVALID_INTEGER": _Code("… was not a valid number", _PROPERTIES),
    "INVALID_LONG": _Code("… was not a valid long", _PROPERTIES),
    "INVALID_DATE": _Code("… is not midnight UTC", _PROPERTIES),
    "INVALID_EMAIL": _Code("the email address is invalid", _PROPERTIES),
    "INVALID_STRING_LENGTH": _Code("… was too long", _PROPERTIES),
    "INVALID_OWNER_ID": _Code("the owner does not exist", _PROPERTIES),
    "UNIQUE_VALUE": _Code("another record already has that value", _PROPERTIES),
    "OBJECT_NOT_FOUND": _Code("the record may be deleted or not exist", _OBJECTS, stale=True),
    "CONFLICT": _Code("the record already exists", _OBJECTS),
    "OBJECT_ALREADY_EXISTS": _Code("it already exists", _PROPERTIES),
    "REQUIRED_PROPERTIES": _Code("required properties were not set", _OBJECTS),
    "INVALID_BOOLEAN_OPTION": _Code("a yes/no property takes exactly the options true and false", _PROPERTIES),
    "DUPLICATE_IDS": _Code("a record was named twice in one call", _BATCHES),
    "TOO_MANY_INPUTS": _Code("more records than one call takes", _BATCHES),
    "NOT_UNIQUE": _Code("records cannot be addressed by a property that is not unique", _PROPERTIES),
    "UNKNOWN_OBJECT": _Code("there is no such kind of object", _OBJECTS),
    "INVALID_JSON": _Code("HubSpot cannot read what was sent", _HANDLING),
    "MISSING_SCOPES": _Code("a scope is missing", _HANDLING),
    "VALIDATION_ERROR": _Code("", _HANDLING),
    "RATE_LIMITS": _Code("the rate limit was reached", _LIMITS, status="retry"),
    "LOCKED": _Code("the record is locked by another change", _HANDLING, status="retry"),
    "INTERNAL_ERROR": _Code("HubSpot had an internal error", _HANDLING, status="retry"),
}


_UNKNOWN = _Code("", "")

CODES_BY_WORDS: Mapping[str, str] = {
    # For these HubSpot has no code, only words.
    "already has that value": "UNIQUE_VALUE",
    "required properties were not set": "REQUIRED_PROPERTIES",
    "Duplicate IDs found": "DUPLICATE_IDS",
    "maximum number of inputs": "TOO_MANY_INPUTS",
    "by non-unique": "NOT_UNIQUE",
    "Unable to infer object type": "UNKNOWN_OBJECT",
    "Invalid input JSON": "INVALID_JSON",
}


def effect(status: int, body: object) -> Effect:
    """What an answer other than success means; any undocumented status is uncertain from 500 on, else wrong."""
    word = _policy(body)
    for rule in CALLS:
        if status in rule.statuses and rule.word in ("", word):
            return rule.effect
    return "uncertain" if status >= 500 else "wrong_address"


def about_records(status: int, body: object) -> bool:
    """Whether a batch was rejected because of its records; a 404 only where it says that a record is gone."""
    return status != 404 or rejection(body).code == "OBJECT_NOT_FOUND"


def missing_scopes(body: object) -> tuple[str, ...]:
    """The scopes that a 403 asks for, from any of the places where HubSpot names them."""
    found: list[str] = []
    for part in (_mapping(body), *_errors(body)):
        found += [name for name in context(part, "requiredGranularScopes") if name not in found]
    return tuple(found)


def rejection(error: object, sent: Collection[str] = ()) -> Rejection:
    """What one error means: an item of a 207's ``errors`` or the body of a 4xx. ``sent`` are our values."""
    body = _mapping(error)
    message = str(body.get("message") or "")
    details = _property_errors(body, message)
    code = _code(body, message, details)
    known = RECORDS.get(code, _UNKNOWN)
    if details and code == details[0][0]:
        reason = "; ".join(dict.fromkeys(_detail(code_, name, words, sent) for code_, name, words in details))
    else:
        reason = _worded(code, (known.words or redact(message, sent)) + _names(body, code))
    return Rejection(code, reason, known.status, known.stale, known=known is not _UNKNOWN)


def login_advice(body: object) -> str:
    """What an admin does about a login that HubSpot rejects."""
    code = str(_mapping(body).get("status") or "")
    return LOGINS.get(code, LOGINS[""])[0]


def redact(message: str, sent: Collection[str]) -> str:
    """``message`` without the values that we sent, e-mail addresses, tokens and other values."""
    for value in sorted((value for value in sent if value), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", message, flags=re.IGNORECASE)
        if len(value) > EXCERPT_LENGTH and (start := message.lower().find(value[:EXCERPT_LENGTH].lower())) >= 0:
            message = message[:start] + "…"  # HubSpot shows only the start of long texts
    for pattern in (r"value=[^}]*", r"[\w.+-]+@[\w-]+\.[\w.-]+", r"\bpat-[\w-]+", r"Bearer \S+"):
        message = re.sub(pattern, "…", message)
    return message[:300]


def unique_field_missing(body: object) -> bool:
    """Whether HubSpot rejects a property as the address of records because it is not unique."""
    message = str(_mapping(body).get("message") or "")
    return "non-unique" in message


def context(body: object, name: str) -> list[str]:
    """The names in one entry of an error's ``context``, such as ``ids`` or ``objectWriteTraceId``."""
    found = _mapping(_mapping(body).get("context")).get(name)
    return [str(item) for item in found or []]


def _code(body: Mapping[str, Any], message: str, details: Sequence[tuple[str, str, str]]) -> str:
    for words, code in CODES_BY_WORDS.items():
        if words in message:
            return code
    return details[0][0] if details else str(body.get("category") or body.get("errorType") or "UNKNOWN")


def _property_errors(body: Mapping[str, Any], message: str) -> list[tuple[str, str, str]]:
    """(code, property, message) of each rejected property; HubSpot embeds them as JSON in its message."""
    start = message.find("[{")
    if start >= 0:
        try:
            listed = json.loads(message[start:])
        except ValueError:
            listed = []
        found = [_mapping(item) for item in listed]
        if found:
            return [(str(i.get("error") or ""), str(i.get("name") or ""), str(i.get("message") or "")) for i in found]
    named = []
    for item in _errors(body):
        names = context(item, "propertyName") or [""]
        if item.get("code"):
            named.append((str(item["code"]), names[0], str(item.get("message") or "")))
    return named


def _detail(code: str, name: str, message: str, sent: Collection[str]) -> str:
    known = RECORDS.get(code)
    words = known.words if known else redact(message, sent)
    options = re.search(r"allowed options: \[.*]", message)
    if code == "INVALID_OPTION" and options:
        words = f"… was not one of the {redact(options.group(), sent)}"
    return _worded(code, f"{name}: {words}" if name else words)


def _names(body: Mapping[str, Any], code: str) -> str:
    """The properties or the other record that an error names: names and ids only."""
    if code == "REQUIRED_PROPERTIES" and (names := context(body, "properties")):
        return f": {', '.join(names)}"
    holder = re.search(r"\. (\d+) already has that value", str(body.get("message") or ""))
    return f" (record {holder.group(1)})" if code == "UNIQUE_VALUE" and holder else ""


def _worded(code: str, words: str) -> str:
    return f"{code}: {words}" if words else code


def _policy(body: object) -> str:
    found = _mapping(body)
    policy = str(found.get("policyName") or "")
    return "DAILY" if policy == "DAILY" or "daily limit" in str(found.get("message") or "") else policy


def _errors(body: object) -> list[Mapping[str, Any]]:
    return [_mapping(item) for item in _mapping(body).get("errors") or []]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
