"""The outermost layer of a sandbox CRM: reads each request, applies faults to it, answers and logs it."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox.core.exchange import ConnectionDropped, Exchange
from connectors.sandbox.core.faults import Fault
from connectors.sandbox.core.sim import Sim

_GZIP_FROM = 600
_UNLOGGED = ("/__sim", "/favicon.ico")


async def response_before(exchange: Exchange) -> Response | None:
    """Apply a fault that acts before the request does: its response, or None to continue.

    Raises `ConnectionDropped` when the connection was closed.
    """
    fault = exchange.fault
    match fault.kind if fault else None:
        case "status":
            return _scripted(exchange)
        case "delay":
            await asyncio.sleep(exchange.fault.args.get("ms", 0) / 1000)  # type: ignore[union-attr]
        case "drop_before":
            raise exchange.drop()
        case "hold":
            await _hold(exchange, fault)  # type: ignore[arg-type]
        case "hang":
            await _hang(exchange)
    return None


class RawResponse:
    """A finished response that a fault can still change or suppress. Header names are lower-case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int = 500, headers: list[tuple[bytes, bytes]] | None = None, body: bytes = b"") -> None:
        self.status = status
        self.headers = headers if headers is not None else []
        self.body = body

    @classmethod
    def of(cls, response: Response) -> RawResponse:
        """The content of a Starlette response."""
        return cls(response.status_code, response.raw_headers, bytes(response.body))

    async def collect(self, message: MutableMapping[str, Any]) -> None:
        """Collect what an ASGI app sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


DirectHandler = Callable[[Exchange], Awaitable[RawResponse | None]]
"""Answers a request without the ASGI app; None passes the request to the app."""


class Middleware:
    """ASGI middleware around the app of a sandbox CRM; see `connectors.sandbox.core`."""

    def __init__(self, app: ASGIApp, sim: Sim, *, faults_first: bool, direct: DirectHandler | None = None) -> None:
        self._app = app
        self._sim = sim
        self._faults_first = faults_first
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; pass one that is not HTTP to the app unchanged."""
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith(_UNLOGGED):
            await self._app(scope, receive, self._persisting(send))
            return
        exchange = Exchange(self._sim, scope, await _read(scope, receive))
        scope["exchange"] = exchange
        status: int | None = None
        try:
            answer = await self._answer(exchange, scope)
            status = answer.status
            self._sim.log.add(exchange.entry(status), exchange.secret)
            await _send(exchange, answer, send)
        except ConnectionDropped:
            if status is None:
                self._sim.log.add(exchange.entry(None), exchange.secret)
            await _until_closed(receive)

    def _persisting(self, send: Send) -> Send:
        async def persist_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._sim.persist()
            await send(message)

        return persist_and_send

    async def _answer(self, exchange: Exchange, scope: Scope) -> RawResponse:
        if self._faults_first and exchange.fault and (early := await response_before(exchange)):
            return RawResponse.of(early)
        try:
            answer = await self._direct(exchange) if self._direct else None
            if answer is None:
                answer = RawResponse()
                await self._app(scope, _replay(exchange.body), answer.collect)
        finally:
            self._sim.persist()
        match exchange.kind():
            case "drop_after":
                raise exchange.drop()
            case "hold_after":
                await _hold(exchange, exchange.fault)  # type: ignore[arg-type]
            case "hang_after":
                await _hang(exchange)
            case "status_after":
                return RawResponse.of(_scripted(exchange))
            case "bad_json":
                answer.body = b"<html><body>upstream connect error" + answer.body[:20]
        return answer


async def _send(exchange: Exchange, answer: RawResponse, send: Send) -> None:
    headers = [pair for pair in answer.headers if pair[0] != b"content-length"]
    body = answer.body
    if len(body) >= _GZIP_FROM and "gzip" in exchange.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers.append((b"content-encoding", b"gzip"))
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if exchange.kind() == "truncate":
        kept = int(exchange.fault.args.get("bytes", len(body) // 2))  # type: ignore[union-attr]
        await send({"type": "http.response.body", "body": body[:kept], "more_body": True})
        exchange.connection.finish()
        raise ConnectionDropped
    await send({"type": "http.response.body", "body": body})


async def _read(scope: Scope, receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    encoded = any(name == b"content-encoding" and value == b"gzip" for name, value in scope["headers"])
    if not encoded:
        return bytes(body)
    try:
        return gzip.decompress(bytes(body))
    except (OSError, EOFError, zlib.error):
        return bytes(body)  # the app rejects it as invalid JSON


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _scripted(exchange: Exchange) -> Response:
    args = exchange.fault.args if exchange.fault else {}
    headers = {str(name): str(value) for name, value in args.get("headers", {}).items()}
    status = int(args.get("status", 503))
    if "body" in args:
        return Response(json.dumps(args["body"]), status, headers, media_type="application/json;charset=UTF-8")
    return Response(str(args.get("text", "")), status, headers, media_type="text/html")


async def _hang(exchange: Exchange) -> None:
    limit = float(exchange.fault.args.get("max_s", 60)) if exchange.fault else 0.0
    await _first_of(exchange.sim.stopping, exchange.connection.closed, within=limit)
    raise exchange.drop()


async def _hold(exchange: Exchange, fault: Fault) -> None:
    fault.waiting += 1
    await _first_of(fault.cleared, exchange.sim.stopping, exchange.connection.closed)
    fault.waiting -= 1
    if not fault.cleared.is_set():
        raise exchange.drop()


async def _first_of(*events: asyncio.Event, within: float | None = None) -> None:
    waits = [asyncio.create_task(moment.wait()) for moment in events]
    await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def _until_closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
