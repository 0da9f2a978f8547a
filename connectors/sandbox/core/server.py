"""HTTP/1.1 over loopback for several ASGI apps in one event loop, with connections that a fault can close.

uvicorn's httptools protocol handles the HTTP. It accepts a head of any length, because the CRM itself answers 414.
uvicorn's `Server` is not used: two of them in one process both install signal handlers, and each waits for
keep-alive connections when it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from email.utils import formatdate
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

CONNECTION = "sandbox.connection"
"""Key in ``scope["extensions"]`` of the `Connection` a request came in on."""

_KEEP_ALIVE_S = 75
_STOP_WITHIN_S = 0.5


class Connection:
    """The TCP connection of a request."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.transport: asyncio.Transport | None = None

    def cut(self, rst: bool = False) -> None:
        """Close at once without sending what is buffered; ``rst`` sends a TCP reset."""
        if self.transport is None:
            return
        if rst:
            sock: socket.socket = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def finish(self) -> None:
        """Close after everything written so far is sent."""
        if self.transport is not None:
            self.transport.close()


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol that passes its connection to the app."""

    def __init__(self, config: Config, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(config, state, {}, loop)
        connection = Connection()
        app: Any = self.app

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {CONNECTION: connection}
            await app(scope, receive, send)

        self.app = with_connection
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows uvicorn's own signature
        self._connection.transport = transport
        # asyncio sets this only for sockets with an explicit protocol number, which these do not have; without it
        # every answer on a keep-alive connection waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.closed.set()
        super().connection_lost(exc)


class HttpServer:
    """One ASGI app on one port of 127.0.0.1. ``port`` 0 picks a free one; OSError when it is taken."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._config = Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._state = ServerState()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self._date_task: asyncio.Task[None] | None = None
        self._listener: asyncio.Server | None = None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    async def start(self) -> None:
        """Start to accept connections."""
        loop = asyncio.get_running_loop()
        self._config.load()
        self._date_task = asyncio.create_task(self._refresh_date_header())
        self._listener = await loop.create_server(
            lambda: _Protocol(self._config, self._state, loop), sock=self._socket, start_serving=True
        )

    async def stop(self) -> None:
        """Let running requests finish for half a second, then close every connection."""
        if self._listener is not None:
            self._listener.close()
        if self._date_task is not None:
            self._date_task.cancel()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=_STOP_WITHIN_S)
        for task in list(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            with contextlib.suppress(AttributeError):
                connection.transport.abort()
        await asyncio.sleep(0)

    async def _refresh_date_header(self) -> None:
        while True:
            self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            await asyncio.sleep(1)
