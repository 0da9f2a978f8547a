"""The outermost layer of a sandbox CRM: opens, disturbs, answers and logs each request."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox.core.faults import Fault
from connectors.sandbox.core.log import Entry, loggable
from connectors.sandbox.core.server import CONNECTION, Connection
from connectors.sandbox.core.sim import Sim

_GZIP_FROM = 600
_UNLOGGED = ("/__sim", "/favicon.ico")


class Dropped(Exception):
    """The connection was closed on purpose; there is nobody left to answer."""


class Exchange:
    """One request on its way through a sandbox CRM.

    Handlers may set ``records`` and ``secret`` (a body with credentials is not logged) and add notes.
    """

    def __init__(self, sim: Sim, scope: Scope, body: bytes) -> None:
        self.sim = sim
        self.body = body
        self.records: int | None = None
        self.secret = False
        self.notes: dict[str, Any] = {}
        self.method: str = scope["method"]
        query = scope["query_string"].decode("latin-1")
        self.path: str = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        self.at = sim.clock.now()
        self._started = time.perf_counter()
        self._raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._headers: dict[str, str] | None = None
        self._raw_query: bytes = scope["query_string"]
        self.connection: Connection = scope["extensions"][CONNECTION]
        self._met = False
        self._fault: Fault | None = None
        sim.numbered += 1
        self.number = sim.numbered

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers by lower-case name; of a repeated one the first."""
        if self._headers is None:
            pairs = reversed(self._raw_headers)
            self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
        return self._headers

    @property
    def head_length(self) -> int:
        """Bytes in the path with its query and in all header names and values."""
        return len(self.path) + sum(len(name) + len(value) for name, value in self._raw_headers)

    def query(self) -> dict[str, str]:
        """The parameters of the query string; of a repeated one the last."""
        return dict(parse_qsl(self._raw_query.decode("latin-1"), keep_blank_values=True)) if self._raw_query else {}

    @property
    def fault(self) -> Fault | None:
        """The armed fault this request meets. Faults are looked at (and used up) when first asked for."""
        if not self._met:
            self._met = True
            self._fault = self.sim.faults.meet(self.method, self.path)
        return self._fault

    def kind(self) -> str | None:
        """The kind of the fault met so far, without looking for one."""
        return self._fault.kind if self._fault else None

    def note(self, **notes: Any) -> None:
        """Remember something about this request for the log."""
        self.notes.update(notes)

    def drop(self) -> Dropped:
        """Close the TCP connection now; the result is to be raised."""
        rst = bool(self._fault and self._fault.args.get("rst"))
        self.connection.cut(rst)
        return Dropped()

    def entry(self, status: int | None) -> Entry:
        """The log's view of the finished exchange."""
        return Entry(
            number=self.number,
            at=self.at,
            method=self.method,
            path=self.path,
            headers=loggable(self.headers),
            body=self.body,
            records=self.records,
            status=status,
            duration_ms=(time.perf_counter() - self._started) * 1000,
            fault=self.kind(),
            notes=self.notes,
        )


def exchange_of(request: Request) -> Exchange:
    """The exchange `Gate` opened for this request."""
    exchange: Exchange = request.scope["exchange"]
    return exchange


async def refuse_before(exchange: Exchange) -> Response | None:
    """Play a fault that acts before anything is applied: its answer, or None to go on.

    Raises `Dropped` when the connection was closed.
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


class Reply:
    """A finished answer, held back so that a fault can still change or swallow it. Header names are lower-case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int = 500, headers: list[tuple[bytes, bytes]] | None = None, body: bytes = b"") -> None:
        self.status = status
        self.headers = headers if headers is not None else []
        self.body = body

    @classmethod
    def of(cls, response: Response) -> Reply:
        """The same answer as a Starlette response."""
        return cls(response.status_code, response.raw_headers, bytes(response.body))

    async def collect(self, message: MutableMapping[str, Any]) -> None:
        """Take in what an ASGI app sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


Direct = Callable[[Exchange], Awaitable[Reply | None]]
"""Answers a request without an ASGI app in between, or None when the app shall answer it."""


class Gate:
    """An ASGI app around a sandbox CRM's own app; see `connectors.sandbox.core`."""

    def __init__(self, app: ASGIApp, sim: Sim, *, faults_first: bool, direct: Direct | None = None) -> None:
        self._app = app
        self._sim = sim
        self._faults_first = faults_first
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a request that is not HTTP goes to the app as it is."""
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith(_UNLOGGED):
            await self._app(scope, receive, self._keeping(send))
            return
        exchange = Exchange(self._sim, scope, await _read(scope, receive))
        scope["exchange"] = exchange
        status: int | None = None
        try:
            answer = await self._answer(exchange, scope)
            status = answer.status
            self._sim.log.add(exchange.entry(status), exchange.secret)
            await _send(exchange, answer, send)
        except Dropped:
            if status is None:
                self._sim.log.add(exchange.entry(None), exchange.secret)
            await _until_closed(receive)

    def _keeping(self, send: Send) -> Send:
        async def keep_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._sim.keep()
            await send(message)

        return keep_and_send

    async def _answer(self, exchange: Exchange, scope: Scope) -> Reply:
        if self._faults_first and exchange.fault and (refusal := await refuse_before(exchange)):
            return Reply.of(refusal)
        try:
            answer = await self._direct(exchange) if self._direct else None
            if answer is None:
                answer = Reply()
                await self._app(scope, _replay(exchange.body), answer.collect)
        finally:
            self._sim.keep()
        match exchange.kind():
            case "drop_after":
                raise exchange.drop()
            case "hold_after":
                await _hold(exchange, exchange.fault)  # type: ignore[arg-type]
            case "hang_after":
                await _hang(exchange)
            case "status_after":
                return Reply.of(_scripted(exchange))
            case "bad_json":
                answer.body = b"<html><body>upstream connect error" + answer.body[:20]
        return answer


async def _send(exchange: Exchange, answer: Reply, send: Send) -> None:
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
        raise Dropped
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
        return bytes(body)  # the app refuses it as what it is: not JSON


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
    fault.held += 1
    await _first_of(fault.cleared, exchange.sim.stopping, exchange.connection.closed)
    fault.held -= 1
    if not fault.cleared.is_set():
        raise exchange.drop()


async def _first_of(*moments: asyncio.Event, within: float | None = None) -> None:
    waits = [asyncio.create_task(moment.wait()) for moment in moments]
    await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def _until_closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
