"""The handler of each path, in every family of versions that HubSpot serves.

``/crm/v3/objects/...`` and ``/crm/objects/2026-03/...`` are equivalent; so are ``/crm/v4/associations/...`` and
``/crm/associations/2026-03/...``. Only paths that begin with ``/crm/v3`` answer associations in the old form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from connectors.sandbox.hubspot import batch, definitions, groups, links, oauth, objects, people
from connectors.sandbox.hubspot.call import Handler
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.limits import Bucket
from connectors.sandbox.hubspot.search import search

DATED = ("2026-03", "2026-09")
_CRM_VERSIONS = {"v3", "v4", *DATED}
_OTHER_VERSIONS = {"v1", "v2", "v3", *DATED}

Verb = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Route:
    """One path of one family; parts in braces are variables."""

    method: str
    parts: tuple[str, ...]
    handler: Handler
    verb: Verb
    bucket: Bucket = "core"

    def match(self, parts: Sequence[str]) -> dict[str, str] | None:
        """The path's variables, or None."""
        params: dict[str, str] = {}
        for known, part in zip(self.parts, parts, strict=True):
            if known[0] == "{":
                params[known[1:-1]] = unquote(part)
            elif known != part:
                return None
        return params


@dataclass(frozen=True, slots=True)
class Found:
    """The route of a request."""

    route: Route
    family: str
    version: str
    params: Mapping[str, str]

    def scopes(self, kind: Kind | None) -> tuple[str, ...]:
        """The scopes of which one is enough for the ``kind`` of the path; empty when none is required."""
        if self.family == "owners":
            return ("crm.objects.owners.read",)
        if self.family == "pipelines":
            return ("crm.objects.deals.read",)
        if kind is None:
            return ()
        objects_scope = f"crm.objects.{kind.scope}.{self.route.verb}"
        if self.family != "properties":
            return (objects_scope,)
        schemas_scope = f"crm.schemas.{kind.scope}.{self.route.verb}"
        return (schemas_scope, objects_scope) if self.route.verb == "read" else (schemas_scope,)


@lru_cache(maxsize=1024)
def find_route(method: str, path: str) -> Found | None:
    """The route of a request by its path as it was sent, or None when there is no such path."""
    parts = [part for part in path.split("/") if part]
    placed = _family(parts)
    if placed is None:
        return None
    family, version, rest = placed
    for route in _TABLE.get((family, method, len(rest)), ()):
        params = route.match(rest)
        if params is not None:
            return Found(route, family, version, params)
    return None


def _family(parts: list[str]) -> tuple[str, str, list[str]] | None:
    if len(parts) < 2:
        return None
    if parts[0] != "crm":
        return (parts[0], parts[1], parts[2:]) if parts[1] in _OTHER_VERSIONS else None
    if len(parts) >= 3 and parts[1] in _CRM_VERSIONS:
        return parts[2], parts[1], parts[3:]
    if len(parts) >= 3 and parts[2] in _CRM_VERSIONS:
        return parts[1], parts[2] if parts[2] in DATED else "v4", parts[3:]
    return None


def _routes(
    *lines: tuple[str, str, Handler] | tuple[str, str, Handler, Verb] | tuple[str, str, Handler, Verb, Bucket],
) -> list[Route]:
    routes = []
    for method, path, handler, *more in lines:
        verb: Verb = more[0] if more else ("read" if method == "GET" else "write")  # type: ignore[assignment]
        bucket: Bucket = more[1] if len(more) > 1 else "core"  # type: ignore[assignment]
        routes.append(Route(method, tuple(path.split("/")) if path else (), handler, verb, bucket))
    return routes


_FAMILIES: dict[str, list[Route]] = {
    "objects": _routes(
        ("GET", "{type}", objects.list_records),
        ("POST", "{type}", objects.create_record),
        ("POST", "{type}/search", search, "read", "search"),
        ("POST", "{type}/merge", objects.merge_records),
        ("POST", "{type}/gdpr-delete", objects.gdpr_delete),
        ("GET", "{type}/{id}", objects.get_record),
        ("PATCH", "{type}/{id}", objects.patch_record),
        ("DELETE", "{type}/{id}", objects.delete_record),
        ("POST", "{type}/batch/create", batch.batch_create),
        ("POST", "{type}/batch/read", batch.batch_read, "read"),
        ("POST", "{type}/batch/update", batch.batch_update),
        ("POST", "{type}/batch/upsert", batch.batch_upsert),
        ("POST", "{type}/batch/archive", batch.batch_archive),
        ("GET", "{type}/{id}/associations/{to}", links.list_associated),
        ("PUT", "{type}/{id}/associations/{to}/{id2}", links.associate),
        ("DELETE", "{type}/{id}/associations/{to}/{id2}", links.dissociate),
        ("PUT", "{type}/{id}/associations/default/{to}/{id2}", links.associate_default),
        ("PUT", "{type}/{id}/associations/{to}/{id2}/{association_type}", links.associate),
        ("DELETE", "{type}/{id}/associations/{to}/{id2}/{association_type}", links.dissociate),
    ),
    "properties": _routes(
        ("GET", "{type}", definitions.list_properties),
        ("POST", "{type}", definitions.create_property),
        ("GET", "{type}/groups", groups.list_groups),
        ("POST", "{type}/groups", groups.create_group),
        ("GET", "{type}/groups/{name}", groups.get_group),
        ("PATCH", "{type}/groups/{name}", groups.patch_group),
        ("DELETE", "{type}/groups/{name}", groups.delete_group),
        ("POST", "{type}/batch/create", definitions.batch_create),
        ("POST", "{type}/batch/read", definitions.batch_read, "read"),
        ("POST", "{type}/batch/archive", definitions.batch_archive),
        ("GET", "{type}/{name}", definitions.get_property),
        ("PATCH", "{type}/{name}", definitions.patch_property),
        ("DELETE", "{type}/{name}", definitions.delete_property),
    ),
    "associations": _routes(
        ("GET", "{type}/{to}/labels", links.labels),
        ("GET", "{type}/{to}/types", links.types_v3),
        ("POST", "{type}/{to}/batch/read", links.batch_read, "read", "association"),
        ("POST", "{type}/{to}/batch/create", links.batch_create, "write", "association"),
        ("POST", "{type}/{to}/batch/archive", links.batch_archive, "write", "association"),
        ("POST", "{type}/{to}/batch/associate/default", links.batch_default, "write", "association"),
        ("POST", "{type}/{to}/batch/labels/archive", links.batch_labels_archive, "write", "association"),
    ),
    "schemas": _routes(("GET", "", people.list_schemas)),
    "crm-object-schemas": _routes(("GET", "schemas", people.list_schemas)),
    "owners": _routes(("GET", "", people.list_owners), ("GET", "{id}", people.get_owner)),
    "pipelines": _routes(
        ("GET", "{type}", people.list_pipelines),
        ("GET", "{type}/{id}", people.get_pipeline),
        ("GET", "{type}/{id}/stages", people.list_stages),
    ),
    "account-info": _routes(
        ("GET", "details", people.account_details),
        ("GET", "api-usage/daily/private-apps", people.daily_usage),
    ),
    "oauth": _routes(
        ("POST", "token", oauth.token_exchange, "write", "open"),
        ("POST", "token/introspect", oauth.introspect, "read", "open"),
        ("POST", "token/revoke", oauth.revoke, "write", "open"),
        ("GET", "access-tokens/{token}", oauth.access_token, "read", "open"),
        ("GET", "refresh-tokens/{token}", oauth.refresh_token, "read", "open"),
        ("POST", "private-apps/get/access-token-info", oauth.token_info, "read"),
    ),
}
_TABLE: dict[tuple[str, str, int], list[Route]] = {}
for _name, _listed in _FAMILIES.items():
    for _route in _listed:
        _TABLE.setdefault((_name, _route.method, len(_route.parts)), []).append(_route)
