"""The checks of permission records, which decide what the integration user sees."""

from __future__ import annotations

from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.table import Record

PERMISSION_OBJECTS = frozenset({"FieldPermissions", "PermissionSet", "PermissionSetAssignment"})
_NATURAL_KEYS = {
    "FieldPermissions": ("ParentId", "Field"),
    "PermissionSetAssignment": ("AssigneeId", "PermissionSetId"),
}


def check_permission(org: Org, kind: ObjectType, record: Record) -> None:
    """Reject an invalid permission: an unknown field, edit without read, the same grant twice."""
    if kind.name == "FieldPermissions":
        _check_field(org, record)
    if kind.name == "PermissionSet":
        record.setdefault("IsCustom", True)
    key = _NATURAL_KEYS.get(kind.name, ())
    wanted = [record.get(name) for name in key]
    for other in org.tables[kind.name].living():
        if key and other["Id"] != record["Id"] and [other.get(name) for name in key] == wanted:
            message = f"duplicate value found: <unknown> duplicates value on record with id: {other['Id'][:15]}"
            raise RequestRejected("DUPLICATE_VALUE", message)


def _check_field(org: Org, record: Record) -> None:
    target = org.catalogue.types.get(record["SobjectType"])
    if target is None:
        message = f"Object Type: bad value for restricted picklist field: {record['SobjectType']}"
        raise RequestRejected("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, ("SobjectType",))
    owner, _, name = record["Field"].partition(".")
    field = target.find(name)
    if owner != target.name or field is None or not field.custom:
        message = f"Field Name: bad value for restricted picklist field: {record['Field']}"
        raise RequestRejected("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, ("Field",))
    if record["PermissionsEdit"] and not record["PermissionsRead"]:
        raise RequestRejected("FIELD_INTEGRITY_EXCEPTION", "Edit access needs read access", ("PermissionsEdit",))
