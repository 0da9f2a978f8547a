"""HTTP connections that no server can hold for ever, and whose answers cannot fill the memory.

The usual timeout is the longest silence: a server that sends a byte a second keeps within it. Here a whole answer, from
its status to its last byte, may take `TIMES_SILENCE` times as long, and decompressed it has at most `MOST_BYTES`.
"""

from __future__ import annotations

import io
import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError

from connectors.clock import stopwatch

TIMES_SILENCE = 4
MOST_BYTES = 64 * 2**20
_AT_ONCE = 65_536
_OF_THE_WIRE = ("Content-Encoding", "Content-Length", "Transfer-Encoding")


class AnswerRefused(ProtocolError):
    """The answer takes too long or is too long; the text says which, and the limit."""


def refusal_in(error: BaseException | None) -> str:
    """The text of the `AnswerRefused` inside an error of urllib3 or requests; empty where there is none."""
    while error is not None:
        if isinstance(error, AnswerRefused):
            return str(error)
        inner = (one for one in (*error.args, getattr(error, "reason", None)) if isinstance(one, BaseException))
        error = next(inner, None)
    return ""


def bound(manager: PoolManager) -> None:
    """Bound every connection that this manager opens from now on."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolWithTls}


class BoundedAdapter(HTTPAdapter):
    """Sends what a session of ``requests`` sends, over bounded connections, also through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        bound(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        bound(manager)
        return manager


def post(url: str, data: Any, timeout: tuple[float, float], headers: dict[str, str] | None = None) -> requests.Response:
    """The answer to a single POST over a bounded connection; a redirect is an answer. Raises as ``requests`` does."""
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, BoundedAdapter())
        return session.post(url, data=data, headers=headers, timeout=timeout, allow_redirects=False)


class _Bounded(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's own
        """The answer with its whole body, which is read here, within the limits."""
        silence, sock = self.timeout, self.sock
        if not isinstance(silence, int | float) or sock is None:
            raise ValueError("a bounded connection needs a timeout")
        self.sock = _ReadUntil(sock, stopwatch() + TIMES_SILENCE * silence, silence)
        try:
            answer = super().getresponse()
            return _with_body(answer, _body_of(answer))
        finally:
            if self.sock is not None:
                self.sock = sock


class _BoundedWithTls(_Bounded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _PoolWithTls(HTTPSConnectionPool):
    ConnectionCls = _BoundedWithTls


class _ReadUntil:
    """A socket while one answer is read from it."""

    def __init__(self, sock: socket.socket, until: float, silence: float) -> None:
        self._sock, self._until, self._silence = sock, until, silence

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_Reader(raw, self._sock, self._until, self._silence), _AT_ONCE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Reader(io.RawIOBase):
    """What arrives until a moment of the `stopwatch`."""

    def __init__(self, raw: Any, sock: socket.socket, until: float, silence: float) -> None:
        self._raw, self._sock, self._until, self._silence = raw, sock, until, silence

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - stopwatch()
        try:
            if left > 0:
                self._sock.settimeout(min(left, self._silence))
                count: int | None = self._raw.readinto(buffer)
                return count
        except TimeoutError:
            if left >= self._silence:
                raise
        raise AnswerRefused(f"the answer is not complete after {TIMES_SILENCE * self._silence:g} seconds")

    def close(self) -> None:
        self._raw.close()
        super().close()


def _body_of(answer: BaseHTTPResponse) -> bytes:
    parts, size = [], 0
    for part in answer.stream(_AT_ONCE, decode_content=True):
        size += len(part)
        if size > MOST_BYTES:
            answer.close()
            raise AnswerRefused(f"the answer is longer than {MOST_BYTES // 2**20} MB")
        parts.append(part)
    return b"".join(parts)


def _with_body(answer: HTTPResponse, body: bytes) -> HTTPResponse:
    headers = answer.headers.copy()
    for name in _OF_THE_WIRE:
        headers.discard(name)
    return HTTPResponse(
        io.BytesIO(body),
        headers,
        answer.status,
        answer.version,
        answer.version_string,
        answer.reason,
        preload_content=False,
        original_response=answer._original_response,  # noqa: SLF001 - says that the connection is free again
    )
