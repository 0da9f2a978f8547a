"""Access tokens: when several threads have a rejected token, one of them logs in, once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

import jwt
import requests

from connectors.base import AccessDenied, CallFailed, Destination, Unavailable
from connectors.bounded import post, refusal_in
from connectors.clock import unix_time
from connectors.salesforce.errors import first_error, redact

METHODS = {
    "client_credentials": ("client_id", "client_secret"),
    "jwt": ("client_id", "username", "private_key"),
    "session": ("session_id",),
}
ASSERTION_SECONDS = 180
LOGIN_RATE_PAUSE = 600.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the host it is valid for, which can differ from the login host."""

    access: str
    instance_url: str
    user_id: str | None


class Tokens:
    """The current token of one destination.

    ``method`` is ``client_credentials`` (client_id, client_secret), ``jwt`` (client_id, username,
    private_key as PEM; optional login_url) or ``session`` (session_id). Secrets are read at each login.
    Raises `ValueError` when a setting is missing.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._method = _plain(destination, "method")
        if self._method not in METHODS:
            raise ValueError(f"{destination.name}: auth.method is one of {', '.join(METHODS)}")
        missing = [name for name in METHODS[self._method] if name not in destination.auth]
        if missing:
            raise ValueError(f"{destination.name}: auth.method {self._method} needs {', '.join(missing)}")
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failures = 0
        self._failure: CallFailed | None = None

    def current(self) -> Token:
        """The token to use now; logs in at first use."""
        return self._token or self.replace(None)

    def replace(self, rejected: str | None) -> Token:
        """A token other than the rejected one; a thread that waits for another thread's login gets its result."""
        failures = self._failures
        with self._lock:
            if self._token is not None and self._token.access != rejected:
                return self._token
            if self._failures > failures and self._failure is not None:
                raise self._failure
            try:
                token = self._login()
                if token.access == rejected:
                    raise AccessDenied(
                        f"{self._destination.name}: Salesforce rejects this session; configure a new one"
                    )
            except CallFailed as error:
                self._failures += 1
                self._failure = error
                raise
            self._token = token
            return token

    def _login(self) -> Token:
        base = self._destination.base_url.rstrip("/")
        if self._method == "session":
            return Token(self._secret("session_id"), base, None)
        login = _plain(self._destination, "login_url").rstrip("/") or base
        form = self._jwt_form(login) if self._method == "jwt" else self._client_form()
        return self._token_from(self._post(f"{login}/services/oauth2/token", form))

    def _client_form(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self._secret("client_id"),
            "client_secret": self._secret("client_secret"),
        }

    def _jwt_form(self, login: str) -> dict[str, str]:
        claims = {
            "iss": self._secret("client_id"),
            "sub": self._secret("username"),
            "aud": _audience(login),
            "exp": int(unix_time()) + ASSERTION_SECONDS,
        }
        try:
            key = self._secret("private_key").replace("\\n", "\n")  # one line, as environment files hold it
            assertion = jwt.encode(claims, key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise AccessDenied(f"{self._destination.name}: auth.private_key is not an RSA key in PEM form") from None
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}

    def _post(self, url: str, form: dict[str, str]) -> requests.Response:
        timeout = (CONNECT_SECONDS, self._destination.timeout_s)
        try:
            return post(url, form, timeout)
        except requests.RequestException as error:
            host, why = urlsplit(url).netloc, refusal_in(error) or type(error).__name__
            raise Unavailable(f"no answer from {host} to the login: {why}", 30.0) from None

    def _token_from(self, answer: requests.Response) -> Token:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.status_code == 200 and isinstance(body, dict) and body.get("access_token"):
            instance = str(body.get("instance_url") or self._destination.base_url).rstrip("/")
            identity = str(body.get("id") or "").rstrip("/").rpartition("/")[2]
            return Token(str(body["access_token"]), instance, identity or None)
        code, words = first_error(body)
        if "rate exceeded" in words.lower():
            raise Unavailable(f"Salesforce limits logins of this user: {redact(words)}", LOGIN_RATE_PAUSE)
        if answer.status_code in (400, 401, 403):
            raise AccessDenied(
                f"{self._destination.name}: login rejected: {code or answer.status_code} {redact(words)}"
            )
        words = f"Salesforce answered {answer.status_code} to the login"
        if 300 <= answer.status_code < 400 or answer.status_code in (404, 405):
            raise AccessDenied(f"{self._destination.name}: {words}: check base_url, and auth.login_url if there is one")
        raise Unavailable(words, 30.0)

    def _secret(self, name: str) -> str:
        return _plain(self._destination, name)


def _plain(destination: Destination, name: str) -> str:
    value = destination.auth.get(name, "")
    return (value() if callable(value) else value).strip()


def _audience(login: str) -> str:
    """The ``aud`` that Salesforce requires; a My Domain host is not valid.

    https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm
    """
    host = urlsplit(login).hostname or ""
    if host == "test.salesforce.com" or host.endswith(".sandbox.my.salesforce.com"):
        return "https://test.salesforce.com"
    return "https://login.salesforce.com"
