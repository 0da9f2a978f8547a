"""Logins by client credentials, JWT bearer or password, and the user of a token.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from connectors.sandbox.core.exchange import exchange_of
from connectors.sandbox.salesforce.identity import SOAP_FAULT, identity, userinfo
from connectors.sandbox.salesforce.org import Org, Session

_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_ASSERTION_S = 300
_LOGIN_MS = 120
_LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")
_TOKEN_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"  # noqa: S105 - an alphabet


class _LoginRejected(Exception):
    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.body = {"error": error, "error_description": description}


class OAuth:
    """The login endpoints of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org

    async def token(self, request: Request) -> Response:
        """``POST /services/oauth2/token``."""
        form = _secret_form(request)
        await asyncio.sleep(_LOGIN_MS * self._org.options.time_scale / 1000)
        try:
            self._grant(form, request)
        except _LoginRejected as rejection:
            return JSONResponse(rejection.body, 400)
        return JSONResponse(self._session(_base(request)), headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    async def userinfo(self, request: Request) -> Response:
        """``GET /services/oauth2/userinfo``: the user of the token."""
        session = session_of(self._org, request.headers.get("authorization", ""))
        if session is None:
            return PlainTextResponse("Bad_OAuth_Token", 403)
        return JSONResponse(userinfo(self._org, session.user_id, _base(request)))

    async def identity(self, request: Request) -> Response:
        """``GET /id/{organization}/{user}``: the URL in ``id`` of a login."""
        header = request.headers.get("authorization", "") or f"Bearer {request.query_params.get('oauth_token', '')}"
        session = session_of(self._org, header)
        if session is None:
            return PlainTextResponse("Missing_OAuth_Token" if header == "Bearer " else "Bad_OAuth_Token", 403)
        asked = (request.path_params["organization"], request.path_params["user"])
        if asked != (self._org.staff.organization, session.user_id):
            return PlainTextResponse("Bad_Id", 404)
        return JSONResponse(identity(self._org, session.user_id, _base(request)))

    async def soap(self, request: Request) -> Response:
        """``POST /services/Soap/...``: ``login()``, which a new org always rejects."""
        exchange_of(request).secret = True
        words = "SOAP API login() is disabled by default in this org."
        fault = SOAP_FAULT.format(code="INVALID_OPERATION", words=words)
        return Response(fault, 500, media_type="text/xml;charset=UTF-8")

    async def revoke(self, request: Request) -> Response:
        """``POST /services/oauth2/revoke``."""
        form = _secret_form(request)
        if self._org.sessions.pop(form.get("token", ""), None) is None:
            return JSONResponse({"error": "invalid_token", "error_description": "invalid token"}, 400)
        return Response(status_code=200)

    def _grant(self, form: Mapping[str, str], request: Request) -> None:
        grant = form.get("grant_type")
        if grant == "client_credentials":
            self._check_secret(form, request.headers.get("authorization", ""))
        elif grant == _JWT_GRANT:
            self._check_assertion(form.get("assertion", ""), _base(request))
        elif grant == "password":
            if not self._org.options.password:
                words = "authentication failure - the username-password flow is blocked in this org"
                raise _LoginRejected("invalid_grant", words)
            self._check_secret(form, request.headers.get("authorization", ""))
            self._check_password(form)
        elif grant == "refresh_token":  # none of these flows issues one
            raise _LoginRejected("invalid_grant", "expired access/refresh token")
        else:
            raise _LoginRejected("unsupported_grant_type", "grant type not supported")
        self._check_rate()
        user = self._org.tables["User"].records[self._org.staff.integration]
        if not user.get("IsActive"):
            raise _LoginRejected("invalid_grant", "user is inactive")

    def _check_secret(self, form: Mapping[str, str], header: str) -> None:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if header.lower().startswith("basic "):
            try:
                client_id, _, secret = base64.b64decode(header[6:]).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                client_id = ""
        if client_id != self._org.accepted.client_id:
            raise _LoginRejected("invalid_client_id", "client identifier invalid")
        if secret != self._org.accepted.client_secret:
            raise _LoginRejected("invalid_client", "invalid client credentials")

    def _check_password(self, form: Mapping[str, str]) -> None:
        accepted = (self._org.accepted.username, self._org.options.password)
        if (form.get("username"), form.get("password")) != accepted:
            raise _LoginRejected("invalid_grant", "authentication failure - Invalid Password")

    def _check_assertion(self, assertion: str, base: str) -> None:
        accepted = self._org.accepted
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise _LoginRejected("invalid_grant", "invalid assertion") from None
        if claims.get("iss") != accepted.client_id:
            raise _LoginRejected("invalid_client_id", "client identifier invalid")
        if claims.get("aud") not in (*_LOGIN_HOSTS, base):
            raise _LoginRejected("invalid_grant", "audience is invalid")
        if accepted.public_key is None or claims.get("sub") != accepted.username:
            raise _LoginRejected("invalid_grant", "user hasn't approved this consumer")
        self._check_expiry(claims.get("exp"))
        try:
            jwt.decode(
                assertion, accepted.public_key, algorithms=["RS256"], options={"verify_aud": False, "verify_exp": False}
            )
        except jwt.InvalidTokenError:
            raise _LoginRejected("invalid_grant", "invalid assertion") from None

    def _check_expiry(self, exp: Any) -> None:
        try:
            left = float(exp) - self._org.sim.clock.timestamp()
        except (TypeError, ValueError):
            left = -1.0
        if not 0 < left <= _LONGEST_ASSERTION_S:
            raise _LoginRejected("invalid_grant", "expired authorization code")

    def _check_rate(self) -> None:
        now = self._org.sim.clock.timestamp()
        self._org.logins = [at for at in self._org.logins if at > now - 3600]
        if len(self._org.logins) >= self._org.options.login_rate:
            raise _LoginRejected("invalid_grant", "login rate exceeded")
        self._org.logins.append(now)

    def _session(self, base: str) -> dict[str, str]:
        org = self._org
        token = f"{org.staff.organization[:15]}!" + "".join(org.sim.random.choices(_TOKEN_ALPHABET, k=96))
        org.sessions[token] = Session(org.staff.integration, org.sim.clock.timestamp())
        org.sim.counters["logins"] += 1
        identity = f"{base}/id/{org.staff.organization}/{org.staff.integration}"
        issued = str(int(org.sim.clock.timestamp() * 1000))
        signature = base64.b64encode(hashlib.sha256((identity + issued).encode()).digest()).decode()
        return {
            "access_token": token,
            "signature": signature,
            "scope": "api",
            "instance_url": base,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }


def session_of(org: Org, header: str) -> Session | None:
    """The live session of an Authorization header; each use extends it."""
    scheme, _, token = header.partition(" ")
    session = org.sessions.get(token.strip()) if scheme.lower() in ("bearer", "oauth") else None
    now = org.sim.clock.timestamp()
    if session is None or now - session.used > org.options.session_ttl:
        return None
    session.used = now
    return session


def _base(request: Request) -> str:
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def _secret_form(request: Request) -> dict[str, str]:
    """The form of a request whose body is not logged."""
    exchange = exchange_of(request)
    exchange.secret = True
    return dict(parse_qsl(exchange.body.decode("utf-8", "replace")))
