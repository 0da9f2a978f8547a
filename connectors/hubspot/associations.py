"""Associations between records: default ones, which are idempotent and outside the burst limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import AccessDenied, Outcome
from connectors.hubspot import errors
from connectors.hubspot.batch import chunks
from connectors.hubspot.client import Client, next_page
from connectors.hubspot.transport import NoAnswer

MOST_WRITTEN = 1_000
MOST_READ = 1_000
PRIMARY_COMPANIES = frozenset({1, 5})
"""Type ids of a contact's and a deal's primary company (``hubspot/crm/association_type.py`` of hubspot-api-client)."""


TASK_TO_COMPANY = 192
"""Type id of the same file."""


def company_association(company_id: str) -> list[dict[str, object]]:
    """The inline association of a new task: HubSpot creates it together with the task, or neither."""
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TASK_TO_COMPANY}
    return [{"to": {"id": company_id}, "types": [kind]}]


def associate(
    client: Client, one: str, other: str, pairs: Mapping[str, tuple[str, str]], *, optional: bool = False
) -> dict[str, Outcome]:
    """Associate the records of each pair; one outcome per key, whose ``record_id`` is the first of its pair.

    An ``optional`` association counts as applied when HubSpot rejects it permanently, because the other record is gone.
    """
    outcomes: dict[str, Outcome] = {}
    for part in chunks(list(pairs.items()), MOST_WRITTEN):
        outcomes |= _associate(client, one, other, dict(part), optional)
    return outcomes


def _associate(
    client: Client, one: str, other: str, pairs: Mapping[str, tuple[str, str]], optional: bool
) -> dict[str, Outcome]:
    inputs = [{"from": {"id": first}, "to": {"id": second}} for first, second in pairs.values()]
    path = f"{client.paths.associations}/{one}/{other}/batch/associate/default"
    try:
        answer = client.write("POST", path, {"inputs": inputs})
    except NoAnswer as lost:
        return {
            key: Outcome(key=key, status="unknown", record_id=first, code="no_answer", reason=str(lost))
            for key, (first, _) in pairs.items()
        }
    if answer.ok:
        return _outcomes(pairs, answer.body, optional)
    if not optional or errors.effect(answer.status, answer.body) != "answer":
        reason = errors.rejection(answer.body).reason
        return {
            key: Outcome(key=key, status="retry", record_id=first, code="not_associated", reason=reason)
            for key, (first, _) in pairs.items()
        }
    if len(pairs) == 1:
        return {key: Outcome(key=key, status="applied", record_id=first) for key, (first, _) in pairs.items()}
    outcomes: dict[str, Outcome] = {}
    for half in chunks(list(pairs.items()), -(-len(pairs) // 2)):
        outcomes |= _associate(client, one, other, dict(half), optional)
    return outcomes


def _outcomes(pairs: Mapping[str, tuple[str, str]], body: Mapping[str, Any], optional: bool) -> dict[str, Outcome]:
    results, failed = body.get("results") or [], body.get("errors") or []
    associated_pairs = {(_id(result, "from"), _id(result, "to")) for result in results}
    gone = {str(name) for error in failed for names in (error.get("context") or {}).values() for name in names}
    # A merged company answers under its surviving id, so the ids are compared only when a pair has failed.
    complete = not failed and len(results) >= len(pairs)
    return {
        key: Outcome(key=key, status="applied", record_id=pair[0])
        if complete or pair in associated_pairs or (optional and pair[1] in gone)
        else Outcome(key=key, status="retry", record_id=pair[0], code="not_associated")
        for key, pair in pairs.items()
    }


def associated(client: Client, one: str, other: str, ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the ``other`` records that each id is associated with, a primary company first."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    asked = [{"id": name} for name in ids]
    while asked:
        part, asked = asked[:MOST_READ], asked[MOST_READ:]
        answer = client.read("POST", f"{client.paths.associations}/{one}/{other}/batch/read", {"inputs": part})
        if not answer.ok:
            raise AccessDenied(f"HubSpot rejects reading associations of {one}: {errors.rejection(answer.body).reason}")
        for result in answer.body.get("results") or []:
            found.setdefault(_id(result, "from"), []).extend(result.get("to") or [])
            if after := next_page(result):  # a record with hundreds of associations has several pages
                asked.append({"id": _id(result, "from"), "after": after})
    return {
        name: [str(one.get("toObjectId")) for one in sorted(links, key=lambda one: not _primary(one))]
        for name, links in found.items()
    }


def _primary(link: Mapping[str, Any]) -> bool:
    return any(kind.get("typeId") in PRIMARY_COMPANIES for kind in link.get("associationTypes") or [])


def _id(result: Mapping[str, Any], end: str) -> str:
    return str((result.get(end) or {}).get("id"))
