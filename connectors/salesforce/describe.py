"""The fields that this user may see and write; fields hidden by field-level security are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.base import AccessDenied, FieldSpec, FieldType, Scalar
from connectors.coerce import canonical
from connectors.salesforce.client import Client, Row
from connectors.salesforce.errors import RequestRejected

TYPES: Mapping[str, FieldType] = {
    # https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm
    "string": "string",
    "textarea": "string",
    "url": "string",
    "email": "string",
    "phone": "string",
    "encryptedstring": "string",
    "combobox": "string",
    "int": "number",
    "long": "number",
    "double": "number",
    "currency": "number",
    "percent": "number",
    "boolean": "bool",
    "date": "date",
    "datetime": "datetime",
    "picklist": "enum",
    "multipicklist": "multi_enum",
    "id": "reference",
    "reference": "reference",
}


class Schema:
    """The described objects of one org, each fetched once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[str, tuple[Mapping[str, FieldSpec], frozenset[str]]] = {}

    def fields(self, object: str) -> Mapping[str, FieldSpec]:
        """Every visible field by name."""
        return self._fetch(object)[0]

    def external_ids(self, object: str) -> frozenset[str]:
        """The fields that can be upserted on."""
        return self._fetch(object)[1]

    def seen(self, object: str) -> Mapping[str, FieldSpec]:
        """The fields fetched so far; none for an object that was not fetched."""
        return self._seen.get(object, ({}, frozenset()))[0]

    def forget(self) -> None:
        """Fetch again on the next use: fields or permissions have changed."""
        self._seen.clear()

    def _fetch(self, object: str) -> tuple[Mapping[str, FieldSpec], frozenset[str]]:
        if object not in self._seen:
            fields = self._described(object)
            specs = {field["name"]: field_spec(field) for field in fields}
            self._seen[object] = specs, frozenset(field["name"] for field in fields if field.get("externalId"))
        return self._seen[object]

    def _described(self, object: str) -> list[dict[str, Any]]:
        try:
            return list(self._client.read("GET", f"sobjects/{object}/describe")["fields"])
        except RequestRejected as rejected:
            raise AccessDenied(f"{object} is missing or hidden from this user: {rejected.reason}") from None


def field_spec(field: Mapping[str, Any]) -> FieldSpec:
    """The spec of one entry of a describe's ``fields``."""
    kind = TYPES.get(field["type"], "other")
    number = kind == "number"
    whole = field["type"] in ("int", "long")
    return FieldSpec(
        name=field["name"],
        type=kind,
        label=field.get("label") or "",
        writable=bool(field.get("updateable")) and not field.get("calculated"),
        length=(field.get("length") or None) if kind in ("string", "reference", "other") else None,
        precision=((field.get("digits") if whole else field.get("precision")) or None) if number else None,
        scale=(0 if whole else field.get("scale")) if number else None,
        options=tuple(str(v["value"]) for v in field.get("picklistValues") or () if v.get("active")),
        restricted=bool(field.get("restrictedPicklist")),
        unique=bool(field.get("unique")),
        nillable=bool(field.get("nillable", True)),
    )


def values_of(row: Row, specs: Mapping[str, FieldSpec], fields: Iterable[str]) -> dict[str, Scalar]:
    """The row's canonical values of those fields that are visible; the others are left out as unknown."""
    return {name: canonical(specs[name], row.get(name)) for name in fields if name in specs}
