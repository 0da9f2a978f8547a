"""The checks a record passes before it is saved, in the order Salesforce makes them.

Of several failed checks the first class is reported: unknown column, not writable, wrong JSON type, ids,
ranges, required fields; then owner and conversion, uniqueness, duplicate rules and validation rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.access import Access
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusal import Refused
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Record, Table, fold
from connectors.sandbox.salesforce.values import RANK_ID, stored


def accept(
    org: Org, kind: ObjectType, access: Access, given: Mapping[str, Any], creating: bool, trusted: bool
) -> Record:
    """The stored values of what a client sent for one record. Raises `Refused`.

    ``trusted`` writers (the seed, the org itself) may also set fields that are read-only over the API.
    """
    changes: Record = {}
    blocked: list[str] = []
    worst: Refused | None = None
    for name, value in given.items():
        if name == "attributes":
            continue
        field = access.find(name)
        if field is None:
            field, value = _by_external_id(org, kind, access, name, value)
        if not trusted and not _writable(field, access, creating):
            blocked.append(field.name)
            continue
        try:
            changes[field.name] = stored(field, value)
        except Refused as refused:
            if worst is None or refused.rank < worst.rank:
                worst = refused
    if blocked:
        raise _not_writable(blocked)
    if worst is not None and worst.rank < RANK_ID:
        raise worst
    _check_references(org, access, changes)
    if worst is not None:
        raise worst
    _check_required(access, changes, creating, trusted)
    return changes


def check_saved(org: Org, kind: ObjectType, record: Record, before: Record | None) -> None:
    """The checks that need the whole record: its owner, a converted lead, what a task may refer to."""
    owner_id = record.get("OwnerId")
    if owner_id and (before is None or before.get("OwnerId") != owner_id):
        owner = org.record(owner_id)
        if owner is not None and owner.get("IsActive") is False:
            message = f"operation performed with inactive user [{owner_id}] as owner of {kind.label.lower()}"
            raise Refused("INACTIVE_OWNER_OR_USER", message)
    if before is not None and before.get("IsConverted"):
        raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    if kind.name in ("Task", "Event"):
        who = org.record(record.get("WhoId")) if before is None or before.get("WhoId") != record.get("WhoId") else None
        if who is not None and who.get("IsConverted"):
            raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    if kind.name == "Task" and record.get("WhatId") and str(record.get("WhoId") or "").startswith("00Q"):
        message = "Related To ID: a task of a lead cannot be related to another record"
        raise Refused("FIELD_INTEGRITY_EXCEPTION", message, ("WhatId",))


def check_unique(table: Table, record: Record, before: Record | None) -> None:
    """No other living record has the value of a unique field."""
    for field in table.type.unique:
        if record.get(field.name) is None:
            continue
        if before is not None and before.get(field.name) == record[field.name]:
            continue
        for other in table.having(field, record[field.name]):
            if other != record["Id"]:
                message = f"duplicate value found: {field.name} duplicates value on record with id: {other[:15]}"
                raise Refused("DUPLICATE_VALUE", message)


def check_duplicate_rules(org: Org, table: Table, record: Record) -> None:
    """No configured duplicate rule finds a record with the same values."""
    for rule in org.options.duplicate_rules:
        if rule["object"] != table.type.name:
            continue
        fields = [table.type.fields[name] for name in rule["fields"]]
        wanted = [fold(field, record.get(field.name)) for field in fields]
        if any(value is None for value in wanted):
            continue
        found = [
            other["Id"]
            for other in table.living()
            if other["Id"] != record["Id"] and [fold(field, other.get(field.name)) for field in fields] == wanted
        ]
        if found:
            raise _duplicates(table.type.name, str(rule.get("name", "Duplicate rule")), found)


def no_such_column(kind: ObjectType, name: str) -> Refused:
    """The refusal of an unknown or hidden field in a record."""
    return Refused("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}", rank=1)


def _writable(field: Field, access: Access, creating: bool) -> bool:
    return field.name in access.editable and (field.createable if creating else field.updateable)


def _not_writable(names: list[str]) -> Refused:
    message = (
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field and "
        "verify that it is read/write for your profile or permission set."
    )
    return Refused("INVALID_FIELD_FOR_INSERT_UPDATE", message, tuple(names), rank=2)


def _by_external_id(org: Org, kind: ObjectType, access: Access, name: str, value: Any) -> tuple[Field, Any]:
    field = kind.parent(name)
    if field is None or access.find(field.name) is None or not isinstance(value, Mapping):
        raise no_such_column(kind, name)
    keys = {key: wanted for key, wanted in value.items() if key != "attributes"}
    target = org.catalogue.types[field.reference_to[0]]
    ((key, wanted),) = keys.items() if len(keys) == 1 else ((str(sorted(keys)), None),)
    key_field = org.access(target).find(key)
    if key_field is None or not key_field.indexed:
        raise no_such_column(target, key)
    found = org.tables[target.name].having(key_field, stored(key_field, wanted))
    if len(found) != 1:
        message = f"Foreign key external ID: {wanted} not found for field {key} in entity {target.name}"
        raise Refused("INVALID_FIELD", message)
    return field, found[0]


def _check_references(org: Org, access: Access, changes: Record) -> None:
    for name, value in changes.items():
        field = access.visible[name]
        if field.type != "reference" or value is None:
            continue
        target = org.catalogue.of_id(value)
        if target is None or target.name not in field.reference_to:
            message = f"{field.label}: id value of incorrect type: {value}"
            raise Refused("MALFORMED_ID", message, (name,))
        found = org.tables[target.name].records.get(value)
        if found is None or found["IsDeleted"]:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")


def _check_required(access: Access, changes: Record, creating: bool, trusted: bool) -> None:
    if creating:
        missing = [name for name in access.required if changes.get(name) is None]
    else:
        missing = [name for name, value in changes.items() if value is None and not access.visible[name].nillable]
    if missing and not trusted:
        message = f"Required fields are missing: [{', '.join(missing)}]"
        raise Refused("REQUIRED_FIELD_MISSING", message, tuple(missing))


def _duplicates(object: str, rule: str, found: list[str]) -> Refused:
    matches = [
        {
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": object, "url": f"/services/data/v67.0/sobjects/{object}/{record_id}"},
                       "Id": record_id},
        }
        for record_id in found
    ]  # fmt: skip
    result = {
        "allowSave": True,
        "duplicateRule": rule.replace(" ", "_"),
        "duplicateRuleEntityType": object,
        "errorMessage": "Use one of these records?",
        "matchResults": [
            {
                "entityType": object,
                "errors": [],
                "matchEngine": "ExactMatchEngine",
                "matchRecords": matches,
                "rule": rule.replace(" ", "_"),
                "size": len(matches),
                "success": True,
            }
        ],
    }
    # The misspelling is Salesforce's own; clients read it.
    return Refused("DUPLICATES_DETECTED", "Use one of these records?", None, more={"duplicateResut": result})


def checked_id(field_label: str, given: Any) -> str:
    """An id from a path or a record, in 18 characters. Raises `Refused` when malformed."""
    known = ids.canonical(given)
    if known is None:
        raise Refused("MALFORMED_ID", f"{field_label}: id value of incorrect type: {given}", ("Id",))
    return known
