"""Field-level security: which fields the integration user may see and change.

Standard fields and the sandbox's own keys are visible to every user. Any other custom field is visible only
through a FieldPermissions record of a permission set of the user or of the user's profile.
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_fieldpermissions.htm
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sandbox.salesforce import person_fields
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Table

OPEN_FIELDS = frozenset({"Sync_Ext__c", "Sync_Key__c"})


@dataclass(frozen=True, slots=True)
class Access:
    """The fields of one object that one user may see, and those the user may change."""

    visible: dict[str, Field]
    lower: dict[str, Field]
    editable: frozenset[str]
    required: tuple[str, ...]

    def find(self, name: str) -> Field | None:
        """The visible field of this name, in upper or lower case."""
        return self.visible.get(name) or self.lower.get(name.lower())


def access_to(kind: ObjectType, tables: dict[str, Table], user_id: str, denied: dict[tuple[str, str], str]) -> Access:
    """The access of a user to an object. ``denied`` maps (object, field) to ``hidden`` or ``read_only``."""
    granted = _granted(kind.name, tables, user_id)
    if kind.name == "Account":  # a person account's X__pc is the contact's X__c
        granted |= {
            person_fields.account_field(name): may for name, may in _granted("Contact", tables, user_id).items()
        }
    visible: dict[str, Field] = {}
    editable: set[str] = set()
    for name, field in kind.fields.items():
        is_open = not field.custom or name in OPEN_FIELDS or person_fields.contact_field(name) in OPEN_FIELDS
        may_edit = is_open or granted.get(name.lower())
        setting = denied.get((kind.name, name)) or denied.get(("Contact", person_fields.contact_field(name)))
        if (not is_open and name.lower() not in granted) or setting == "hidden":
            continue
        visible[name] = field
        if may_edit and setting != "read_only":
            editable.add(name)
    required = tuple(name for name, field in visible.items() if field.required)
    return Access(visible, {name.lower(): one for name, one in visible.items()}, frozenset(editable), required)


def everything(kind: ObjectType) -> Access:
    """The access of a user without field-level security."""
    required = tuple(name for name, field in kind.fields.items() if field.required)
    return Access(kind.fields, kind.lower, frozenset(kind.fields), required)


def _granted(object: str, tables: dict[str, Table], user_id: str) -> dict[str, bool]:
    profile = tables["User"].records[user_id]["ProfileId"]
    held = {
        one["PermissionSetId"] for one in tables["PermissionSetAssignment"].living() if one["AssigneeId"] == user_id
    } | {one["Id"] for one in tables["PermissionSet"].living() if one.get("ProfileId") == profile}
    granted: dict[str, bool] = {}
    for one in tables["FieldPermissions"].living():
        if one["SobjectType"] == object and one["ParentId"] in held and one["PermissionsRead"]:
            name = one["Field"].partition(".")[2].lower()
            granted[name] = granted.get(name, False) or bool(one["PermissionsEdit"])
    return granted
