"""The proxy and the certificates between us and HubSpot: taken from the environment, as requests takes them."""

from __future__ import annotations

import base64
import datetime as dt
import socket
import ssl
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.hubspot.transport import HubSpotTransport, NoAnswer, NotSent
from tests.unit.connectors.hubspot.test_hubspot_transport import OK, send, server

WHOLE = OK + b'Content-Length: 8\r\n\r\n{"a": 1}'
ELSEWHERE = "http://hubspot.invalid"
"""A name that does not resolve: the proxy answers for it."""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that only who has the file trusts, and its key beside it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "key.pem").write_bytes(text)
    (tmp_path / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return tmp_path / "certificate.pem"


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.parent / "key.pem")
    return context


def test_calls_go_through_the_proxy_with_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda s: s.sendall(WHOLE)) as (proxy, requests):
        monkeypatch.setenv("HTTP_PROXY", proxy.replace("//", "//ann:p%40ss@"))
        assert send(ELSEWHERE).body == {"a": 1}
    assert requests[0].startswith(b"POST http://hubspot.invalid/crm/v3/objects/companies/batch/update ")
    assert b"Basic " + base64.b64encode(b"ann:p@ss") in requests[0]


def test_a_proxy_without_a_scheme_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda s: s.sendall(WHOLE)) as (proxy, requests):
        monkeypatch.setenv("HTTP_PROXY", proxy.removeprefix("http://"))
        assert send(ELSEWHERE).status == 200
        assert len(requests) == 1


def test_a_host_that_is_left_out_is_called_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda s: s.sendall(WHOLE)) as (proxy, passed), server(lambda s: s.sendall(WHOLE)) as (url, requests):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert send(url).status == 200
        assert (len(passed), len(requests)) == (0, 1)


def test_what_a_proxy_lost_may_have_been_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda _: None) as (proxy, requests):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(NoAnswer):
            send(ELSEWHERE)
        assert len(requests) == 1


def test_a_proxy_that_lets_nobody_through_got_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with server(lambda s: s.sendall(refused)) as (proxy, requests):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(NotSent, match="HTTPS_PROXY"):
            send("https://hubspot.invalid")
    assert [request.split()[:2] for request in requests] == [[b"CONNECT", b"hubspot.invalid:443"]]


def test_a_proxy_that_is_not_there_got_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(NotSent, match="HTTP_PROXY"):
        send(ELSEWHERE)


def test_a_kind_of_proxy_that_cannot_be_used_is_reported_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(ValueError, match="socks5"):
        HubSpotTransport(ELSEWHERE, 2.0)


def test_nothing_is_sent_to_a_certificate_nobody_vouches_for(certified: Path) -> None:
    with server(lambda s: s.sendall(WHOLE), tls(certified)) as (url, requests):
        with pytest.raises(NotSent, match="certificate"):
            send(url)
        assert requests == []


def test_the_certificates_of_the_environment_are_trusted(certified: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certified))
    with server(lambda s: s.sendall(WHOLE), tls(certified)) as (url, _):
        assert send(url).body == {"a": 1}
