"""What the sandbox portal shows, in the words of the contract suite."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from connectors.base import Scalar
from tests.contract.connectors.faults_hubspot import KEY_FIELD
from tests.contract.connectors.harness import SeenTask

TYPES = {
    "score": "number",
    "ratio": "number",
    "band": "string",
    "since": "date",
    "seen_at": "datetime",
    "flag": "bool",
    "kind": "enum",
}
STATUSES = {"NOT_STARTED": "open", "COMPLETED": "completed"}


def bare(address: str) -> str:
    """What HubSpot's own pages make of an address typed into a company's domain: no scheme and no path."""
    return address.split("://", 1)[-1].split("/", 1)[0]


def text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def typed(logical: str, stored: str) -> Scalar:
    if not stored:
        return None
    match TYPES[logical]:
        case "number":
            return float(stored)
        case "bool":
            return stored == "true"
        case "datetime":
            return stored.replace(".000Z", "Z")
        case _:
            return stored


def seen(task: Mapping[str, Any], company: str | None, person: str | None) -> SeenTask:
    values = task["properties"]
    status: Any = "deleted" if task["archived"] else STATUSES.get(values.get("hs_task_status", ""), "in_progress")
    return SeenTask(
        id=task["id"],
        key=values.get(KEY_FIELD, ""),
        record_id=company,
        subject=values.get("hs_task_subject", ""),
        body=html.unescape(values.get("hs_task_body", "").replace("<br>", "\n")),
        status=status,
        owner_id=values.get("hubspot_owner_id"),
        person_id=person,
    )


def writes(method: str, path: str) -> bool:
    reads = path.endswith(("/batch/read", "/search")) or "/oauth/" in path
    return method != "GET" and not reads
