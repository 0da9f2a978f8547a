"""The HubSpot account: its id, its time zone, its web address and what is left of its quota."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from connectors.base import AccessDenied
from connectors.hubspot.client import Client
from connectors.hubspot.limits import integer


@dataclass(frozen=True, slots=True)
class Portal:
    """One HubSpot account. Daily numbers are of the integer account and None when HubSpot does not send them."""

    id: str
    zone: ZoneInfo
    address: str
    daily_limit: int | None
    daily_left: int | None

    @property
    def home(self) -> str:
        """The web address of the portal's records."""
        return f"{self.address}/contacts/{self.id}"


def read_portal(client: Client) -> Portal:
    """Read the portal. Gives the client the time zone in which the daily quota ends."""
    answer = client.read("GET", client.paths.account)
    if not answer.ok:
        raise AccessDenied(f"HubSpot answered {answer.status} to {client.paths.account}")
    details = answer.body
    if details.get("timeZone"):
        client.set_zone(str(details["timeZone"]))
    host = str(details.get("uiDomain") or "app.hubspot.com")
    return Portal(
        id=str(details.get("portalId")),
        zone=client.zone,
        address=host if "://" in host else f"https://{host}",
        daily_limit=integer(answer.headers, "X-HubSpot-RateLimit-Daily"),
        daily_left=integer(answer.headers, "X-HubSpot-RateLimit-Daily-Remaining"),
    )
