"""The bearer string of a service key or private app, read again from its source when HubSpot refuses it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from connectors.base import AccessDenied, Secret


class StaticToken:
    """One bearer token for all threads. Rotating it at its source needs no restart."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self._token: str | None = None

    def token(self) -> str:
        """The token to send. Raises `AccessDenied` when its source is empty."""
        with self._lock:
            if self._token is None:
                self._token = self._read()
            return self._token

    def renew(self, refused: str) -> str | None:
        """Another token than the refused one, or None when the source has no other.

        Threads refused at the same time read the source once.
        """
        with self._lock:
            if self._token == refused:
                self._token = self._read()
            return self._token if self._token != refused else None

    def _read(self) -> str:
        token = self._secret().strip()
        if not token:
            raise AccessDenied("the HubSpot token is empty")
        return token


def authentication(auth: Mapping[str, str | Secret]) -> StaticToken:
    """The credential of a destination: ``method: token`` with a secret ``token``. Raises `ValueError`."""
    method = auth.get("method", "token")
    if method != "token":
        raise ValueError(f"HubSpot auth method {method!r} is not available: use method: token")
    secret = auth.get("token")
    if not callable(secret):
        raise ValueError("HubSpot auth needs token: env:NAME or file:PATH (a service key or private app token)")
    return StaticToken(secret)
