"""The HubSpot sandbox as an ASGI app, and the order in which it checks a request.

Path, credential, daily limit, rate window, armed fault, scope, JSON and body, each record, effect. The first check
that fails answers. A request rejected before the fault does not count against any limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connectors.sandbox.core.control import control_routes
from connectors.sandbox.core.exchange import Exchange
from connectors.sandbox.core.middleware import DirectHandler, Middleware, RawResponse, response_before
from connectors.sandbox.core.sim import Sim
from connectors.sandbox.hubspot.auth import Caller
from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.controls import PortalControls
from connectors.sandbox.hubspot.errors import RequestRejected, missing_scopes
from connectors.sandbox.hubspot.faults import FAULT_KINDS, complete_status_fault, raise_fault
from connectors.sandbox.hubspot.limits import Bucket
from connectors.sandbox.hubspot.page import page
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.routes import Found, find_route
from connectors.sandbox.hubspot.seed import load_seed
from connectors.wire import compact_json

_NO_SUCH_PAGE = b"<!DOCTYPE html><html><head><title>404</title></head><body><h1>Page not found</h1></body></html>"
_HTML = (b"content-type", b"text/html; charset=utf-8")
_JSON = (b"content-type", b"application/json;charset=utf-8")
_ANONYMOUS = Caller("anonymous", oauth=True)


def open_portal(seed: dict[str, Any], *, random_seed: int, token: str) -> Portal:
    """A portal with the records of ``seed`` that accepts ``token``. Raises `ControlError` for an invalid seed."""
    portal = Portal(Sim(random_seed, kinds=FAULT_KINDS), token)
    load_seed(portal, seed)
    portal.remember_start()
    return portal


def hubspot_app(state: Portal) -> Middleware:
    """The portal's API, its control API below ``/__sim`` and the page at ``/``."""

    async def home(_request: Request) -> Response:
        return HTMLResponse(page(state))

    pages = Starlette(routes=[*control_routes(PortalControls(state)), Route("/", home)])
    return Middleware(pages, state.sim, faults_first=False, direct=_api(state))


def _api(portal: Portal) -> DirectHandler:
    async def answer(exchange: Exchange) -> RawResponse | None:
        path, _, query = exchange.path.partition("?")
        if path == "/" or path.startswith("/__sim"):
            return None
        found = find_route(exchange.method, path)
        if found is None:
            return RawResponse(404, [_HTML], _NO_SUCH_PAGE)
        bucket, caller, headers = found.route.bucket, _ANONYMOUS, {}
        try:
            caller = _caller(portal, exchange, bucket)
            _count(portal, exchange, bucket, caller)
            if exchange.fault is not None:
                complete_status_fault(portal, exchange.fault)
                if rejection := await response_before(exchange):
                    return RawResponse.of(rejection)
            status, body = _answer(portal, exchange, found, query)
        except RequestRejected as rejection:
            status, body, headers = rejection.status, dict(rejection.body), dict(rejection.headers)
            if status == 429 and portal.options.retry_after:
                headers["Retry-After"] = "10" if portal.options.retry_after == "s" else "10000"
        return _reply(portal, exchange, bucket, caller, (status, body), headers)

    return answer


def _caller(portal: Portal, exchange: Exchange, bucket: Bucket) -> Caller:
    if bucket == "open":
        return _ANONYMOUS
    return portal.access.caller(exchange.headers.get("authorization"), exchange.at.timestamp())


def _count(portal: Portal, exchange: Exchange, bucket: Bucket, caller: Caller) -> None:
    rejection = portal.limits.rejection(bucket, caller.app, exchange.at, portal.options, portal.foreign_calls())
    if rejection is not None:
        raise rejection
    exchange.add_notes(window=portal.limits.used_in_window(caller.app, exchange.at))


def _answer(portal: Portal, exchange: Exchange, found: Found, query: str) -> HttpResponse:
    raise_fault(portal, exchange)
    scopes = found.scopes(portal.contents.kind(found.params.get("type", "")))
    if scopes and portal.access.scopes.isdisjoint(scopes):
        raise missing_scopes(scopes[:1])
    asked = parse_qs(query, keep_blank_values=True) if query else {}
    call = Call(
        portal=portal,
        exchange=exchange,
        version=found.version,
        params=found.params,
        query=asked,
        at_ms=portal.now_ms(),
    )
    return found.route.handler(call)


def _reply(
    portal: Portal, exchange: Exchange, bucket: Bucket, caller: Caller, answer: HttpResponse, more: Mapping[str, str]
) -> RawResponse:
    status, body = answer
    correlation_id = str(UUID(int=portal.sim.random.getrandbits(128), version=4))
    named = {"x-hubspot-correlation-id": correlation_id, **more}
    if portal.options.headers and caller is not _ANONYMOUS and exchange.kind() != "headers_missing":
        named |= portal.limits.headers(bucket, caller, exchange.at, portal.options, portal.foreign_calls())
    portal.sim.counters[f"answers.{status}"] += 1
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    if body is None:
        return RawResponse(status, headers)
    if status >= 400:
        body = {**body, "correlationId": correlation_id}
    return RawResponse(status, [*headers, _JSON], compact_json(body))
