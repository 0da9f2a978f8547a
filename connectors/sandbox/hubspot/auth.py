"""Authentication: static tokens (private apps, service keys), OAuth apps and their scopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random

from connectors.sandbox.hubspot.errors import TOO_FEW_CREDENTIALS, JsonObject, RequestRejected, not_found, rejected
from connectors.sandbox.hubspot.timestamps import iso

LIFETIME_S = 1800
USER_ID = 12000000
ALL_SCOPES = frozenset(
    [
        f"crm.{area}.{kind}.{verb}"
        for area in ("objects", "schemas")
        for kind in ("companies", "contacts", "deals", "custom")
        for verb in ("read", "write")
    ]
    + ["crm.objects.owners.read", "oauth"]
)


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """An app that logs in with a refresh token."""

    client_id: str
    client_secret: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Caller:
    """An accepted credential. ``app`` is the key of its rate window."""

    app: str
    oauth: bool


class Access:
    """The credentials that a portal accepts."""

    def __init__(self, token: str) -> None:
        self.tokens = {token}
        self.scopes = ALL_SCOPES
        self.oauth: OAuthApp | None = None
        self.revoked = False
        self._issued: dict[str, float] = {}

    def caller(self, authorization: str | None, at: float) -> Caller:
        """The caller of this ``Authorization`` header. Raises `RequestRejected` 401."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or self.revoked:
            raise _unknown()
        if token in self.tokens:
            return Caller("static", oauth=False)
        if token not in self._issued:
            raise _unknown()
        expired_for = int(at - self._issued[token] - LIFETIME_S)
        if expired_for >= 0:
            raise expired(expired_for, self._issued[token] + LIFETIME_S)
        return Caller("oauth", oauth=True)

    def expire(self) -> None:
        """Expire every access token issued so far."""
        self._issued = dict.fromkeys(self._issued, 0.0)

    def exchange(self, sent: Mapping[str, str], at: float, rng: Random) -> JsonObject:
        """Answer the token endpoint. Raises `RequestRejected` with the body of that endpoint."""
        if sent.get("grant_type") != "refresh_token":
            raise _token_rejected("BAD_GRANT_TYPE", "missing or unknown grant type")
        app = self.app_of(sent)
        if sent.get("refresh_token") != app.refresh_token:
            raise _token_rejected("BAD_REFRESH_TOKEN", "missing or invalid refresh token")
        token = f"CN{rng.getrandbits(192):048x}"
        self._issued[token] = at
        return {
            "token_type": "bearer",
            "access_token": token,
            "refresh_token": app.refresh_token,
            "expires_in": LIFETIME_S,
        }

    def app_of(self, sent: Mapping[str, str]) -> OAuthApp:
        """The app whose id and secret were sent. Raises `RequestRejected`."""
        app = self.oauth
        if app is None or sent.get("client_id") != app.client_id or sent.get("client_secret") != app.client_secret:
            raise _token_rejected("BAD_CLIENT_ID", "missing or invalid client id or secret")
        return app

    def revoke(self, token: str) -> None:
        """Remove an access token; an unknown one is ignored."""
        self._issued.pop(token, None)

    def to_json(self) -> JsonObject:
        """The whole state, for `resume`."""
        return {
            "tokens": sorted(self.tokens),
            "scopes": sorted(self.scopes),
            "oauth": asdict(self.oauth) if self.oauth else None,
            "revoked": self.revoked,
            "issued": dict(self._issued),
        }

    def resume(self, saved: JsonObject) -> None:
        """Restore the state that `to_json` returned."""
        self.tokens, self.scopes = set(saved["tokens"]), frozenset(saved["scopes"])
        self.oauth = OAuthApp(**saved["oauth"]) if saved["oauth"] else None
        self.revoked, self._issued = saved["revoked"], dict(saved["issued"])

    def describe_token(self, token: str, at: float, portal_id: int, app_id: int) -> JsonObject:
        """The description of an issued access token. Raises `RequestRejected` 404 for any other."""
        if token not in self._issued:
            raise not_found("Access token not found")
        left = max(0, int(self._issued[token] + LIFETIME_S - at))
        return {"token": token, **self._grant(portal_id), "app_id": app_id, "expires_in": left}

    def describe_refresh_token(self, token: str, portal_id: int) -> JsonObject:
        """The description of the refresh token. Raises `RequestRejected` 404 for any other."""
        if self.oauth is None or token != self.oauth.refresh_token:
            raise not_found("Refresh token not found")
        return {"token": token, **self._grant(portal_id), "client_id": self.oauth.client_id}

    def _grant(self, portal_id: int) -> JsonObject:
        return {
            "user": "admin@example.com",
            "hub_domain": "sandbox.example.com",
            "scopes": sorted(self.scopes),
            "hub_id": portal_id,
            "user_id": USER_ID,
            "token_type": "access",
        }

    def configure(self, options: Mapping[str, object]) -> None:
        """Take ``token`` (replaces every static token), ``scopes``, ``oauth``, ``token_revoked`` from options."""
        if "token" in options:
            self.tokens = {str(options["token"])}
        if "scopes" in options:
            scopes = options["scopes"]
            if not isinstance(scopes, list):
                raise ValueError("scopes is a list of scope names")
            self.scopes = frozenset(str(scope) for scope in scopes)
        if "token_revoked" in options:
            self.revoked = bool(options["token_revoked"])
        if "oauth" in options:
            described = options["oauth"]
            if not isinstance(described, dict):
                raise ValueError("oauth needs client_id, client_secret and refresh_token")
            self.oauth = OAuthApp(**{str(name): str(value) for name, value in described.items()})


def expired(seconds_ago: int, at: float) -> RequestRejected:
    """401 for a token that expired ``seconds_ago``, at time ``at``; the wording is as reported in
    airbytehq/airbyte#74726 and, for days, HubSpot/hubspot-api-php#363."""
    ago = f"{seconds_ago // 86_400} day(s)" if seconds_ago >= 86_400 else f"{seconds_ago} second(s)"
    message = f"The OAuth token used to make this call expired {ago} ago."
    return rejected(401, "EXPIRED_AUTHENTICATION", message, context={"expire time": [iso(int(at * 1000))]})


def _unknown() -> RequestRejected:
    return rejected(401, "INVALID_AUTHENTICATION", TOO_FEW_CREDENTIALS)


def _token_rejected(status: str, message: str) -> RequestRejected:
    return RequestRejected(400, {"status": status, "message": message})
