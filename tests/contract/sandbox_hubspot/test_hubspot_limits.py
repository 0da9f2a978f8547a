"""Limits, credentials and headers are those of a HubSpot portal."""

from __future__ import annotations

import pytest
import requests

from tests.contract.sandbox_hubspot.client import Portal

PREFIX = "X-HubSpot-RateLimit-"


@pytest.fixture
def small(portal: Portal) -> Portal:
    """A portal with a window of ten calls and the usual five searches."""
    portal.control("config", {"plan_max": 10, "search_max": 5})
    return portal


def ping(portal: Portal) -> requests.Response:
    return portal.get("/crm/v3/objects/companies")


def test_the_window_slides_second_by_second(small: Portal) -> None:
    remaining = [int(ping(small).headers[f"{PREFIX}Remaining"]) for _ in range(4)]
    small.pass_time(1)
    remaining += [int(ping(small).headers[f"{PREFIX}Remaining"]) for _ in range(4)]
    assert remaining == [9, 8, 7, 6, 5, 4, 3, 2]
    small.pass_time(9)
    assert int(ping(small).headers[f"{PREFIX}Remaining"]) == 5
    small.pass_time(1)
    assert int(ping(small).headers[f"{PREFIX}Remaining"]) == 8


def test_a_full_window_rejects_without_counting_and_without_applying(small: Portal) -> None:
    for _ in range(10):
        assert ping(small).status_code == 200
    rejected = small.post("/crm/v3/objects/companies", {"properties": {"name": "A"}})
    body = rejected.json()
    assert (rejected.status_code, body["policyName"], body["errorType"]) == (429, "TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    assert body["groupName"] == "publicapi:private-app-api-calls-ten-secondly:19083857"
    assert "Retry-After" not in rejected.headers
    assert "category" not in body
    assert small.stored() == {}
    small.pass_time(10)
    assert int(ping(small).headers[f"{PREFIX}Remaining"]) == 9


def test_search_has_its_own_limit_and_neither_uses_nor_shows_the_window(small: Portal) -> None:
    answers = [small.search() for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    body = answers[-1].json()
    assert set(body) == {"status", "message", "correlationId", "category"}
    assert (body["message"], body["category"]) == ("You have reached your secondly limit.", "RATE_LIMITS")
    assert all(f"{PREFIX}Max" not in answer.headers for answer in answers)
    assert int(answers[0].headers[f"{PREFIX}Daily-Remaining"]) == 249_999
    assert int(ping(small).headers[f"{PREFIX}Remaining"]) == 9
    small.pass_time(1)
    assert small.search().status_code == 200


def test_association_batches_are_exempt_from_the_window(small: Portal) -> None:
    for _ in range(12):
        answer = small.post("/crm/v4/associations/tasks/companies/batch/read", {"inputs": []})
        assert answer.status_code == 200
    assert f"{PREFIX}Remaining" not in answer.headers
    assert int(ping(small).headers[f"{PREFIX}Remaining"]) == 9


def test_the_day_ends_at_the_portals_midnight(portal: Portal) -> None:
    portal.control("config", {"daily": 3, "time_zone": "America/New_York"})
    assert [ping(portal).status_code for _ in range(4)] == [200, 200, 200, 429]
    body = portal.search().json()
    assert (body["policyName"], body["message"]) == ("DAILY", "You have reached your daily limit.")
    portal.pass_time(16.9 * 3600)
    assert ping(portal).status_code == 429
    portal.pass_time(0.2 * 3600)
    assert ping(portal).status_code == 200


def test_another_app_takes_its_share_of_the_window(small: Portal) -> None:
    small.control("config", {"competing_rps": 1})
    assert ping(small).status_code == 429
    small.control("config", {"plan_max": 12})
    assert [ping(small).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(("unit", "value"), [("s", "10"), ("ms", "10000"), ("", None)])
def test_retry_after_comes_in_the_unit_of_the_portals_option(small: Portal, unit: str, value: str | None) -> None:
    small.control("config", {"plan_max": 0, "retry_after": unit})
    assert ping(small).headers.get("Retry-After") == value


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic dXNlcg==", "Bearer "])
def test_a_call_without_a_valid_token_is_rejected(portal: Portal, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    answer = requests.get(f"{portal.url}/crm/v3/objects/companies", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")
    assert answer.json()["message"].startswith("Authentication credentials not found. This API supports OAuth 2.0")


def test_a_rotated_token_takes_over_from_the_old_one(portal: Portal) -> None:
    portal.control("config", {"token": "new"})
    assert ping(portal).status_code == 401
    fresh = requests.get(f"{portal.url}/crm/v3/owners", headers={"Authorization": "Bearer new"}, timeout=10)
    assert fresh.status_code == 200
    portal.control("config", {"token_revoked": True})
    again = requests.get(f"{portal.url}/crm/v3/owners", headers={"Authorization": "Bearer new"}, timeout=10)
    assert again.status_code == 401


def test_a_missing_scope_is_named(portal: Portal) -> None:
    portal.control("config", {"scopes": ["crm.objects.companies.read"]})
    assert ping(portal).status_code == 200
    rejected = portal.batch("create", [{"properties": {"hs_timestamp": "0"}}], "tasks")
    body = rejected.json()
    assert (rejected.status_code, body["category"]) == (403, "MISSING_SCOPES")
    assert body["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.contacts.write"]}
    assert portal.stored("tasks") == {}


def test_an_oauth_token_lives_for_half_an_hour_and_gets_no_daily_headers(portal: Portal) -> None:
    app = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
    portal.control("config", {"oauth": app})
    form = {**app, "grant_type": "refresh_token"}
    token = requests.post(f"{portal.url}/oauth/v1/token", data=form, timeout=10).json()
    assert (token["expires_in"], token["token_type"]) == (1800, "bearer")
    headers = {"Authorization": f"Bearer {token['access_token']}"}

    def call() -> requests.Response:
        return requests.get(f"{portal.url}/crm/v3/owners", headers=headers, timeout=10)

    assert call().status_code == 200
    assert f"{PREFIX}Max" in call().headers
    assert f"{PREFIX}Daily" not in call().headers
    portal.pass_time(1875)
    expired = call()
    assert (expired.status_code, expired.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert expired.json()["message"] == "The OAuth token used to make this call expired 75 second(s) ago."
    assert requests.post(f"{portal.url}/oauth/2026-03/token", data=form, timeout=10).status_code == 200


def test_a_bad_refresh_token_is_rejected_and_never_logged(portal: Portal) -> None:
    app = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
    portal.control("config", {"oauth": app})
    form = {**app, "grant_type": "refresh_token", "refresh_token": "wrong"}
    answer = requests.post(f"{portal.url}/oauth/v1/token", data=form, timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (400, "BAD_REFRESH_TOKEN")
    assert portal.get("/__sim/log", path="token", bodies="1").json()["entries"][-1]["body"] is None


def test_both_families_of_paths_are_the_same_portal(portal: Portal) -> None:
    company = portal.create(name="A")
    for path in (
        f"/crm/v3/objects/companies/{company}",
        f"/crm/v3/objects/0-2/{company}/",
        f"/crm/objects/v3/COMPANY/{company}",
        f"/crm/objects/2026-03/Companies/{company}",
        f"/crm/objects/2026-09/company/{company}",
        f"/crm/v4/objects/companies/{company}",
    ):
        assert portal.get(path).json()["id"] == company, path


def test_an_unknown_path_is_a_page_and_an_unknown_kind_an_error(portal: Portal) -> None:
    page = portal.get("/crm/v9/objects/companies")
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (404, "text/html")
    unknown = portal.post("/crm/v3/objects/butterflies/search", {})
    assert (unknown.status_code, unknown.json()["message"]) == (400, "Unable to infer object type from: butterflies")
    assert "category" not in unknown.json()


def test_a_body_that_is_not_json_is_rejected(portal: Portal) -> None:
    for raw in (b"{", b"[]", b"\xff", b"1"):
        answer = portal.http.post(f"{portal.url}/crm/v3/objects/companies/batch/create", data=raw, timeout=10)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("Invalid input JSON on line 1, column ")


def test_the_portals_clock_is_where_the_portal_is(portal: Portal) -> None:
    portal.control("config", {"time_zone": "Asia/Kolkata"})
    body = portal.get("/account-info/v3/details").json()
    assert (body["timeZone"], body["utcOffset"], body["utcOffsetMilliseconds"]) == (
        "Asia/Kolkata",
        "+05:30",
        19_800_000,
    )
    assert portal.get("/account-info/2026-03/details").json() == body


def test_an_oauth_token_shows_what_it_stands_for_and_is_not_logged(portal: Portal) -> None:
    app = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
    portal.control("config", {"oauth": app})
    token = requests.post(
        f"{portal.url}/oauth/v1/token", data={**app, "grant_type": "refresh_token"}, timeout=10
    ).json()["access_token"]
    portal.pass_time(800)
    known = portal.get(f"/oauth/v1/access-tokens/{token}").json()
    assert (known["hub_id"], known["expires_in"], known["token"]) == (44237313, 1000, token)
    assert portal.get("/oauth/v1/refresh-tokens/refresh").json()["client_id"] == "id"
    assert portal.get("/oauth/v1/access-tokens/other").status_code == 404
    assert portal.get("/oauth/v1/refresh-tokens/other").status_code == 404
    paths = [entry["path"] for entry in portal.get("/__sim/log").json()["entries"]]
    assert not any(token in path or path.endswith("/refresh") for path in paths)


def test_a_token_that_ended_long_ago_says_so_in_days(portal: Portal) -> None:
    portal.control("config", {"oauth": {"client_id": "id", "client_secret": "s", "refresh_token": "r"}})
    form = {"client_id": "id", "client_secret": "s", "refresh_token": "r", "grant_type": "refresh_token"}
    token = requests.post(f"{portal.url}/oauth/v1/token", data=form, timeout=10).json()["access_token"]
    portal.pass_time(1800 + 2 * 86_400)
    answer = requests.get(f"{portal.url}/crm/v3/owners", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.json()["message"] == "The OAuth token used to make this call expired 2 day(s) ago."
    assert answer.json()["context"] == {"expire time": ["2026-11-23T12:30:00Z"]}


def test_the_dated_paths_say_more_about_a_token_and_can_end_it(portal: Portal) -> None:
    app = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
    portal.control("config", {"oauth": app})
    base, ours = f"{portal.url}/oauth/2026-03/token", {"client_id": "id", "client_secret": "secret"}
    given = requests.post(base, json={**app, "grant_type": "refresh_token"}, timeout=10).json()
    assert (given["token_use"], given["hub_id"], given["expires_in"]) == ("access_token", 44237313, 1800)
    headers = {"Authorization": f"Bearer {given['access_token']}"}

    def call() -> int:
        return requests.get(f"{portal.url}/crm/v3/owners", headers=headers, timeout=10).status_code

    for token, use in ((given["access_token"], "access_token"), ("refresh", "refresh_token")):
        about = requests.post(f"{base}/introspect", data={**ours, "token": token}, timeout=10).json()
        assert (about["token_use"], about["active"], about["client_id"]) == (use, True, "id")
    assert requests.post(f"{base}/introspect", data={"token": "refresh"}, timeout=10).status_code == 400
    assert call() == 200
    assert requests.post(f"{base}/revoke", data={**ours, "token": given["access_token"]}, timeout=10).status_code == 204
    assert call() == 401
    assert {entry["body"] for entry in portal.get("/__sim/log", path="token", bodies="1").json()["entries"]} == {None}
