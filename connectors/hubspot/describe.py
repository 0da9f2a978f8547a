"""HubSpot's properties as the field specs that every connector reports."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors import coerce
from connectors.base import AccessDenied, FieldSpec, FieldType, Scalar
from connectors.hubspot import errors
from connectors.hubspot.client import Client

TEXT_LENGTH = 65_536
"""https://developers.hubspot.com/docs/guides/api/crm/properties"""

TASKS = "tasks"

NEVER_UNIQUE = (
    "HubSpot never changes that and brings an archived property back as it was, so name another one in "
    "config/crm.yaml and run plgsync crm setup"
)

_TYPES: Mapping[str, FieldType] = {
    "string": "string",
    "phone_number": "string",
    "number": "number",
    "bool": "bool",
    "date": "date",
    "datetime": "datetime",
    "enumeration": "enum",
}
_CHOICES: Mapping[str, FieldType] = {"checkbox": "multi_enum", "booleancheckbox": "bool"}


class Schema:
    """The fields of each object, read once until `forget` (those of companies are some 400 KB)."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, dict[str, FieldSpec]] = {}
        self._lock = threading.Lock()

    def fields(self, object: str) -> Mapping[str, FieldSpec]:
        """Every property of the object that is not archived, by name."""
        with self._lock:
            if object not in self._known:
                self._known[object] = {spec.name: spec for spec in map(field_spec, properties(self._client, object))}
            return self._known[object]

    def unique(self, object: str, name: str) -> FieldSpec | None:
        """A property that should address records; None when there is none.

        Reads the schema again when the property is missing or not unique: setup may have created it in another process.
        """
        spec = self.fields(object).get(name)
        if spec is None or not spec.unique:
            self.forget()
            spec = self.fields(object).get(name)
        return spec

    def forget(self) -> None:
        """Read the properties again when they are next needed."""
        with self._lock:
            self._known.clear()

    def canonical(self, object: str, values: Mapping[str, str | None], names: Sequence[str]) -> dict[str, Scalar]:
        """The canonical values of HubSpot's texts, for the names that HubSpot has."""
        specs = self.fields(object) if names else {}
        return {name: canonical(specs[name], values.get(name)) for name in names if name in specs}


def properties(client: Client, object: str) -> list[Mapping[str, Any]]:
    """HubSpot's own description of every property of the object."""
    answer = client.read("GET", f"{client.paths.properties}/{object}")
    if not answer.ok:
        raise AccessDenied(f"HubSpot rejects describing {object}: {errors.rejection(answer.body).reason}")
    return list(answer.body.get("results") or [])


def field_spec(described: Mapping[str, Any]) -> FieldSpec:
    """One property. HubSpot always validates enumerations, and its numbers have no scale."""
    kind = _type(described)
    options = tuple(str(option.get("value")) for option in described.get("options") or [])
    changes = described.get("modificationMetadata") or {}
    return FieldSpec(
        name=str(described["name"]),
        type=kind,
        label=str(described.get("label") or ""),
        writable=not changes.get("readOnlyValue") and not described.get("calculated"),
        length=TEXT_LENGTH if kind == "string" else None,
        options=options if kind in ("enum", "multi_enum") else (),
        restricted=kind in ("enum", "multi_enum") and not described.get("externalOptions"),
        unique=bool(described.get("hasUniqueValue")),
    )


def canonical(spec: FieldSpec, stored: str | None) -> Scalar:
    """A stored text in the form that the pipeline compares; one that does not fit its type stays as it is."""
    if stored is None or stored == "":
        return None
    if spec.type in ("date", "datetime") and stored.lstrip("-").isdigit():
        stored = datetime.fromtimestamp(int(stored) / 1000, UTC).isoformat()
        stored = stored[:10] if spec.type == "date" else stored  # HubSpot stores a day as midnight UTC
    try:
        return coerce.coerce(spec, stored)
    except coerce.Invalid:
        return stored


def _type(described: Mapping[str, Any]) -> FieldType:
    if described.get("referencedObjectType"):
        return "reference"
    if described.get("type") == "enumeration":
        return _CHOICES.get(str(described.get("fieldType")), "enum")
    return _TYPES.get(str(described.get("type")), "other")
