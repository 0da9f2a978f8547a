"""An OAuth app logs in once for all threads, before its token ends, and once more when it is refused."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from connectors.base import AccessDenied, Unavailable, UpdateFields
from connectors.hubspot.transport import HttpResponse
from connectors.registry import connect
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm
from tests.unit.connectors.hubspot.scripted import Clock, Sent, answer, client

OAUTH = {
    "method": "oauth",
    "client_id": lambda: "id",
    "client_secret": lambda: "secret",
    "refresh_token": lambda: "refresh",
}


def login(token: str, seconds: int = 1800) -> HttpResponse:
    return answer(200, {"access_token": token, "expires_in": seconds, "token_type": "bearer"})


def test_the_token_is_fetched_once_and_renewed_five_minutes_before_its_end() -> None:
    clock = Clock()
    hubspot, wire = client(login("one"), answer(), answer(), login("two"), answer(), clock=clock, auth=OAUTH)
    hubspot.read("GET", "/a")
    clock.now += 1499
    hubspot.read("GET", "/b")
    clock.now += 2
    hubspot.read("GET", "/c")
    assert [sent.path for sent in wire.sent] == ["/oauth/2026-03/token", "/a", "/b", "/oauth/2026-03/token", "/c"]
    assert [sent.token for sent in wire.sent if "oauth" not in sent.path] == ["one", "one", "two"]
    assert hubspot.usage().calls == 5


def test_a_token_refused_for_good_costs_three_calls() -> None:
    def always(sent: Sent) -> HttpResponse:
        return login(f"t{len(wire.sent)}") if "oauth" in sent.path else answer(401)

    hubspot, wire = client(login("one"), answer(), always, auth=OAUTH)
    hubspot.read("GET", "/a")
    wire.sent.clear()
    with pytest.raises(AccessDenied):
        hubspot.read("GET", "/b")
    assert len(wire.sent) == 3


def test_a_refused_refresh_token_is_for_the_admin_and_not_shown() -> None:
    hubspot, wire = client(answer(400, {"status": "BAD_REFRESH_TOKEN", "message": "refresh is bad"}), auth=OAUTH)
    with pytest.raises(AccessDenied) as caught:
        hubspot.read("GET", "/a")
    assert "refresh is bad" not in str(caught.value)
    assert len(wire.sent) == 1


def test_a_login_that_is_down_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        client(answer(503), auth=OAUTH)[0].read("GET", "/a")


def test_threads_share_one_login() -> None:
    def reply(sent: Sent) -> HttpResponse:
        return login("one") if "oauth" in sent.path else answer()

    hubspot, wire = client(reply, auth=OAUTH)
    threads = [threading.Thread(target=hubspot.read, args=("GET", "/a")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sent.path for sent in wire.sent].count("/oauth/2026-03/token") == 1


def test_it_works_against_a_portal_and_survives_an_ended_token(portal: HubSpotCrm) -> None:
    settings = {"client_id": "app", "client_secret": "hush", "refresh_token": "na1-refresh"}
    portal.control("config", {"oauth": settings})
    secrets = {name: (lambda value=value: value) for name, value in settings.items()}
    hubspot = connect(replace(portal.destination(), auth={"method": "oauth", **secrets}))
    [record] = portal.add_companies([Company("Acme", "acme.example")])
    assert hubspot.write([UpdateFields("k", "account", record, {"plgsync_score": 1})])[0].status == "applied"
    portal.control("config", {"expire_tokens": True})
    assert hubspot.write([UpdateFields("k", "account", record, {"plgsync_score": 2})])[0].status == "applied"
    assert portal.company(record)["score"] == 2
    hubspot.close()
