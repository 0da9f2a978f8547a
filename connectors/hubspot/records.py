"""Reading records by id or unique property, a hundred per call: strongly consistent, unlike search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from connectors.base import AccessDenied, CallFailed, Unavailable
from connectors.hubspot import errors
from connectors.hubspot.batch import SIZE, chunks
from connectors.hubspot.client import RETRY_AFTER_S, Client, next_page
from connectors.hubspot.transport import HttpResponse

SIZE_WITH_HISTORY = 50
DELETED_PAGES = 50

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One record as HubSpot returned it; ``history`` only when requested, newest first."""

    id: str
    properties: Mapping[str, str | None]
    history: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def read_batch(
    client: Client,
    object: str,
    ids: Iterable[str],
    properties: Sequence[str],
    *,
    id_property: str = "",
    history: Sequence[str] = (),
) -> dict[str, Record]:
    """The existing records by the requested id; a merged record is found under its old id too.

    Strongly consistent, and outside search's limit of five calls per second.
    """
    found: dict[str, Record] = {}
    asked = list(dict.fromkeys(ids))
    for part in chunks(asked, SIZE_WITH_HISTORY if history else SIZE):
        found |= _read_part(client, object, part, properties, id_property, history)
    return found


def read_holders(
    client: Client, object: str, values: Sequence[str], id_property: str, properties: Sequence[str]
) -> list[Record]:
    """The records that HubSpot finds by one of its own unique properties, whatever value the property has now.

    A contact found by a secondary address has its primary address in the property.
    """
    answers = [_ask(client, object, part, properties, id_property, ()) for part in chunks(values)]
    return [record_of(result) for answer in answers for result in answer.body.get("results") or []]


def _read_part(
    client: Client,
    object: str,
    ids: Sequence[str],
    properties: Sequence[str],
    id_property: str,
    history: Sequence[str],
) -> dict[str, Record]:
    answer = _ask(client, object, ids, properties, id_property, history)
    found: dict[str, Record] = {}
    for result in answer.body.get("results") or []:
        record = record_of(result)
        found[str(record.properties.get(id_property)) if id_property else record.id] = record
    asked = {one: found[one] for one in ids if one in found}
    missing = _missing(answer)
    unreported = [one for one in ids if one not in asked and one not in missing]
    if id_property:
        _check_complete(object, unreported, strangers=len(found) - len(asked))
        return asked
    for one in unreported:
        record_found = _read_merged(client, object, one, properties, history)
        if record_found is not None:
            asked[one] = record_found
    return asked


def _missing(answer: HttpResponse) -> set[str]:
    """The ids that HubSpot says do not exist; the records of other errors may exist."""
    absent = [one for one in answer.body.get("errors") or [] if errors.rejection(one).code == "OBJECT_NOT_FOUND"]
    return {name for error in absent for name in errors.context(error, "ids")}


def _check_complete(object: str, unreported: Sequence[str], strangers: int) -> None:
    """Raise `Unavailable` where HubSpot left out records that may exist: an upsert would overwrite them.

    ``strangers`` are records that were found by a value and have another one now; they count as reported.
    """
    if len(unreported) > strangers:
        raise Unavailable(f"HubSpot answered for only a part of the requested {object}", RETRY_AFTER_S)


def _ask(
    client: Client,
    object: str,
    ids: Sequence[str],
    properties: Sequence[str],
    id_property: str,
    history: Sequence[str],
) -> HttpResponse:
    body: dict[str, Any] = {
        "inputs": [{"id": one} for one in ids],
        "properties": sorted({*properties, id_property} - {""}),
        "propertiesWithHistory": list(history),
    }
    if id_property:
        body["idProperty"] = id_property
    answer = client.read("POST", f"{client.paths.objects}/{object}/batch/read", body)
    if not answer.ok:
        raise _unreadable(answer, object, id_property)
    return answer


def _read_merged(
    client: Client, object: str, id: str, properties: Sequence[str], history: Sequence[str]
) -> Record | None:
    """The survivor of a merge, which a batch returns under an id that was not requested."""
    query = {"properties": ",".join(properties)}
    if history:
        query["propertiesWithHistory"] = ",".join(history)
    answer = client.read("GET", f"{client.paths.objects}/{object}/{id}", None, query)
    return record_of(answer.body) if answer.ok else None


def list_archived(client: Client, object: str, properties: Sequence[str]) -> Iterator[list[Record]]:
    """The deleted records that HubSpot still has, page by page; 50 pages of 100 at most."""
    query = {"archived": "true", "limit": str(SIZE), "properties": ",".join(properties)}
    for page, answer in enumerate(client.pages(f"{client.paths.objects}/{object}", query), 1):
        if not answer.ok:
            raise _unreadable(answer, object, "")
        yield [record_of(result) for result in answer.body.get("results") or []]
        if page == DELETED_PAGES and next_page(answer.body):
            log.warning("hubspot has more deleted records than plgsync reads", object=object, pages=page)
            return


def record_of(result: Mapping[str, Any]) -> Record:
    """One item of ``results``."""
    return Record(str(result["id"]), result.get("properties") or {}, result.get("propertiesWithHistory") or {})


def _unreadable(answer: HttpResponse, object: str, id_property: str) -> CallFailed:
    if errors.unique_field_missing(answer.body) or id_property:
        return AccessDenied(f"{id_property} is not a unique property of HubSpot {object}: run plgsync crm setup")
    rejection = errors.rejection(answer.body)
    return AccessDenied(f"HubSpot rejects reading {object}: {rejection.reason}")
