"""Up to 25 requests in one call: ``POST /composite``, where each may refer to earlier answers, and its ``/batch``.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_batch.htm
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.sandbox.salesforce.api import Call, Handler, HttpResponse, Resource, dispatch
from connectors.sandbox.salesforce.errors import RequestRejected, malformed, not_found
from connectors.sandbox.salesforce.table import Journal

_MOST_REQUESTS = 25
_MOST_HEAVY = 5
_HEAVY = re.compile(r"/services/data/v[\d.]+/(query|queryAll|composite/sobjects)\b")
_URL = re.compile(r"/services/data/v(\d+\.0)(/.*)?\Z")
_BATCH_URL = re.compile(r"/?(?:services/data/)?v(\d+\.0)(/.*)\Z")
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_HALTED = {
    "errorCode": "PROCESSING_HALTED",
    "message": "The transaction was rolled back since another operation in the same transaction failed.",
}
Json = Any


def composite(resources: Sequence[Resource]) -> Handler:
    """The handler; these resources answer its parts."""

    def handle(call: Call) -> HttpResponse:
        body = call.body()
        parts = _parts(body)
        together = bool(body.get("allOrNone"))
        journal = Journal()
        answers: dict[str, HttpResponse] = {}
        for part in parts:
            answers[part["referenceId"]] = _answer(resources, call, part, journal, answers)
        failed = [name for name, answer in answers.items() if _failed(answer)]
        if together and failed:
            journal.roll_back()
            for name in answers.keys() - set(failed):
                answers[name] = HttpResponse([_HALTED], 400)
        shown = [_shown(name, answer) for name, answer in answers.items()]
        return HttpResponse({"compositeResponse": shown})

    return handle


def batch(resources: Sequence[Resource]) -> Handler:
    """The handler of ``POST /composite/batch``: each request is independent and counts as one call."""

    def handle(call: Call) -> HttpResponse:
        body = call.body()
        parts = _requests(body, "batchRequests", "method", "url")
        results: list[dict[str, Json]] = []
        failed = False
        for part in parts:
            if failed and body.get("haltOnError"):
                halted = {"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}
                results.append({"statusCode": 412, "result": [halted]})
                continue
            answer = _batch_answer(resources, call, part)
            failed = failed or answer.status >= 400
            results.append({"statusCode": answer.status, "result": answer.body})
        for _ in parts[1:]:
            call.org.use_call()
        return HttpResponse({"hasErrors": failed, "results": results})

    return handle


def _parts(body: Mapping[str, Json]) -> list[dict[str, Json]]:
    parts = _requests(body, "compositeRequest", "method", "url", "referenceId")
    if sum(bool(_HEAVY.match(part["url"])) for part in parts) > _MOST_HEAVY:
        message = f"The number of query and sObject Collections requests exceeds the limit of {_MOST_HEAVY}"
        raise RequestRejected("LIMIT_EXCEEDED", message, None)
    if len({part["referenceId"] for part in parts}) < len(parts):
        raise malformed("every request needs a referenceId of its own")
    return parts


def _requests(body: Mapping[str, Json], name: str, *needed: str) -> list[dict[str, Json]]:
    """The list of requests in a body, each with the ``needed`` texts. Raises `RequestRejected`."""
    parts = body.get(name)
    if not isinstance(parts, list) or not parts or not all(_is_request(part, needed) for part in parts):
        raise malformed(f"{name} has to be a list of requests with {', '.join(needed[:-1])} and {needed[-1]}")
    if len(parts) > _MOST_REQUESTS:
        message = f"The number of requests {len(parts)} exceeds the limit of {_MOST_REQUESTS}"
        raise RequestRejected("LIMIT_EXCEEDED", message, None)
    return parts


def _is_request(part: Json, needed: Sequence[str]) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("httpHeaders", {}), dict):
        return False
    return all(isinstance(part.get(name), str) for name in needed)


def _answer(
    resources: Sequence[Resource],
    call: Call,
    part: Mapping[str, Json],
    journal: Journal,
    answers: Mapping[str, HttpResponse],
) -> HttpResponse:
    try:
        inner = _subcall(call, _URL, str(_filled(part["url"], answers)), part["method"])
        raw = json.dumps(_filled(part["body"], answers)).encode() if "body" in part else b""
    except RequestRejected as rejection:
        return HttpResponse([rejection.to_request_error()], rejection.status)
    headers = {name.lower(): str(value) for name, value in part.get("httpHeaders", {}).items()}
    return dispatch(resources, replace(inner, raw=raw, headers=headers, journal=journal))


def _batch_answer(resources: Sequence[Resource], call: Call, part: Mapping[str, Json]) -> HttpResponse:
    try:
        inner = _subcall(call, _BATCH_URL, part["url"], part["method"])
    except RequestRejected as rejection:
        return HttpResponse([rejection.to_request_error()], rejection.status)
    raw = json.dumps(part["richInput"]).encode() if "richInput" in part else b""
    return dispatch(resources, replace(inner, raw=raw))


def _subcall(call: Call, pattern: re.Pattern[str], address: str, method: str) -> Call:
    """A request inside ``call``, without body and headers. Raises `RequestRejected` 404 for an unknown address."""
    url = urlsplit(address)
    found = pattern.match(url.path)
    if found is None:
        raise not_found()
    return replace(
        call,
        version=found.group(1),
        method=method.upper(),
        path=found.group(2) or "/",
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        raw=b"",
        headers={},
    )


def _filled(value: Json, answers: Mapping[str, HttpResponse]) -> Json:
    """A value with every ``@{reference.path}`` replaced by the value in that answer."""
    if isinstance(value, dict):
        return {key: _filled(one, answers) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, answers) for one in value]
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda found: str(_looked_up(found.group(1), found.group(2), answers)), value)


def _looked_up(name: str, path: str, answers: Mapping[str, HttpResponse]) -> Json:
    found: Json = answers[name].body if name in answers else None
    for key, index in _STEP.findall(path):
        try:
            found = found[int(index)] if index else found[key]
        except (KeyError, IndexError, TypeError):
            found = None
    if found is None:
        message = f"Invalid reference specified. No value for {name}{path} found in {name}"
        raise RequestRejected("PROCESSING_HALTED", message, None)
    return found


def _failed(answer: HttpResponse) -> bool:
    if answer.status >= 400:
        return True
    return isinstance(answer.body, list) and any(
        isinstance(one, dict) and one.get("success") is False for one in answer.body
    )


def _shown(name: str, answer: HttpResponse) -> dict[str, Json]:
    headers = {key: value for key, value in answer.headers.items() if key == "Location"}
    return {"body": answer.body, "httpHeaders": headers, "httpStatusCode": answer.status, "referenceId": name}
