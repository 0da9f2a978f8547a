"""Who can own a CRM task: HubSpot's owners, deactivated ones included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.base import AccessDenied, Owner
from connectors.hubspot import errors
from connectors.hubspot.client import Client

PAGE = 100


def owners(client: Client) -> list[Owner]:
    """Every owner. Its id is what ``hubspot_owner_id`` takes; HubSpot's ``userId`` is another number."""
    active = {str(one["id"]): _owner(one, True) for one in _pages(client, archived=False)}
    gone = {str(one["id"]): _owner(one, False) for one in _pages(client, archived=True)}
    return list((gone | active).values())


def _pages(client: Client, archived: bool) -> Iterator[Mapping[str, Any]]:
    query = {"limit": str(PAGE), "archived": "true" if archived else "false"}
    for answer in client.pages(client.paths.owners, query):
        if not answer.ok:
            raise AccessDenied(f"HubSpot rejects listing owners: {errors.rejection(answer.body).reason}")
        yield from answer.body.get("results") or []


def _owner(described: Mapping[str, Any], active: bool) -> Owner:
    name = " ".join(str(described[part]) for part in ("firstName", "lastName") if described.get(part))
    return Owner(id=str(described["id"]), email=str(described.get("email") or ""), name=name, active=active)
