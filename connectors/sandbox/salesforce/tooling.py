"""Custom fields created through the Tooling API.

A new field exists at once, but is visible only when a permission set grants it, as in a real org. The option
``fls_granted`` grants it to the integration user's profile at once.
https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.catalogue import ACTIVITIES
from connectors.sandbox.salesforce.errors import RequestRejected, not_found
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import Field, Option
from connectors.sandbox.salesforce.table import Record

_FULL_NAME = re.compile(r"(\w+)\.([A-Za-z]\w*?)__c\Z")
_MOST_EXTERNAL_IDS = 25
_LONGEST_NAME = 40
Metadata = Mapping[str, Any]


def create_field(call: Call) -> HttpResponse:
    """``POST /tooling/sobjects/CustomField`` with FullName and Metadata."""
    given = call.body()
    record_id = add_custom_field(call.org, given.get("FullName"), given.get("Metadata"), call.org.options.fls_granted)
    location = {"Location": f"{call.base}/tooling/sobjects/CustomField/{record_id}"}
    return HttpResponse({"id": record_id, "success": True, "errors": [], "warnings": [], "infos": []}, 201, location)


def read_field(call: Call, record_id: str) -> HttpResponse:
    """``GET /tooling/sobjects/CustomField/{id}``."""
    record = _record(call, record_id)
    url = f"{call.base}/tooling/sobjects/CustomField/{record['Id']}"
    names = ("Id", "DeveloperName", "TableEnumOrId", "FullName", "NamespacePrefix", "Metadata")
    shown = {name: record.get(name) for name in names}
    return HttpResponse({"attributes": {"type": "CustomField", "url": url}, **shown})


def change_field(call: Call, record_id: str) -> HttpResponse:
    """``PATCH /tooling/sobjects/CustomField/{id}`` with new Metadata."""
    record = _record(call, record_id)
    metadata = call.body().get("Metadata")
    put_custom_field(call.org, {**record, "Metadata": metadata})
    return HttpResponse(None, 204)


def delete_field(call: Call, record_id: str) -> HttpResponse:
    """``DELETE /tooling/sobjects/CustomField/{id}``."""
    record = _record(call, record_id)
    call.org.tables["CustomField"].put(record["Id"], None)
    call.org.drop_field(record["TableEnumOrId"], f"{record['DeveloperName']}__c")
    return HttpResponse(None, 204)


def add_custom_field(org: Org, full_name: Any, metadata: Any, granted: bool) -> str:
    """Add a field to an object; returns the id of its CustomField record. Raises `RequestRejected`."""
    named = _FULL_NAME.match(full_name) if isinstance(full_name, str) else None
    if named is None:
        message = f"Invalid fullName, must end in a custom suffix (e.g. __c): {full_name}"
        raise RequestRejected("FIELD_INTEGRITY_EXCEPTION", message, ("FullName",))
    owner, name = named.groups()
    owners = ACTIVITIES if owner == "Activity" else (owner,)
    if owner in ACTIVITIES or any(one not in org.catalogue.types for one in owners):
        hint = " (fields of Task and Event are made on Activity)" if owner in ACTIVITIES else ""
        message = f"Entity Enumeration Or ID: bad value for restricted picklist field: {owner}{hint}"
        raise RequestRejected("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, ("TableEnumOrId",))
    if len(name) > _LONGEST_NAME:
        raise RequestRejected(
            "STRING_TOO_LONG", f"Field Name: data value too large: {name} (max length=40)", ("DeveloperName",)
        )
    if org.catalogue.types[owners[0]].find(f"{name}__c"):
        message = f"There is already a field named {name} on {owner}."
        raise RequestRejected("DUPLICATE_DEVELOPER_NAME", message, ("DeveloperName",))
    field = _field(name, metadata)
    if unknown := [one for one in field.reference_to if one not in org.catalogue.types]:
        message = f"referenceTo value of '{unknown[0]}' does not resolve to a valid sObject type"
        raise RequestRejected("FIELD_INTEGRITY_EXCEPTION", message, ("ReferenceTo",))
    _check_external_ids(org, owners[0], field)
    org.add_field(owner, field)
    record_id = org.new_id("00N")
    record = {"Id": record_id, "IsDeleted": False, "DeveloperName": name, "TableEnumOrId": owner}
    org.tables["CustomField"].put(record_id, {**record, "FullName": full_name, "Metadata": metadata})
    if granted:
        for one in owners:
            _grant(org, one, field.name)
    return record_id


def put_custom_field(org: Org, record: Record) -> None:
    """Add or replace the field of a CustomField record, and the record. Raises `RequestRejected`."""
    org.add_field(record["TableEnumOrId"], custom_field(record))
    org.tables["CustomField"].put(record["Id"], record)


def custom_field(record: Record) -> Field:
    """The field of a CustomField record. Raises `RequestRejected`."""
    return _field(record["DeveloperName"], record["Metadata"])


def _grant(org: Org, object: str, name: str) -> None:
    record_id = org.new_id("01k")
    record: Record = {"Id": record_id, "IsDeleted": False, "ParentId": org.staff.profile_permissions}
    record |= {"SobjectType": object, "Field": f"{object}.{name}", "PermissionsRead": True, "PermissionsEdit": True}
    org.tables["FieldPermissions"].put(record_id, record)
    org.catalogue.touch()


def _record(call: Call, given: str) -> Record:
    record = call.org.tables["CustomField"].records.get(ids.canonical(given) or "")
    if record is None:
        raise not_found()
    return record


def _field(name: str, metadata: Any) -> Field:
    for needed in ("type", "label"):
        if not isinstance(metadata, Mapping) or not isinstance(metadata.get(needed), str) or not metadata[needed]:
            raise _missing(needed)
    make = _TYPES.get(metadata["type"])
    if make is None:
        message = f"Type: bad value for restricted picklist field: {metadata['type']}"
        raise RequestRejected("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, ("Metadata",))
    unique, external = bool(metadata.get("unique")), bool(metadata.get("externalId"))
    if (unique or external) and metadata["type"] not in ("Text", "Number", "Email"):
        raise RequestRejected("FIELD_INTEGRITY_EXCEPTION", f"{metadata['type']} cannot be unique or an external id", ())
    shape: dict[str, Any] = {
        "nillable": not metadata.get("required"),
        "description": metadata.get("inlineHelpText") or metadata.get("description") or "",
        **make(metadata),
    }
    return Field(
        name=f"{name}__c",
        label=metadata["label"],
        unique=unique,
        external_id=external,
        id_lookup=external,
        case_sensitive=bool(metadata.get("caseSensitive")),
        custom=True,
        relationship=f"{name}__r" if shape["type"] == "reference" else None,
        **shape,
    )


def _text(metadata: Metadata) -> dict[str, Any]:
    return {"type": "string", "length": _integer(metadata, "length", 1, 255)}


def _long_text(metadata: Metadata) -> dict[str, Any]:
    return {"type": "textarea", "length": _integer(metadata, "length", 256, 131_072)}


def _number(kind: str) -> Callable[[Metadata], dict[str, Any]]:
    def make(metadata: Metadata) -> dict[str, Any]:
        scale = _integer(metadata, "scale", 0, 17)
        return {"type": kind, "precision": _integer(metadata, "precision", max(1, scale), 18), "scale": scale}

    return make


def _checkbox(metadata: Metadata) -> dict[str, Any]:
    if "defaultValue" not in metadata:
        raise _missing("defaultValue")
    default = str(metadata["defaultValue"]).lower() == "true"
    return {"type": "boolean", "nillable": False, "defaulted": True, "default": default}


def _picklist(kind: str) -> Callable[[Metadata], dict[str, Any]]:
    def make(metadata: Metadata) -> dict[str, Any]:
        values = _mapping(metadata.get("valueSet"))
        defined = _mapping(values.get("valueSetDefinition")).get("value")
        if not isinstance(defined, list) or not defined:
            raise _missing("valueSet")
        options = tuple(_option(_mapping(one)) for one in defined)
        return {"type": kind, "length": 255, "options": options, "restricted": bool(values.get("restricted"))}

    return make


def _option(given: Metadata) -> Option:
    named = given.get("valueName") or given.get("fullName") or given.get("label")
    if not named:
        raise _missing("fullName")
    return Option(str(named), default=bool(given.get("default")))


def _mapping(given: Any) -> Metadata:
    return given if isinstance(given, Mapping) else {}


def _fixed(kind: str, length: int = 0) -> Callable[[Metadata], dict[str, Any]]:
    return lambda _: {"type": kind, "length": length}


def _lookup(metadata: Metadata) -> dict[str, Any]:
    target = metadata.get("referenceTo")
    if not isinstance(target, str) or not target:
        raise _missing("referenceTo")
    return {"type": "reference", "length": 18, "reference_to": (target,)}


_TYPES: dict[str, Callable[[Metadata], dict[str, Any]]] = {
    "Text": _text,
    "TextArea": _fixed("textarea", 255),
    "LongTextArea": _long_text,
    "Number": _number("double"),
    "Percent": _number("percent"),
    "Currency": _number("currency"),
    "Checkbox": _checkbox,
    "Date": _fixed("date"),
    "DateTime": _fixed("datetime"),
    "Email": _fixed("email", 80),
    "Phone": _fixed("phone", 40),
    "Url": _fixed("url", 255),
    "Lookup": _lookup,
    "Picklist": _picklist("picklist"),
    "MultiselectPicklist": _picklist("multipicklist"),
}


def _integer(metadata: Metadata, name: str, low: int, high: int) -> int:
    value = metadata.get(name)
    if value is None:
        raise _missing(name)
    if type(value) is not int or not low <= value <= high:
        raise RequestRejected("FIELD_INTEGRITY_EXCEPTION", f"{name} must be between {low} and {high}", (name,))
    return value


def _check_external_ids(org: Org, object: str, field: Field) -> None:
    used = sum(one.external_id for one in org.catalogue.types[object].fields.values())
    if field.external_id and used >= _MOST_EXTERNAL_IDS:
        raise RequestRejected("LIMIT_EXCEEDED", f"{object} has the most external id fields it may have", ())


def _missing(name: str) -> RequestRejected:
    return RequestRejected("REQUIRED_FIELD_MISSING", f"Required field is missing: {name}", (name,))
