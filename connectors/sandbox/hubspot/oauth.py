"""Calls that issue or describe tokens. Their bodies and tokens are not logged."""

from __future__ import annotations

from urllib.parse import parse_qs

from connectors.sandbox.hubspot.auth import USER_ID
from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.errors import JsonObject
from connectors.sandbox.hubspot.request_body import text


def token_exchange(call: Call) -> HttpResponse:
    """200 with a new access token; the dated paths describe it in more detail."""
    sent = _sent(call)
    given = call.portal.access.exchange(sent, call.at_ms / 1000, call.portal.sim.random)
    if call.version == "v1":
        return 200, given
    more = {"token_use": "access_token", "hub_id": call.portal.options.portal_id, "user_id": USER_ID}
    return 200, {**given, **more, "scopes": sorted(call.portal.access.scopes)}


def introspect(call: Call) -> HttpResponse:
    """200 with the description of a token, for the app it was issued to."""
    sent = _sent(call)
    token, app, options = sent.get("token", ""), call.portal.access.app_of(sent), call.portal.options
    known = {"active": True, "app_id": int(options.app_id), "client_id": app.client_id}
    if token == app.refresh_token:
        about = call.portal.access.describe_refresh_token(token, options.portal_id)
        return 200, {**about, **known, "token_use": "refresh_token"}
    about = call.portal.access.describe_token(token, call.at_ms / 1000, options.portal_id, int(options.app_id))
    more = {"token_use": "access_token", "is_private_distribution": True, "signed_access_token": _signed(call)}
    return 200, {**about, **known, **more}


def revoke(call: Call) -> HttpResponse:
    """204; an access token stops working."""
    sent = _sent(call)
    call.portal.access.app_of(sent)
    call.portal.access.revoke(sent.get("token", ""))
    return 204, None


def access_token(call: Call) -> HttpResponse:
    """200 with the description of an OAuth access token; the token is not logged."""
    token = _secret_in_path(call)
    options = call.portal.options
    return 200, call.portal.access.describe_token(token, call.at_ms / 1000, options.portal_id, int(options.app_id))


def refresh_token(call: Call) -> HttpResponse:
    """200 with the description of a refresh token; the token is not logged."""
    return 200, call.portal.access.describe_refresh_token(_secret_in_path(call), call.portal.options.portal_id)


def _sent(call: Call) -> dict[str, str]:
    """A form; on the dated paths JSON too, because HubSpot's own SDK sends that."""
    call.exchange.secret = True
    if call.version != "v1" and call.exchange.headers.get("content-type", "").startswith("application/json"):
        body = call.body()
        return {name: text(body, name) for name in body}
    form = call.exchange.body.decode("utf-8", "replace")
    return {name: values[0] for name, values in parse_qs(form).items()}


def _signed(call: Call) -> JsonObject:
    options = call.portal.options
    return {
        "appId": int(options.app_id),
        "expiresAt": call.at_ms + 1_800_000,
        "hubId": options.portal_id,
        "hublet": "na1",
        "installingUserId": USER_ID,
        "isPrivateDistribution": True,
        "isServiceAccount": False,
        "isUserLevel": False,
        "newSignature": "",
        "scopes": "",
        "scopeToScopeGroupPks": "",
        "signature": "",
        "trialScopes": "",
        "trialScopeToScopeGroupPks": "",
        "userId": USER_ID,
    }


def token_info(call: Call) -> HttpResponse:
    """200 with the scopes of the private app token of this call."""
    options = call.portal.options
    call.exchange.secret = True
    return 200, {
        "userId": USER_ID,
        "hubId": options.portal_id,
        "appId": int(options.app_id),
        "scopes": sorted(call.portal.access.scopes),
    }


def _secret_in_path(call: Call) -> str:
    token = call.params["token"]
    call.exchange.path = call.exchange.path.rpartition("/")[0] + "/..."
    return token
