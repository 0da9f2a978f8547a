"""The wire: refreshes once, never loops, counts every request, and keeps within simple-salesforce's private names."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce.api import Salesforce

from connectors.base import AccessDenied, Secret, Unavailable
from connectors.salesforce.auth import Tokens
from connectors.salesforce.client import Client
from connectors.salesforce.errors import RequestRejected, Unanswered
from tests.unit.connectors.salesforce import org
from tests.unit.connectors.salesforce.org import BASE, DATA

LOGIN = f"{BASE}/services/oauth2/token"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
ORG = replace(org.ORG, auth={"method": "client_credentials", "client_id": "id", "client_secret": lambda: "secret"})


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        yield web


def login(web: responses.RequestsMock, *tokens: str, url: str = LOGIN, instance: str = BASE) -> None:
    for token in tokens:
        identity = "https://login.salesforce.com/id/00D5f000000AAAAEA2/0055f000000AAAAAA2"
        web.post(url, json={"access_token": token, "instance_url": f"{instance}/", "id": identity})


def calls_to(web: responses.RequestsMock, path: str) -> int:
    return sum(path in str(call.request.url) for call in web.calls)


def test_the_private_names_we_stand_on_are_there() -> None:
    """simple-salesforce is pinned; should the pin move, this says what the connector needs of it."""
    salesforce = Salesforce(instance_url=BASE, session_id="t", version="67.0", session=requests.Session())
    assert salesforce.base_url == DATA
    assert salesforce.sf_instance == "acme.my.salesforce.com"
    assert salesforce._salesforce_login_partial is None
    assert callable(salesforce._call_salesforce)
    salesforce._salesforce_login_partial = partial(_other_login)
    salesforce._refresh_session()
    assert (salesforce.session_id, salesforce.sf_instance) == ("other", "other.my.salesforce.com")
    assert salesforce.headers["Authorization"] == "Bearer other"


def test_an_expired_session_is_refreshed_and_the_call_replayed(web: responses.RequestsMock) -> None:
    login(web, "one", "two")
    web.get(f"{DATA}limits", json=EXPIRED, status=401)
    web.get(f"{DATA}limits", json={"ok": 1}, match=[responses.matchers.header_matcher({"Authorization": "Bearer two"})])
    client = Client(ORG)
    assert client.read("GET", "limits") == {"ok": 1}
    assert calls_to(web, "oauth2") == 2
    assert client.calls == 2


def test_a_session_refused_again_costs_three_calls_and_denies_access(web: responses.RequestsMock) -> None:
    login(web, "one", "two", "three", "four")
    web.get(f"{DATA}limits", json=EXPIRED, status=401)
    client = Client(ORG)
    client._tokens.current()
    before = len(web.calls)
    with pytest.raises(AccessDenied):
        client.read("GET", "limits")
    assert len(web.calls) - before == 3


def test_an_expired_session_with_another_status_is_refreshed_too(web: responses.RequestsMock) -> None:
    login(web, "one", "two")
    web.get(f"{DATA}limits", json=EXPIRED, status=403)
    web.get(f"{DATA}limits", json={"ok": 1})
    assert Client(ORG).read("GET", "limits") == {"ok": 1}


@pytest.mark.parametrize(
    "body",
    [
        '[{"errorCode": "INVALID_SESSION_ID", "message": "This session is not valid for use with the REST API"}]',
        json.dumps([{"errorCode": "INVALID_AUTH_HEADER", "message": "INVALID_HEADER_TYPE"}]),
        json.dumps({"error": "unauthorized"}),
        "<html>401</html>",
        "[]",
    ],
)
def test_a_401_that_no_login_can_help_is_not_answered_with_one(web: responses.RequestsMock, body: Any) -> None:
    login(web, "one", "two")
    web.get(f"{DATA}limits", body=body, status=401)
    with pytest.raises(AccessDenied):
        Client(ORG).read("GET", "limits")
    assert calls_to(web, "oauth2") == 1
    assert calls_to(web, "limits") == 1


def test_a_write_is_sent_once_and_its_loss_is_not_an_answer(web: responses.RequestsMock) -> None:
    login(web, "one")
    web.patch(f"{DATA}composite/sobjects", body=requests.ConnectionError("reset"))
    client = Client(ORG)
    with pytest.raises(Unanswered):
        client.write("PATCH", "composite/sobjects", {})
    assert calls_to(web, "composite") == 1
    assert (client.calls, client.write_calls) == (1, 1)


def test_a_read_bridges_a_blip_and_then_gives_up(web: responses.RequestsMock) -> None:
    login(web, "one")
    web.get(f"{DATA}limits", body="<html>", status=503)
    with pytest.raises(Unavailable):
        Client(ORG).read("GET", "limits")
    assert calls_to(web, "limits") == 3


def test_an_answer_cut_short_is_no_answer(web: responses.RequestsMock) -> None:
    login(web, "one")
    web.patch(f"{DATA}composite/sobjects", body='[{"id": "001", "succ')
    with pytest.raises(Unanswered):
        Client(ORG).write("PATCH", "composite/sobjects", {})


def test_results_sent_with_status_400_are_results(web: responses.RequestsMock) -> None:
    login(web, "one")
    results = [{"success": False, "errors": [{"statusCode": "MISSING_ARGUMENT", "message": "x", "fields": []}]}]
    web.patch(f"{DATA}composite/sobjects", json=results, status=400)
    assert Client(ORG).write("PATCH", "composite/sobjects", {}) == results


def test_writes_do_not_run_assignment_rules_and_answers_are_compact(web: responses.RequestsMock) -> None:
    login(web, "one")
    web.patch(f"{DATA}composite/sobjects", json=[])
    Client(ORG).write("PATCH", "composite/sobjects", {})
    headers = web.calls[-1].request.headers
    assert (headers["Sforce-Auto-Assign"], headers["X-PrettyPrint"]) == ("FALSE", "0")


def test_a_proxy_of_the_environment_is_used_and_a_netrc_never(
    web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine acme.my.salesforce.com login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(netrc))
    login(web, "one")
    web.get(f"{DATA}limits", json={})
    client = Client(ORG)
    client.read("GET", "limits")
    session = client._salesforce().session
    assert session.proxies["https"] == "http://proxy.example:3128"
    assert session.verify == str(netrc)
    assert web.calls[-1].request.headers["Authorization"] == "Bearer one"


def test_what_is_left_of_the_quota_follows_the_highest_recent_reading(web: responses.RequestsMock) -> None:
    login(web, "one")
    for used in ("api-usage=7972/15000", "api-usage=7969/15000; per-app-api-usage=1/250(appName=x)"):
        web.get(f"{DATA}limits", json={}, headers={"Sforce-Limit-Info": used})
    client = Client(ORG)
    assert client.quota() == (None, None)
    client.read("GET", "limits")
    client.read("GET", "limits")
    assert client.quota() == (15000 - 7972, 15000)


def test_the_host_of_the_login_answer_is_the_host_of_the_calls(web: responses.RequestsMock) -> None:
    login(web, "one", instance="https://na9.my.salesforce.com")
    web.get("https://na9.my.salesforce.com/services/data/v67.0/limits", json={"ok": 1})
    assert Client(ORG).read("GET", "limits") == {"ok": 1}


def test_long_queries_travel_in_a_body_five_to_a_call(web: responses.RequestsMock) -> None:
    login(web, "one")

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, Any], str]:
        asked = json.loads(request.body or "")["compositeRequest"]
        assert len(asked) <= 5
        page = {"totalSize": 0, "done": True, "records": []}
        parts = [{"referenceId": part["referenceId"], "httpStatusCode": 200, "body": page} for part in asked]
        return 200, {}, json.dumps({"compositeResponse": parts[::-1]})

    web.add_callback("POST", f"{DATA}composite", answer)
    assert Client(ORG).rows_of(["SELECT Id FROM Account"] * 7) == [[]] * 7
    assert calls_to(web, "/composite") == 2


def test_one_refused_query_does_not_hide_the_others(web: responses.RequestsMock) -> None:
    login(web, "one")
    refused = [{"errorCode": "INVALID_TYPE", "message": "sObject type 'Opportunity' is not supported."}]
    parts = [
        {"referenceId": "q0", "httpStatusCode": 200, "body": {"done": True, "records": [{"Id": "1"}]}},
        {"referenceId": "q1", "httpStatusCode": 400, "body": refused},
    ]
    web.post(f"{DATA}composite", json={"compositeResponse": parts})
    found, denied = Client(ORG).try_rows_of(["a", "b"])
    assert found == [{"Id": "1"}]
    assert isinstance(denied, AccessDenied)


def test_every_page_of_a_query_is_read(web: responses.RequestsMock) -> None:
    login(web, "one")
    more = "/services/data/v67.0/query/0r8xx-2000"
    web.get(re.compile(rf"{DATA}query\?q=.*"), json={"done": False, "nextRecordsUrl": more, "records": [{"Id": "1"}]})
    web.get(f"{BASE}{more}", json={"done": True, "records": [{"Id": "2"}]})
    assert Client(ORG).rows("SELECT Id FROM Account") == [{"Id": "1"}, {"Id": "2"}]


@pytest.mark.parametrize("page", [{}, {"done": False, "records": []}, {"done": True, "records": None}])
def test_an_answer_that_is_no_page_is_no_answer(web: responses.RequestsMock, page: Any) -> None:
    login(web, "one")
    web.get(re.compile(rf"{DATA}query\?q=.*"), json=page)
    with pytest.raises(Unavailable, match="no page of records"):
        Client(ORG).rows("SELECT Id FROM Account")


def test_a_page_that_names_itself_as_the_next_one_is_not_read_for_ever(web: responses.RequestsMock) -> None:
    login(web, "one")
    more = "/services/data/v67.0/query/01g-2000"
    web.get(re.compile(rf"{DATA}query\?q=.*"), json={"done": False, "nextRecordsUrl": more, "records": []})
    web.get(f"{BASE}{more}", json={"done": False, "nextRecordsUrl": more, "records": []})
    with pytest.raises(Unavailable, match="repeat a page"):
        Client(ORG).rows("SELECT Id FROM Account")


# ------------------------------------------------------------------ logins


def test_many_threads_that_find_their_token_refused_log_in_once(web: responses.RequestsMock) -> None:
    login(web, "one", "two", "three", "four")
    tokens = Tokens(ORG)
    first = tokens.current()
    gate = threading.Barrier(12)
    got: list[str] = []

    def refused() -> None:
        gate.wait()
        got.append(tokens.replace(first.access).access)

    threads = [threading.Thread(target=refused) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["two"] * 12
    assert calls_to(web, "oauth2") == 2


def test_secrets_are_read_again_at_each_login(web: responses.RequestsMock) -> None:
    login(web, "one", "two")
    secrets = iter(["old", "new"])
    tokens = Tokens(replace(ORG, auth={**ORG.auth, "client_secret": lambda: next(secrets)}))
    tokens.replace(tokens.current().access)
    old, new = (str(call.request.body) for call in web.calls)
    assert "client_secret=old" in old
    assert "client_secret=new" in new


def test_the_login_shows_the_user_it_is_for(web: responses.RequestsMock) -> None:
    login(web, "one")
    assert Tokens(ORG).current().user_id == "0055f000000AAAAAA2"


@pytest.mark.parametrize(
    ("base", "audience"),
    [
        (BASE, "https://login.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
    ],
)
def test_a_jwt_is_signed_for_the_audience_salesforce_wants(
    web: responses.RequestsMock, base: str, audience: str
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    login(web, "one", url=f"{base}/services/oauth2/token")
    auth: dict[str, str | Secret] = {
        "method": "jwt",
        "client_id": "consumer",
        "username": "me@acme.com",
        "private_key": lambda: pem,
    }
    assert Tokens(replace(ORG, base_url=base, auth=auth)).current().access == "one"
    form = dict(part.split("=", 1) for part in str(web.calls[0].request.body).split("&"))
    assert form["grant_type"] == "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
    claims = jwt.decode(form["assertion"], key.public_key(), algorithms=["RS256"], audience=audience)
    assert (claims["iss"], claims["sub"]) == ("consumer", "me@acme.com")


def test_a_private_key_that_is_none_is_reported(web: responses.RequestsMock) -> None:
    auth: dict[str, str | Secret] = {"method": "jwt", "client_id": "c", "username": "u", "private_key": "not a key"}
    with pytest.raises(AccessDenied, match="private_key"):
        Tokens(replace(ORG, auth=auth)).current()


def test_a_session_refused_is_replaced_only_by_another_one(web: responses.RequestsMock) -> None:
    given = iter(["one", "one", "two"])
    tokens = Tokens(replace(ORG, auth={"method": "session", "session_id": lambda: next(given)}))
    assert tokens.current().access == "one"
    with pytest.raises(AccessDenied, match="configure a new one"):
        tokens.replace("one")
    assert tokens.replace("one").access == "two"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "no client credentials user enabled"},
            AccessDenied,
            "no client credentials user enabled",
        ),
        (401, {"error": "invalid_client"}, AccessDenied, "invalid_client"),
        (400, {"error": "invalid_grant", "error_description": "login rate exceeded"}, Unavailable, "limits logins"),
        (503, "<html>", Unavailable, "503"),
        (200, {"no": "token"}, Unavailable, "200"),
    ],
)
def test_a_login_that_fails_says_who_acts(
    web: responses.RequestsMock, status: int, body: Any, kind: type[Exception], words: str
) -> None:
    web.post(LOGIN, **({"body": body} if isinstance(body, str) else {"json": body}), status=status)
    with pytest.raises(kind, match=words):
        Tokens(ORG).current()


def test_a_login_without_an_answer_is_unavailable(web: responses.RequestsMock) -> None:
    web.post(LOGIN, body=requests.ConnectionError("secret https://x"))
    with pytest.raises(Unavailable) as caught:
        Tokens(ORG).current()
    assert "secret" not in str(caught.value)


def test_no_error_shows_a_token_or_the_clients_own_words(web: responses.RequestsMock) -> None:
    login(web, "00D5f000000AAAA!AQsecret")
    web.get(f"{DATA}limits", json=[{"errorCode": "X", "message": "bad 00D5f000000AAAA!AQsecret"}], status=400)
    with pytest.raises(RequestRejected) as caught:
        Client(ORG).read("GET", "limits")
    assert "AQsecret" not in str(caught.value)
    assert "http" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_connector_file_is_too_long() -> None:
    folder = Path(__file__).parents[4] / "connectors" / "salesforce"
    assert {path.name: n for path in folder.glob("*.py") if (n := len(path.read_text().splitlines())) > 300} == {}


def _other_login() -> tuple[str, str]:
    return "other", "other.my.salesforce.com"
