"""Saves records the way the org does it: checks, derived fields, system fields, locks, permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.salesforce import person
from connectors.sandbox.salesforce.access import Access, everything
from connectors.sandbox.salesforce.checks import (
    accept,
    check_duplicate_rules,
    check_saved,
    check_unique,
)
from connectors.sandbox.salesforce.derive import derived, touch_parents
from connectors.sandbox.salesforce.disturb import Disturbance
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.permissions import PERMISSION_OBJECTS, check_permission
from connectors.sandbox.salesforce.refusal import Refused
from connectors.sandbox.salesforce.rules import check_rules
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Journal, Record
from connectors.sandbox.salesforce.values import stored

_DELETED = Refused("ENTITY_IS_DELETED", "entity is deleted", status=404)


@dataclass(slots=True)
class Writer:
    """One user's writes in one transaction; each refused write leaves nothing behind. Raises `Refused`.

    ``trusted`` writes (seed, org) may set read-only fields and see every field; ``human`` writes, made in
    the CRM's own pages, see every field. ``allow_duplicates`` overrides duplicate rules.
    """

    org: Org
    user_id: str
    trusted: bool = False
    human: bool = False
    allow_duplicates: bool = False
    disturbance: Disturbance | None = None
    journal: Journal = field(default_factory=Journal)
    now: str = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.org.now()

    def insert(self, kind: ObjectType, given: Mapping[str, Any], record_id: str | None = None) -> str:
        """Create a record; its id."""
        self._check_createable(kind)
        changes = accept(self.org, kind, self._access(kind), given, creating=True, trusted=self.trusted)
        record: Record = {
            "Id": record_id or self.org.new_id(kind.prefix),
            "IsDeleted": False,
            "CreatedDate": self.now,
            "CreatedById": self.user_id,
            **_defaults(kind, self.user_id),
            **{name: value for name, value in changes.items() if value is not None},
        }
        if self.disturbance:
            self.disturbance.before_insert(self, kind, record)
        if not self.trusted:
            person.check_names(self.org, kind.name, record, None, changes)
        self._save(kind, record, None)
        return str(record["Id"])

    def update(self, kind: ObjectType, record_id: str, given: Mapping[str, Any]) -> None:
        """Change fields of a living record."""
        before = self.org.tables[kind.name].records.get(record_id)
        changes = accept(self.org, kind, self._access(kind), given, creating=False, trusted=self.trusted)
        if before is None:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if before["IsDeleted"]:
            raise _DELETED
        record = {**before, **changes}
        if not self.trusted:
            person.check_names(self.org, kind.name, record, before, changes)
        self._save(kind, record, before)

    def upsert(self, kind: ObjectType, key: Field, given: Mapping[str, Any], may_create: bool) -> tuple[str, bool]:
        """Update the one record with this key, or create it; its id and whether it was created."""
        wanted = next((value for name, value in given.items() if name.lower() == key.name.lower()), None)
        wanted = stored(key, wanted)
        rest = {name: value for name, value in given.items() if name.lower() != key.name.lower()}
        if wanted is None and key.name == "Id" and may_create:
            return self.insert(kind, rest), True
        if wanted is None:
            raise Refused("MISSING_ARGUMENT", f"{key.name} not specified")
        found = self.org.tables[kind.name].having(key, wanted)
        if len(found) > 1:
            message = f"more than one record found for external id field: [{', '.join(found)}]"
            raise Refused("DUPLICATE_EXTERNAL_ID", f"{key.name}: {message}")
        if found:
            self.update(kind, found[0], rest)
            return found[0], False
        if key.name == "Id" or not may_create:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        return self.insert(kind, given), True

    def delete(self, record_id: str) -> None:
        """Put a record, and what hangs on it, into the recycle bin."""
        kind = self.org.catalogue.of_id(record_id)
        before = self.org.record(record_id)
        if kind is None or before is None:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if before["IsDeleted"]:
            raise _DELETED
        if not kind.deletable:
            message = f"entity type cannot be deleted: {kind.name}"
            raise Refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
        person.check_deletable(before)
        if self.disturbance:
            self.disturbance.before_save(before)
        self._remove(kind, before)
        for child_kind, child in list(children_of(self.org, record_id)):
            self._remove(child_kind, child)
        touch_parents(self.org, kind.name, [before], self.journal)

    def _save(self, kind: ObjectType, record: Record, before: Record | None) -> None:
        record.update(derived(self.org, kind.name, record, before))
        record.update(LastModifiedDate=self.now, LastModifiedById=self.user_id, SystemModstamp=self.now)
        table = self.org.tables[kind.name]
        if not self.trusted:
            check_saved(self.org, kind, record, before)
        check_unique(table, record, before)
        if not self.trusted and not self.human:
            if self.org.options.duplicate_rules and not self.allow_duplicates:
                check_duplicate_rules(self.org, table, record)
            check_rules(self.org, kind, record)
            if self.disturbance:
                self.disturbance.before_save(record)
        if kind.name in PERMISSION_OBJECTS:
            check_permission(self.org, kind, record)
        for flow in self.org.options.flows:
            if flow["object"] == kind.name:
                record[flow["field"]] = flow["value"]
        self.journal.put(table, record["Id"], record)
        person.follow(self.org, kind.name, record, self.journal)
        touch_parents(self.org, kind.name, [before, record], self.journal)
        if kind.name in PERMISSION_OBJECTS or kind.name == "User":
            self.org.catalogue.touch()

    def _remove(self, kind: ObjectType, before: Record) -> None:
        gone = {**before, "IsDeleted": True, "LastModifiedDate": self.now, "SystemModstamp": self.now}
        self.journal.put(self.org.tables[kind.name], before["Id"], {**gone, "LastModifiedById": self.user_id})
        if kind.name in PERMISSION_OBJECTS:
            self.org.catalogue.touch()

    def _access(self, kind: ObjectType) -> Access:
        return everything(kind) if self.trusted or self.human else self.org.access(kind)

    def _check_createable(self, kind: ObjectType) -> None:
        if not kind.createable and not self.trusted:
            message = f"entity type cannot be inserted: {kind.label}"
            raise Refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)


def _defaults(kind: ObjectType, user_id: str) -> Record:
    values = {name: one.default for name, one in kind.fields.items() if one.default is not None}
    if "OwnerId" in kind.fields:
        values["OwnerId"] = user_id
    return values


def children_of(org: Org, record_id: str, deleted: bool = False) -> list[tuple[ObjectType, Record]]:
    """What Salesforce deletes together with a record: an account's people, deals and activities."""
    found: list[tuple[ObjectType, Record]] = []
    for child, names in (
        ("Contact", ("AccountId",)),
        ("Opportunity", ("AccountId",)),
        ("Task", ("WhatId", "WhoId", "AccountId")),
        ("Event", ("WhatId", "WhoId")),
        ("FieldPermissions", ("ParentId",)),
        ("PermissionSetAssignment", ("PermissionSetId",)),
    ):
        kind = org.catalogue.types[child]
        found += [
            (kind, record)
            for record in org.tables[child].records.values()
            if record["IsDeleted"] is deleted and any(record.get(name) == record_id for name in names)
        ]
    return found
