"""The checks of a whole record after those of its values (`salesforce.validation`), in Salesforce's order.

Owner and conversion, uniqueness, duplicate rules; validation rules follow in `salesforce.automation`.
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.errors import RequestRejected, malformed_id
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.table import Record, Table, fold

CHECKED_WHOLE = frozenset({"Task", "Event", "Lead"})
"""Objects that need `check_saved` on every save; others need it only when the owner is set."""


def check_saved(org: Org, kind: ObjectType, record: Record, before: Record | None) -> None:
    """Check the owner, a converted lead, and the references of a task. Raises `RequestRejected`."""
    owner_id = record.get("OwnerId")
    if owner_id and (before is None or before.get("OwnerId") != owner_id):
        owner = org.record(owner_id)
        if owner is not None and owner.get("IsActive") is False:
            message = f"operation performed with inactive user [{owner_id}] as owner of {kind.label.lower()}"
            raise RequestRejected("INACTIVE_OWNER_OR_USER", message)
    if before is not None and before.get("IsConverted"):
        raise RequestRejected("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    if kind.name in ("Task", "Event"):
        who = org.record(record.get("WhoId")) if before is None or before.get("WhoId") != record.get("WhoId") else None
        if who is not None and who.get("IsConverted"):
            raise RequestRejected("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    if kind.name == "Task" and record.get("WhatId") and str(record.get("WhoId") or "").startswith("00Q"):
        message = "Related To ID: a task of a lead cannot be related to another record"
        raise RequestRejected("FIELD_INTEGRITY_EXCEPTION", message, ("WhatId",))


def check_unique(table: Table, record: Record, before: Record | None) -> None:
    """Check that no other record has the value of a unique field. Raises `RequestRejected`."""
    for field in table.type.unique:
        if record.get(field.name) is None:
            continue
        if before is not None and before.get(field.name) == record[field.name]:
            continue
        for other in table.having(field, record[field.name]):
            if other != record["Id"]:
                message = f"duplicate value found: {field.name} duplicates value on record with id: {other[:15]}"
                raise RequestRejected("DUPLICATE_VALUE", message)


def check_duplicate_rules(org: Org, table: Table, record: Record) -> None:
    """Check that no duplicate rule finds a record with the same values. Raises `RequestRejected`."""
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


def _duplicates(object: str, rule: str, found: list[str]) -> RequestRejected:
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
    # Salesforce misspells this key, and clients read it.
    return RequestRejected("DUPLICATES_DETECTED", "Use one of these records?", None, more={"duplicateResut": result})


def checked_id(field_label: str, given: Any) -> str:
    """An id from a path or a record, in 18 characters. Raises `RequestRejected` when malformed."""
    known = ids.canonical(given)
    if known is None:
        raise malformed_id(field_label, given)
    return known
