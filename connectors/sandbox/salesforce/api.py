"""One call of the REST API, sent over HTTP or inside a Composite request, and its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.core.exchange import Exchange
from connectors.sandbox.salesforce.errors import RequestRejected, malformed, not_found
from connectors.sandbox.salesforce.faults import RecordFaults
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.table import Journal
from connectors.wire import compact_json, parse_json

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """``path`` is what follows ``/services/data/vNN.0``; header names are lower-case.

    ``journal`` is set inside a transaction of several calls, ``record_faults`` when a fault acts on records.
    """

    org: Org
    exchange: Exchange
    user_id: str
    version: str
    method: str
    path: str
    query: Mapping[str, str]
    raw: bytes
    headers: Mapping[str, str]
    journal: Journal | None = None
    record_faults: RecordFaults | None = None

    @property
    def base(self) -> str:
        """``/services/data/vNN.0`` of this call."""
        return f"/services/data/v{self.version}"

    def json(self) -> Json:
        """The body. Raises `RequestRejected` JSON_PARSER_ERROR."""
        try:
            return parse_json(self.raw)
        except (ValueError, RecursionError) as problem:
            raise malformed(f"Unexpected character in the request body: {problem}") from None

    def body(self) -> dict[str, Json]:
        """The body, which must be a JSON object. Raises `RequestRejected`."""
        given = self.json()
        if not isinstance(given, dict):
            raise malformed("The HTTP entity body is required to be a JSON object")
        return given

    def kind(self, name: str) -> ObjectType:
        """The object named in the path. Raises `RequestRejected` 404."""
        kind = self.org.catalogue.find(name)
        if kind is None:
            raise not_found()
        return kind


@dataclass(slots=True)
class HttpResponse:
    """``body`` is a JSON value, or text when ``media`` is not JSON; None sends no body."""

    body: Json = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media: str = "application/json;charset=UTF-8"


Handler = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Resource:
    """One path of the API and the handler of each method. Groups of the pattern become arguments after the call."""

    pattern: re.Pattern[str]
    methods: Mapping[str, Handler]


def resource(pattern: str, **methods: Handler) -> Resource:
    """A resource, e.g. ``resource(r"/sobjects/(\\w+)/describe", GET=describe)``."""
    return Resource(re.compile(pattern + r"/?\Z"), methods)


def dispatch(resources: Sequence[Resource], call: Call) -> HttpResponse:
    """The answer to a call; a rejection becomes Salesforce's error list."""
    try:
        for one in resources:
            found = one.pattern.match(call.path)
            if found is None:
                continue
            handler = one.methods.get("GET" if call.method == "HEAD" else call.method)
            if handler is None:
                message = f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(one.methods)}"
                raise RequestRejected("METHOD_NOT_ALLOWED", message, None, 405)
            return handler(call, *found.groups())
        raise not_found()
    except RequestRejected as rejection:
        return HttpResponse([rejection.to_request_error()], rejection.status)


def encode(body: Json, pretty: bool) -> bytes:
    """JSON as Salesforce sends it: compact, or indented with ``X-PrettyPrint: 1``."""
    if pretty:
        return json.dumps(body, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    return compact_json(body)
