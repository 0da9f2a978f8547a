"""HubSpot's search: five calls per second, seconds behind writes, never a proof of absence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connectors.base import AccessDenied
from connectors.hubspot import errors
from connectors.hubspot.client import Client
from connectors.hubspot.records import Record, record_of

PAGE = 200
MOST_RESULTS = 10_000
"""Both: https://developers.hubspot.com/docs/guides/api/crm/search"""

Filter = Mapping[str, object]


def is_in(field: str, values: Sequence[str]) -> Filter:
    """``field`` equals one of at most 100 values, whatever their case."""
    return {"propertyName": field, "operator": "IN", "values": [value.lower() for value in values]}


def compare(field: str, operator: str, value: str) -> Filter:
    """One comparison with one of HubSpot's operators: EQ, GT, GTE."""
    return {"propertyName": field, "operator": operator, "value": value}


def present(field: str) -> Filter:
    """``field`` has a value."""
    return {"propertyName": field, "operator": "HAS_PROPERTY"}


def newest(
    client: Client, object: str, filters: Sequence[Filter], properties: Sequence[str]
) -> tuple[list[Record], bool]:
    """One page, the last modified records first, and whether these are all records."""
    sort = {"propertyName": "hs_lastmodifieddate", "direction": "DESCENDING"}
    found, total = _page(client, object, filters, properties, sort)
    return found, total <= len(found)


def every(client: Client, object: str, filters: Sequence[Filter], properties: Sequence[str]) -> Iterator[Record]:
    """All records, by id.

    Each page starts after the last id instead of at an offset: no record is skipped when records change meanwhile, and
    HubSpot's limit of 10,000 results does not apply.
    """
    sort = {"propertyName": "hs_object_id", "direction": "ASCENDING"}
    after: list[Filter] = []
    while True:
        found, total = _page(client, object, [*filters, *after], properties, sort)
        yield from found
        if total <= len(found) or not found:
            return
        after = [compare("hs_object_id", "GT", found[-1].id)]


def last_first(
    client: Client, object: str, filters: Sequence[Filter], properties: Sequence[str], by: str
) -> Iterator[Record]:
    """Records by a date, the last first: the first 10,000, page by page."""
    sort = {"propertyName": by, "direction": "DESCENDING"}
    for after in range(0, MOST_RESULTS, PAGE):
        found, total = _page(client, object, filters, properties, sort, after)
        yield from found
        if after + PAGE >= total:
            return


def _page(
    client: Client,
    object: str,
    filters: Sequence[Filter],
    properties: Sequence[str],
    sort: Mapping[str, str],
    after: int = 0,
) -> tuple[list[Record], int]:
    body = {
        "filterGroups": [{"filters": list(filters)}] if filters else [],
        "properties": sorted(set(properties)),
        "sorts": [sort],
        "limit": PAGE,
        **({"after": str(after)} if after else {}),
    }
    answer = client.read("POST", f"{client.paths.objects}/{object}/search", body)
    if not answer.ok:
        raise AccessDenied(f"HubSpot rejects searching {object}: {errors.rejection(answer.body).reason}")
    found = [record_of(result) for result in answer.body.get("results") or []]
    return found, int(answer.body.get("total") or 0)
