"""A server that never ends, or whose answer has no end, costs seconds and some memory, whoever asks it."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
import requests

from connectors.base import CallFailed, Destination, Secret
from connectors.bounded import MOST_BYTES, BoundedAdapter, post
from connectors.hubspot.connector import HubSpotConnector
from connectors.salesforce.connector import SalesforceConnector
from tests.unit.connectors.hubspot.test_hubspot_transport import server
from worker.alerts.channels import NotSent, _post

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ZEROS = bytes(2**20)
SLOW = "not complete after 4 seconds|ReadTimeout"
"""On a busy machine the server itself may be silent for a second."""
Reply = Callable[[socket.socket], object]


def drip(connection: socket.socket, start: bytes) -> None:
    connection.sendall(start)
    while True:
        connection.sendall(b"1")
        time.sleep(0.1)


def pour(connection: socket.socket, head: bytes, part: bytes) -> None:
    connection.sendall(HEAD + head + b"\r\n")
    for _ in range(3 * 2**30 // len(ZEROS)):
        connection.sendall(part)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


ENDLESS: dict[str, tuple[Reply, str]] = {
    "a byte now and then": (lambda to: drip(to, HEAD + b"\r\n"), SLOW),
    "the same, in a chunk": (
        lambda to: drip(to, HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n"),
        SLOW,
    ),
    "a header now and then": (lambda to: drip(to, HEAD + b"X-Words: "), SLOW),
    "3 GB": (lambda to: pour(to, b"", ZEROS), "longer than 64 MB"),
    "3 GB in chunks": (lambda to: pour(to, b"Transfer-Encoding: chunked\r\n", chunk(ZEROS)), "longer than 64 MB"),
    "3 GB packed": (lambda to: pour(to, b"Content-Encoding: gzip\r\n", gzip.compress(ZEROS)), "longer than 64 MB"),
}


def destination(kind: str, url: str) -> Destination:
    auth: dict[str, str | Secret] = {"token": lambda: "t", "client_id": "c", "client_secret": lambda: "s"}
    if kind == "salesforce":
        auth |= {"method": "client_credentials"}
    return Destination(
        name="crm",
        kind=kind,
        base_url=url,
        api_version={"salesforce": "66.0", "hubspot": "v3"}[kind],
        auth=auth,
        object={"salesforce": "Account", "hubspot": "companies"}[kind],
        match_field="key",
        timeout_s=1.0,
    )


def ask_hubspot(url: str) -> None:
    HubSpotConnector(destination("hubspot", url)).describe("account")


def ask_salesforce(url: str) -> None:
    SalesforceConnector(destination("salesforce", url)).describe("account")


def alert(url: str) -> None:
    _post(url, {"text": "x"})


@pytest.mark.parametrize("ask", [ask_hubspot, ask_salesforce, alert])
@pytest.mark.parametrize("answer", ENDLESS)
def test_an_answer_without_end_is_refused_in_words(
    answer: str, ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.alerts.channels.TIMEOUT_S", 1.0)
    reply, words = ENDLESS[answer]

    def until_nobody_listens(connection: socket.socket) -> None:
        with suppress(OSError):
            reply(connection)

    with server(until_nobody_listens) as (url, _), pytest.raises((CallFailed, NotSent), match=words):
        ask(url)


def test_a_whole_answer_is_as_it_was_and_its_connection_is_used_again() -> None:
    body = json.dumps({"a": "ü" * 100_000}).encode()
    packed = gzip.compress(body)

    def reply(connection: socket.socket) -> None:
        for _ in range(2):
            length = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
            connection.sendall(HEAD + length + packed)
            connection.recv(65536)

    with server(reply) as (url, connections), requests.Session() as session:
        session.mount("http://", BoundedAdapter())
        answers = [session.get(url, timeout=5) for _ in range(2)]
    assert [one.content for one in answers] == [body, body]
    assert len(connections) == 1


def test_an_answer_of_just_the_most_bytes_is_taken() -> None:
    with server(lambda to: to.sendall(HEAD + b"Connection: close\r\n\r\n" + bytes(MOST_BYTES))) as (url, _):
        assert len(post(url, b"", (5, 5)).content) == MOST_BYTES
