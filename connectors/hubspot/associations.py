"""Ties between records: default associations, which are idempotent and outside the burst limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import AccessDenied, Outcome
from connectors.hubspot import errors
from connectors.hubspot.batch import chunks
from connectors.hubspot.client import Client
from connectors.hubspot.transport import NoAnswer

MOST_WRITTEN = 1_000
MOST_READ = 1_000
PRIMARY_COMPANIES = frozenset({1, 5})
"""Type ids of a contact's and a deal's primary company (``hubspot/crm/association_type.py`` of hubspot-api-client)."""


def associate(client: Client, one: str, other: str, pairs: Mapping[str, tuple[str, str]]) -> dict[str, Outcome]:
    """Tie record to record; one outcome per key, whose ``record_id`` is the first of its pair."""
    outcomes: dict[str, Outcome] = {}
    for part in chunks(list(pairs.items()), MOST_WRITTEN):
        outcomes |= _associate(client, one, other, dict(part))
    return outcomes


def _associate(client: Client, one: str, other: str, pairs: Mapping[str, tuple[str, str]]) -> dict[str, Outcome]:
    inputs = [{"from": {"id": first}, "to": {"id": second}} for first, second in pairs.values()]
    path = f"{client.paths.associations}/{one}/{other}/batch/associate/default"
    try:
        answer = client.write("POST", path, {"inputs": inputs})
    except NoAnswer as lost:
        return {key: Outcome(key, "unknown", first, "no_answer", str(lost)) for key, (first, _) in pairs.items()}
    body = answer.body if answer.ok else {}
    results = body.get("results") or []
    tied = {(_id(result, "from"), _id(result, "to")) for result in results}
    # A merged company answers under its surviving id, so pairs only tell who failed when somebody did.
    complete = answer.ok and not body.get("errors") and len(results) >= len(pairs)
    reason = errors.refusal(answer.body).reason if not answer.ok else ""
    return {
        key: Outcome(key, "applied", pair[0])
        if complete or pair in tied
        else Outcome(key, "retry", pair[0], "not_tied", reason)
        for key, pair in pairs.items()
    }


def associated(client: Client, one: str, other: str, ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the ``other`` records each id is tied to, a primary company first."""
    found: dict[str, list[str]] = {}
    for part in chunks(list(ids), MOST_READ):
        path = f"{client.paths.associations}/{one}/{other}/batch/read"
        answer = client.read("POST", path, {"inputs": [{"id": asked} for asked in part]})
        if not answer.ok:
            raise AccessDenied(f"HubSpot refuses to read associations of {one}: {errors.refusal(answer.body).reason}")
        for result in answer.body.get("results") or []:
            ties = sorted(result.get("to") or [], key=lambda tie: not _primary(tie))
            found[_id(result, "from")] = [str(tie.get("toObjectId")) for tie in ties]
    return found


def _primary(tie: Mapping[str, Any]) -> bool:
    return any(kind.get("typeId") in PRIMARY_COMPANIES for kind in tie.get("associationTypes") or [])


def _id(result: Mapping[str, Any], end: str) -> str:
    return str((result.get(end) or {}).get("id"))
