"""How plgsync signs in to HubSpot."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from worker.settings.base import SecretRef, Strict


class Token(Strict):
    """A service key or a private app's access token."""

    method: Literal["token"] = "token"
    token: SecretRef
    """The service key or access token."""


class OAuth(Strict):
    """An app that is installed in the portal and authenticates with its refresh token."""

    method: Literal["oauth"]
    client_id: str
    """From the app's Auth page; no secret, so it may stand here."""
    client_secret: SecretRef
    """From the app's Auth page."""
    refresh_token: SecretRef
    """From installing the app in the portal once."""


def _token_unless_said(value: Any) -> Any:
    return {"method": "token", **value} if isinstance(value, dict) and "method" not in value else value


HubspotAuth = Annotated[
    Annotated[Token | OAuth, Field(discriminator="method")],
    BeforeValidator(_token_unless_said),
]
