"""The HTTP of the Salesforce API: headers of every answer, compression, chunked bodies, limits of the head."""

from __future__ import annotations

import gzip
import json
import socket
from urllib.parse import urlsplit

import pytest
import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME

HOT = {"records": [{"attributes": {"type": "Account"}, "id": ACME, "Rating": "Hot"}]}


def test_every_answer_has_the_recorded_headers_errors_included(api: Api) -> None:
    for path, status in (("/limits", 200), ("/nothing", 404), ("/query?q=x", 400), (f"/sobjects/Account/{ACME}", 200)):
        answer = api.call("GET", path)
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
        assert answer.headers["Cache-Control"] == "no-cache,must-revalidate,max-age=0,no-store,private"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=")


def test_the_list_of_versions_needs_no_login_and_counts_no_call(api: Api) -> None:
    before = api.sim("state")["api_calls"]
    answer = requests.get(f"{api.url}/services/data", timeout=10)
    versions = [one["version"] for one in answer.json()]
    assert (versions[0], versions[-1], len(versions)) == ("46.0", "67.0", 22)
    assert answer.json()[-1]["url"] == "/services/data/v67.0"
    assert "Sforce-Limit-Info" not in answer.headers
    assert api.sim("state")["api_calls"] == before


@pytest.mark.parametrize("version", range(46, 68))
def test_each_version_is_served(api: Api, version: int) -> None:
    assert api.call("GET", f"/services/data/v{version}.0/limits").status_code == 200


def test_answers_are_compact_unless_pretty_ones_are_asked_for(api: Api) -> None:
    plain = api.call("GET", "/limits")
    pretty = api.call("GET", "/limits", headers={"X-PrettyPrint": "1"})
    assert (plain.text.count("\n"), plain.json().keys()) == (0, pretty.json().keys())
    assert pretty.text.count("\n") > 10


def test_long_answers_are_gzipped_when_asked(api: Api) -> None:
    path = "/sobjects/Account/describe"
    assert api.call("GET", path).headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in api.call("GET", path, headers={"Accept-Encoding": "identity"}).headers


def test_bodies_may_come_chunked_or_gzipped(api: Api) -> None:
    url = f"{api.url}/services/data/v67.0/composite/sobjects"
    raw = json.dumps(HOT).encode()
    chunked = api.http.patch(url, data=iter([raw[:10], raw[10:]]), timeout=10)
    assert chunked.request.headers["Transfer-Encoding"] == "chunked"
    assert chunked.json()[0]["success"]
    zipped = api.http.patch(url, data=gzip.compress(raw), headers={"Content-Encoding": "gzip"}, timeout=10)
    assert zipped.json()[0]["success"]
    assert api.stored("Account", ACME)["Rating"] == "Hot"


def test_a_body_that_is_no_json_is_rejected(api: Api) -> None:
    url = f"{api.url}/services/data/v67.0/composite/sobjects"
    for raw in (b"", b"{", b"[]", b"\xff", b'{"records": NaN}'):
        answer = api.http.patch(url, data=raw, timeout=10)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


def test_a_head_that_is_too_long_is_rejected(api: Api) -> None:
    assert api.call("GET", "/limits", headers={"X-Long": "x" * 16_384}).status_code == 431
    assert api.call("GET", f"/query?q={'x' * 16_384}").status_code == 414


def test_two_requests_sent_at_once_are_answered_in_their_order(api: Api) -> None:
    token = str(api.http.headers["Authorization"])
    host = urlsplit(api.url).netloc
    asked = "".join(
        f"GET /services/data/v67.0{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n{more}\r\n"
        for path, more in (("/recent", ""), ("/nothing", "Connection: close\r\n"))
    )
    with socket.create_connection((urlsplit(api.url).hostname, urlsplit(api.url).port), timeout=10) as line:
        line.sendall(asked.encode())
        answers = b"".join(iter(lambda: line.recv(65_536), b""))
    assert answers.index(b"HTTP/1.1 200") < answers.index(b"HTTP/1.1 404")


def test_what_is_no_http_is_rejected_and_the_next_client_is_served(api: Api) -> None:
    with socket.create_connection((urlsplit(api.url).hostname, urlsplit(api.url).port), timeout=10) as line:
        line.sendall(b"hello there\r\n\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 400")
    assert api.call("GET", "/limits").status_code == 200


def test_a_wrong_method_is_rejected_with_those_there_are(api: Api) -> None:
    answer = api.call("PUT", "/composite/sobjects")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (405, "METHOD_NOT_ALLOWED")
    assert "POST,PATCH,DELETE" in answer.json()[0]["message"]
