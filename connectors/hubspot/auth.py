"""Credentials: a static token, read again when HubSpot rejects it, or OAuth, renewed before it expires."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from connectors.base import AccessDenied, Secret

RENEW_BEFORE_EXPIRY_S = 300.0

Login = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""Sends a form to HubSpot's token endpoint and returns its JSON. Raises the errors of `connectors.base`."""


class Credential(Protocol):
    """The source of the bearer token of a call. Safe to share between threads."""

    def token(self) -> str:
        """The token to send."""

    def renew(self, rejected: str) -> str | None:
        """A token other than the rejected one, or None when there is no other."""


class _Renewable(ABC):
    """A token that all threads share; threads whose token is rejected at the same time renew it once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token = ""

    def renew(self, rejected: str) -> str | None:
        """A token other than the rejected one, or None when there is no other."""
        with self._lock:
            if self._token == rejected:
                self._renew()
            return self._token if self._token != rejected else None

    @abstractmethod
    def _renew(self) -> None: ...


class StaticToken(_Renewable):
    """The token of a service key or private app. Rotating it at its source needs no restart."""

    def __init__(self, secret: Secret) -> None:
        super().__init__()
        self._secret = secret

    def token(self) -> str:
        """The token to send. Raises `AccessDenied` when its source is empty."""
        with self._lock:
            if not self._token:
                self._renew()
            return self._token

    def _renew(self) -> None:
        self._token = _secret(self._secret, "token")


class OAuthToken(_Renewable):
    """The access token of a marketplace app, renewed five minutes before it expires.

    HubSpot's documentation says to go by ``expires_in``, not by 401
    (https://developers.hubspot.com/docs/api/usage-details); a 401 still renews it once.
    """

    def __init__(self, auth: Mapping[str, Secret], login: Login, clock: Callable[[], float]) -> None:
        super().__init__()
        self._auth = auth
        self._login = login
        self._clock = clock
        self._renew_at = 0.0

    def token(self) -> str:
        """The token to send; threads that find it about to expire wait for one login."""
        with self._lock:
            if not self._token or self._clock() >= self._renew_at:
                self._renew()
            return self._token

    def _renew(self) -> None:
        secrets = {name: _secret(secret, name) for name, secret in self._auth.items()}
        answer = self._login({"grant_type": "refresh_token", **secrets})
        self._token = str(answer["access_token"])
        self._renew_at = self._clock() + max(float(answer.get("expires_in") or 0) - RENEW_BEFORE_EXPIRY_S, 1.0)


def credential(auth: Mapping[str, str | Secret], login: Login, clock: Callable[[], float]) -> Credential:
    """The credential of a destination. Raises `ValueError` when the settings cannot work.

    ``method: token`` with ``token``; ``method: oauth`` with ``client_id``, ``client_secret`` and ``refresh_token``.
    All of them are secrets; the client id may be plain text.
    """
    method = auth.get("method", "token")
    if method == "token":
        return StaticToken(_needed(auth, "token"))
    if method == "oauth":
        return OAuthToken(
            {
                "client_id": _needed(auth, "client_id", plain=True),
                "client_secret": _needed(auth, "client_secret"),
                "refresh_token": _needed(auth, "refresh_token"),
            },
            login,
            clock,
        )
    raise ValueError(f"HubSpot auth method {method!r} is not available: use token or oauth")


def _needed(auth: Mapping[str, str | Secret], name: str, *, plain: bool = False) -> Secret:
    secret = auth.get(name)
    if plain and isinstance(secret, str):
        return lambda: secret
    if not callable(secret):
        raise ValueError(f"HubSpot auth needs {name} as env:NAME or file:PATH")
    return secret


def _secret(secret: Secret, name: str) -> str:
    text = secret().strip()
    if not text:
        raise AccessDenied(f"the HubSpot {name} is empty")
    return text
