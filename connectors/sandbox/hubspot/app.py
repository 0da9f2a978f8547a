"""The HubSpot sandbox as an ASGI app, and the order in which a request is judged.

Path, credential, day, window, armed fault, scope, JSON and shape, each record, effect; the first that refuses
answers. What is refused before the fault is not counted against any limit.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connectors.sandbox.core.control import control_routes
from connectors.sandbox.core.gate import Exchange, Gate, exchange_of, refuse_before
from connectors.sandbox.hubspot.auth import Caller
from connectors.sandbox.hubspot.call import Answer, Call
from connectors.sandbox.hubspot.errors import Refusal, missing_scopes
from connectors.sandbox.hubspot.limits import Bucket, portal_day
from connectors.sandbox.hubspot.mishaps import refuse_at_the_gate, speak_hubspot
from connectors.sandbox.hubspot.page import page
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.routes import Found, find_route
from connectors.sandbox.hubspot.seed import load_seed

__all__ = ["Portal", "hubspot_app", "load_seed", "open_portal"]

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_NO_SUCH_PAGE = "<!DOCTYPE html><html><head><title>404</title></head><body><h1>Page not found</h1></body></html>"
_NOBODY = Caller("nobody", oauth=True)


def open_portal(seed: dict[str, Any], *, random_seed: int, token: str) -> Portal:
    """A portal with the records of ``seed`` that accepts ``token``. Raises `ControlError` for a bad seed."""
    portal = Portal(random_seed, token)
    portal.load(seed)
    portal.remember_start()
    return portal


def hubspot_app(state: Portal) -> Gate:
    """The portal's API, its control API below ``/__sim`` and the page at ``/``."""

    async def show(_request: Request) -> Response:
        return HTMLResponse(page(state))

    routes = [*control_routes(state), Route("/", show), Route("/{path:path}", _api(state), methods=_METHODS)]
    return Gate(Starlette(routes=routes), state.sim, faults_first=False)


def _api(portal: Portal) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        exchange = exchange_of(request)
        found = find_route(request.method, request.scope["path"])
        if found is None:
            return HTMLResponse(_NO_SUCH_PAGE, 404)
        caller, headers = _NOBODY, {}
        try:
            caller = _caller(portal, exchange, found.route.bucket, request.headers.get("authorization"))
            _count(portal, exchange, found.route.bucket, caller)
            speak_hubspot(portal, exchange.fault)
            if refusal := await refuse_before(exchange):
                return refusal
            status, body = _answer(portal, exchange, found, request)
        except Refusal as refused:
            status, body, headers = refused.status, dict(refused.body), dict(refused.headers)
            if status == 429 and portal.options.retry_after:
                headers["Retry-After"] = "10" if portal.options.retry_after == "s" else "10000"
        return _respond(portal, exchange, found.route.bucket, caller, (status, body), headers)

    return endpoint


def _caller(portal: Portal, exchange: Exchange, bucket: Bucket, authorization: str | None) -> Caller:
    return _NOBODY if bucket == "open" else portal.access.caller(authorization, exchange.at.timestamp())


def _count(portal: Portal, exchange: Exchange, bucket: Bucket, caller: Caller) -> None:
    at, options = exchange.at.timestamp(), portal.options
    refusal = portal.limits.refusal(
        bucket,
        caller.app,
        at,
        plan_max=options.plan_max,
        search_max=options.search_max,
        daily=options.daily,
        day=portal_day(exchange.at, options.time_zone),
        others=portal.others(),
    )
    if refusal is not None:
        raise refusal
    exchange.note(window=portal.limits.used_in_window(caller.app, at))


def _answer(portal: Portal, exchange: Exchange, found: Found, request: Request) -> Answer:
    refuse_at_the_gate(portal, exchange)
    scopes = found.scopes(portal.contents.kind(found.params.get("type", "")))
    if scopes and portal.access.scopes.isdisjoint(scopes):
        raise missing_scopes(scopes[:1])
    call = Call(portal, exchange, found.version, found.params, request.query_params, portal.now_ms())
    return found.route.handler(call)


def _respond(
    portal: Portal, exchange: Exchange, bucket: Bucket, caller: Caller, answer: Answer, headers: dict[str, str]
) -> Response:
    status, body = answer
    correlation_id = str(UUID(int=portal.sim.random.getrandbits(128), version=4))
    headers["X-HubSpot-Correlation-Id"] = correlation_id
    if portal.options.headers and exchange.kind() != "headers_missing":
        headers |= _rate_headers(portal, exchange, bucket, caller)
    portal.sim.counters[f"answers.{status}"] += 1
    if body is None:
        return Response(status_code=status, headers=headers)
    if status >= 400:
        body = {**body, "correlationId": correlation_id}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    headers["Content-Type"] = "application/json;charset=utf-8"
    return Response(text.encode("utf-8", "surrogatepass"), status, headers)


def _rate_headers(portal: Portal, exchange: Exchange, bucket: Bucket, caller: Caller) -> dict[str, str]:
    if caller is _NOBODY:
        return {}
    options = portal.options
    daily = None if caller.oauth else options.daily
    at = exchange.at.timestamp()
    return dict(portal.limits.headers(bucket, caller.app, at, options.plan_max, daily, portal.others()))
