"""hubspot-api-client as it is, against a socket that misbehaves: applied, not applied, or not known."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from connectors.hubspot.transport import HttpResponse, HubSpotTransport, NoAnswer, NotSent

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-HubSpot-RateLimit-Max: 190\r\n"


@contextmanager
def server(
    reply: Callable[[socket.socket], object], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with (
                connection,
                suppress(ssl.SSLError),
                tls.wrap_socket(connection, server_side=True) if tls else connection as talk,
            ):
                requests.append(_request(talk))
                reply(talk)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with closing(listener):
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}", requests
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def send(url: str) -> HttpResponse:
    transport = HubSpotTransport(url, 2.0)
    try:
        return transport.send("POST", "/crm/v3/objects/companies/batch/update", {}, {"inputs": []}, "pat-x")
    finally:
        transport.close()


def test_a_whole_answer_comes_back_with_status_headers_and_json() -> None:
    with server(lambda s: s.sendall(OK + b'Content-Length: 8\r\n\r\n{"a": 1}')) as (url, requests):
        answer = send(url)
    assert (answer.status, answer.body, answer.headers["x-hubspot-ratelimit-max"]) == (200, {"a": 1}, "190")
    assert b"Bearer pat-x" in requests[0]
    assert requests[0].endswith(b'{"inputs": []}')


@pytest.mark.parametrize(
    "reply",
    [
        lambda _: None,
        lambda s: s.sendall(OK + b'Content-Length: 90\r\n\r\n{"status": "COMP'),
        lambda s: s.sendall(OK + b"Content-Length: 7\r\n\r\n<html/>"),
        lambda s: s.sendall(b"HTTP/1.1 200"),
    ],
    ids=["closed", "cut", "not json", "half a status line"],
)
def test_a_broken_answer_is_no_answer_and_the_request_is_sent_once(reply: Any) -> None:
    with server(reply) as (url, requests):
        with pytest.raises(NoAnswer):
            send(url)
        assert len(requests) == 1


def test_an_error_page_of_a_proxy_is_an_answer_without_a_body() -> None:
    page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"
    with server(lambda s: s.sendall(page)) as (url, requests):
        answer = send(url)
        assert (answer.status, answer.body) == (502, None)
        assert len(requests) == 1


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with server(lambda s: s.sendall(moved)) as (url, requests):
        assert send(url).status == 302
        assert len(requests) == 1


def test_a_refused_connection_means_nothing_was_applied() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSent):
        send(f"http://127.0.0.1:{port}")


def test_silence_ends_after_the_timeout() -> None:
    release = threading.Event()
    with server(lambda _: bool(release.wait(10))) as (url, _):
        transport = HubSpotTransport(url, 0.2)
        with pytest.raises(NoAnswer):
            transport.send("GET", "/x", {}, None, "pat-x")
        release.set()
