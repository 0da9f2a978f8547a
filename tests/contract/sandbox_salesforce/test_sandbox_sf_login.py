"""Logging in to the Salesforce sandbox succeeds and fails the way it does in a real org."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
import requests

from tests.contract.sandbox_salesforce.client import Api

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def assertion(api: Api, **changed: str | int) -> str:
    claims: dict[str, str | int] = {"iss": api.client_id, "sub": api.username, "aud": "https://login.salesforce.com"}
    claims |= {"exp": int(time.time()) + 180, **changed}
    return jwt.encode(claims, api.private_key, "RS256")


def test_client_credentials_give_a_token_that_works(api: Api) -> None:
    answer = api.token(grant_type="client_credentials", client_id=api.client_id, client_secret=api.client_secret)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"access_token", "instance_url", "id", "token_type", "issued_at", "signature", "scope"}
    assert body["instance_url"] == api.url
    assert "expires_in" not in body
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    who = requests.get(f"{api.url}/services/oauth2/userinfo", headers=headers, timeout=10).json()
    assert who["preferred_username"] == api.username
    assert body["id"].endswith(f"{who['organization_id']}/{who['user_id']}")


def test_client_credentials_may_come_as_basic_authentication(api: Api) -> None:
    answer = requests.post(
        f"{api.url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(api.client_id, api.client_secret),
        timeout=10,
    )
    assert answer.status_code == 200


def test_a_signed_assertion_gives_a_token(api: Api) -> None:
    answer = api.token(grant_type=JWT_GRANT, assertion=assertion(api))
    assert answer.status_code == 200, answer.text
    assert api.sim("state")["sessions"] == 2


def test_an_expiry_written_as_text_is_accepted(api: Api) -> None:
    claims: dict[str, str | int] = {
        "iss": api.client_id,
        "sub": api.username,
        "aud": api.url,
        "exp": str(int(time.time()) + 100),
    }
    answer = api.token(grant_type=JWT_GRANT, assertion=jwt.encode(claims, api.private_key, "RS256"))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"aud": "https://example.com"}, "invalid_grant", "audience is invalid"),
        ({"sub": "nobody@example.com"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"exp": 1}, "invalid_grant", "expired authorization code"),
        ({"exp": 9_999_999_999}, "invalid_grant", "expired authorization code"),
        ({"iss": "someone"}, "invalid_client_id", "client identifier invalid"),
    ],
)
def test_a_wrong_assertion_is_rejected_in_salesforces_words(
    api: Api, changed: dict[str, Any], error: str, words: str
) -> None:
    answer = api.token(grant_type=JWT_GRANT, assertion=assertion(api, **changed))
    assert (answer.status_code, answer.json()) == (400, {"error": error, "error_description": words})


def test_an_assertion_signed_with_another_key_is_rejected(api: Api) -> None:
    forged = jwt.encode({"iss": api.client_id, "sub": api.username, "aud": api.url, "exp": time.time() + 60}, "x" * 32)
    assert api.token(grant_type=JWT_GRANT, assertion=forged).json()["error"] == "invalid_grant"
    assert api.sim("state")["sessions"] == 1


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "client-1", "client_secret": "no"}, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "no", "client_secret": "secret-1"}, "invalid_client_id"),
        ({"grant_type": "password", "username": "u", "password": "p"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "5Aep"}, "invalid_grant"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
    ],
)
def test_other_logins_are_rejected(api: Api, form: dict[str, str], error: str) -> None:
    answer = api.token(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert api.sim("state")["sessions"] == 1


def test_a_session_ends_after_idling_and_is_extended_by_use(api: Api) -> None:
    api.sim("clock", {"freeze": True})
    api.sim("config", {"session_ttl": 100})
    for _ in range(3):
        api.sim("clock", {"advance_s": 90})
        assert api.call("GET", "/limits").status_code == 200
    api.sim("clock", {"advance_s": 101})
    answer = api.call("GET", "/limits")
    expected = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    assert (answer.status_code, answer.json()) == (401, expected)


def test_a_wrong_authorization_header_differs_from_an_expired_session(api: Api) -> None:
    answer = api.call("GET", "/limits", headers={"Authorization": "Basic abc"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_AUTH_HEADER")


def test_too_many_logins_in_an_hour_are_rejected_until_the_hour_is_over(api: Api) -> None:
    api.sim("clock", {"freeze": True})
    api.sim("config", {"login_rate": 2})
    secret = {"grant_type": "client_credentials", "client_id": api.client_id, "client_secret": api.client_secret}
    assert [api.token(**secret).status_code for _ in range(2)] == [200, 400]
    api.sim("clock", {"advance_s": 3601})
    assert api.token(**secret).status_code == 200


def test_a_deactivated_integration_user_is_locked_out(api: Api) -> None:
    staff = api.sim("state?object=User")["staff"]
    api.ui_action(do="deactivate_user", id=staff["integration"])
    assert api.call("GET", "/limits").status_code == 401
    secret = {"grant_type": "client_credentials", "client_id": api.client_id, "client_secret": api.client_secret}
    assert api.token(**secret).json()["error_description"] == "user is inactive"


def test_a_login_never_shows_its_secret_in_the_log(api: Api) -> None:
    log = api.sim("log?bodies=1")
    text = str(log)
    assert log["total"] == 1
    assert api.client_secret not in text
    assert log["entries"][0]["body"] is None


def test_a_revoked_token_is_dead(api: Api) -> None:
    token = api.login()
    requests.post(f"{api.url}/services/oauth2/revoke", data={"token": token}, timeout=10).raise_for_status()
    assert api.call("GET", "/limits").status_code == 401


def test_the_password_flow_is_open_when_the_org_has_a_password(api: Api) -> None:
    api.sim("config", {"password": "pw+token"})
    form = {"grant_type": "password", "client_id": api.client_id, "client_secret": api.client_secret}
    wrong = api.token(**form, username=api.username, password="pw")
    words = "authentication failure - Invalid Password"
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_grant", "error_description": words})
    right = api.token(**form, username=api.username, password="pw+token")
    assert right.status_code == 200
    assert api.sim("state")["sessions"] == 2


def test_the_id_of_a_login_leads_to_who_it_is(api: Api) -> None:
    login = api.token(grant_type="client_credentials", client_id=api.client_id, client_secret=api.client_secret).json()
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    who = requests.get(login["id"], headers=headers, params={"format": "json"}, timeout=10).json()
    assert (who["username"], who["id"]) == (api.username, login["id"])
    assert api.call("GET", "/").json()["identity"] == login["id"]
    assert requests.get(login["id"], timeout=10).status_code == 403
    assert requests.get(login["id"][:-3] + "AAB", headers=headers, timeout=10).status_code == 404


def test_the_soap_login_is_switched_off_as_in_a_new_org(api: Api) -> None:
    answer = requests.post(f"{api.url}/services/Soap/u/59.0", data="<login/>", timeout=10)
    assert answer.status_code == 500
    assert "<sf:exceptionCode>INVALID_OPERATION</sf:exceptionCode>" in answer.text
    assert "SOAP API login() is disabled by default in this org." in answer.text
