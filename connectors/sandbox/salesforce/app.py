"""The Salesforce sandbox as an ASGI app: logins, the REST API, the control API and the page at ``/``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.core.control import control_routes
from connectors.sandbox.core.exchange import Exchange
from connectors.sandbox.core.middleware import Middleware, RawResponse
from connectors.sandbox.core.sim import Sim
from connectors.sandbox.salesforce.api import Call, HttpResponse, dispatch, encode
from connectors.sandbox.salesforce.bulk import advance_jobs
from connectors.sandbox.salesforce.controls import OrgControls
from connectors.sandbox.salesforce.errors import RequestRejected, not_found
from connectors.sandbox.salesforce.faults import FAULT_KINDS, record_faults_of
from connectors.sandbox.salesforce.latency import simulated_duration
from connectors.sandbox.salesforce.oauth import OAuth, session_of
from connectors.sandbox.salesforce.org import Accepted, Org
from connectors.sandbox.salesforce.page import render_page
from connectors.sandbox.salesforce.resources import RESOURCES
from connectors.sandbox.salesforce.seed import load_seed

OLDEST, NEWEST = 46, 67
_LONGEST_URI, _LONGEST_HEAD = 16_384, 16_384
_VERSIONED = re.compile(r"/services/data/v(\d+\.0)(/.*)?\Z")
_ALWAYS = (
    (b"cache-control", b"no-cache,must-revalidate,max-age=0,no-store,private"),
    (b"vary", b"Accept-Encoding"),
)
_EXPIRED = RequestRejected("INVALID_SESSION_ID", "Session expired or invalid", None, 401)


def open_org(
    seed: Mapping[str, Any],
    *,
    client_id: str,
    client_secret: str,
    username: str,
    public_key: str | None = None,
    random_seed: int = 1,
) -> Org:
    """A new org with the records of a seed (`salesforce.seed`). Raises `ControlError` for an invalid seed."""
    sim = Sim(random_seed, kinds=FAULT_KINDS)
    org = Org(sim, Accepted(client_id, client_secret, username, public_key))
    load_seed(org, seed)
    org.remember_start()
    return org


def salesforce_app(org: Org) -> Middleware:
    """The org as an ASGI app."""
    oauth = OAuth(org)

    async def data(exchange: Exchange) -> RawResponse | None:
        return await _answer(org, exchange) if exchange.path.startswith("/services/data") else None

    async def page(_: Request) -> Response:
        return Response(render_page(org), media_type="text/html")

    async def nothing(_: Request) -> Response:
        return Response(
            encode([not_found().to_request_error()], pretty=False), 404, media_type="application/json;charset=UTF-8"
        )

    routes = [
        Route("/services/oauth2/token", oauth.token, methods=["POST"]),
        Route("/services/oauth2/userinfo", oauth.userinfo, methods=["GET", "POST"]),
        Route("/services/oauth2/revoke", oauth.revoke, methods=["POST"]),
        Route("/services/Soap/{rest:path}", oauth.soap, methods=["POST"]),
        Route("/id/{organization}/{user}", oauth.identity, methods=["GET", "POST"]),
        *control_routes(OrgControls(org)),
        Route("/", page),
        Route("/services/{rest:path}", nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
    return Middleware(Starlette(routes=routes), org.sim, faults_first=True, direct=data)


async def _answer(org: Org, exchange: Exchange) -> RawResponse:
    if exchange.path.partition("?")[0].rstrip("/") == "/services/data":
        return _reply(_versions(), exchange, ())
    try:
        call = _admit(org, exchange)
    except RequestRejected as rejection:
        return _reply(HttpResponse([rejection.to_request_error()], rejection.status), exchange, _limit_header(org))
    if org.jobs:
        advance_jobs(org)
    async with simulated_duration(org, call) as busy:
        answer = dispatch(RESOURCES, replace(call, record_faults=record_faults_of(exchange, busy)))
    return _reply(answer, exchange, _limit_header(org))


def _admit(org: Org, exchange: Exchange) -> Call:
    """Check session, quota and version, in this order. Raises `RequestRejected`."""
    kind = exchange.kind()
    if kind == "session_expire":
        org.sessions.clear()
    header = exchange.headers.get("authorization", "")
    if header and header.partition(" ")[0].lower() not in ("bearer", "oauth"):
        raise RequestRejected("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", None, 401)
    session = session_of(org, header)
    if session is None:
        raise _EXPIRED
    if kind == "concurrent_limit":
        words = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
        raise RequestRejected("REQUEST_LIMIT_EXCEEDED", words, None, 403)
    if kind == "quota_exhausted" or org.calls_used() >= org.options.daily_api_requests:
        raise RequestRejected("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", None, 403)
    org.use_call()
    if len(exchange.path) > _LONGEST_URI:
        raise RequestRejected("URI_TOO_LONG", "The length of the URI exceeds the 16,384 byte limit.", None, 414)
    if exchange.head_length > _LONGEST_HEAD:
        message = "The combined length of the URI and headers exceeds the 16,384 byte limit."
        raise RequestRejected("REQUEST_HEADER_FIELDS_TOO_LARGE", message, None, 431)
    found = _VERSIONED.match(exchange.path.partition("?")[0])
    if found is None or not OLDEST <= float(found.group(1)) <= NEWEST:
        raise RequestRejected("NOT_FOUND", "The requested resource does not exist", None, 404)
    return Call(
        org=org,
        exchange=exchange,
        user_id=session.user_id,
        version=found.group(1),
        method=exchange.method,
        path=found.group(2) or "/",
        query=exchange.query(),
        raw=exchange.body,
        headers=exchange.headers,
    )


def _reply(answer: HttpResponse, exchange: Exchange, more: Sequence[tuple[bytes, bytes]]) -> RawResponse:
    headers = [*_ALWAYS, *more]
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.body is None:
        return RawResponse(answer.status, headers)
    headers.append((b"content-type", answer.media.encode("latin-1")))
    if isinstance(answer.body, str):
        return RawResponse(answer.status, headers, answer.body.encode())
    return RawResponse(answer.status, headers, encode(answer.body, exchange.headers.get("x-prettyprint") == "1"))


def _limit_header(org: Org) -> tuple[tuple[bytes, bytes]]:
    used = org.calls_used()
    if org.options.limit_jitter:
        used = max(0, used + org.sim.random.randint(-6, 6))
    return ((b"sforce-limit-info", f"api-usage={used}/{org.options.daily_api_requests}".encode()),)


def _versions() -> HttpResponse:
    names = {number: _season(number) for number in range(OLDEST, NEWEST + 1)}
    listed = [
        {"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number, label in names.items()
    ]
    return HttpResponse(listed)


def _season(number: int) -> str:
    # v46.0 was Summer '19; three releases a year.
    step = number - 46
    season = ("Summer", "Winter", "Spring")[step % 3]
    return f"{season} '{19 + (step + 2) // 3}"
