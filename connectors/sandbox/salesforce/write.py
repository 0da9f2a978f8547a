"""Saves records the way the org does it: checks, derived fields, system fields, locks, permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.salesforce import ids, person
from connectors.sandbox.salesforce.checks import CHECKED_WHOLE, check_duplicate_rules, check_saved, check_unique
from connectors.sandbox.salesforce.derive import derived, touch_parents
from connectors.sandbox.salesforce.disturb import Disturbance
from connectors.sandbox.salesforce.intake import Intake, intake_of
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.permissions import PERMISSION_OBJECTS, check_permission
from connectors.sandbox.salesforce.person_fields import are_on
from connectors.sandbox.salesforce.refusal import Refused
from connectors.sandbox.salesforce.rules import check_rules
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Journal, Record, Table
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
    _governed: bool = field(init=False)
    _persons: bool = field(init=False)
    _update_intakes: dict[str, Intake] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.now = self.org.now()
        options = self.org.options
        self._persons = are_on(self.org.catalogue.types)
        self._governed = bool(options.duplicate_rules or options.validation_rules or options.flows or self.disturbance)

    def insert(
        self, kind: ObjectType, given: Mapping[str, Any], record_id: str | None = None, *, batch: bool = False
    ) -> str:
        """Create a record; its id. ``batch``: an ``id`` among the values is not meant."""
        self._check_createable(kind)
        intake = self._intake(kind, creating=True)
        changes = intake.accept(self.org, given, None, batch)
        record: Record = {
            "Id": record_id or self.org.new_id(kind.prefix),
            "IsDeleted": False,
            "CreatedDate": self.now,
            "CreatedById": self.user_id,
            **intake.defaults,
            **({"OwnerId": self.user_id} if "OwnerId" in kind.fields else {}),
            **{name: value for name, value in changes.items() if value is not None},
        }
        if self.disturbance and self.disturbance.takes_race(kind, record):
            self._insert_as_other_client(kind, record)
        self.save(kind, record, None, changes)
        return str(record["Id"])

    def update(self, kind: ObjectType, record_id: Any, given: Mapping[str, Any], *, batch: bool = False) -> str:
        """Change fields of a living record; its id in 18 characters. ``batch``: the ``id`` among the values is its."""
        known = ids.canonical(record_id) or ""
        before = self.org.tables[kind.name].records.get(known)
        target = None
        if before is None:
            target = _wrong_target(kind, known, record_id)
        elif before["IsDeleted"]:
            target = _DELETED
        intake = self._update_intakes.get(kind.name) or self._intake(kind, creating=False)
        changes = intake.accept(self.org, given, target, batch)
        assert before is not None  # noqa: S101 - accept raises the target's refusal
        record = before.copy()  # copying a whole dict is far quicker than merging two
        record.update(changes)
        self.save(kind, record, before, changes)
        return known

    def upsert(self, kind: ObjectType, key: Field, given: Mapping[str, Any], may_create: bool) -> tuple[str, bool]:
        """Update the one record with this key, or create it; its id and whether it was created."""
        rest = dict(given)
        named = key.name if key.name in rest else next((name for name in rest if name.lower() == key.name.lower()), "")
        wanted = stored(key, rest.pop(named, None))
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

    def save(self, kind: ObjectType, record: Record, before: Record | None, changes: Record) -> None:
        """Check a whole record, work out what follows from it and store it."""
        org, name = self.org, kind.name
        if self._persons and name == "Account" and not self.trusted:
            person.check_names(org, name, record, before, changes)
        if self._persons or name != "Account":
            record.update(derived(org, name, record, before))
        record["LastModifiedDate"] = record["SystemModstamp"] = self.now
        record["LastModifiedById"] = self.user_id
        table = org.tables[name]
        if not self.trusted and (before is None or "OwnerId" in changes or name in CHECKED_WHOLE):
            check_saved(org, kind, record, before)
        if before is None or not kind.unique_names.isdisjoint(changes):
            check_unique(table, record, before)
        if self._governed:
            self._meet_the_org(kind, record, table)
        if name in PERMISSION_OBJECTS:
            check_permission(org, kind, record)
        self.journal.put(table, record["Id"], record)
        if self._persons:
            person.follow(org, name, record, self.journal)
        if name == "Task":
            touch_parents(org, name, [before, record], self.journal)
        if name in PERMISSION_OBJECTS or name == "User":
            org.catalogue.touch()
            self._update_intakes.clear()

    def _insert_as_other_client(self, kind: ObjectType, record: Record) -> None:
        """Create the same record as another client, which this transaction does not roll back."""
        admin = self.org.staff.admin
        theirs = {**record, "Id": self.org.new_id(kind.prefix), "CreatedById": admin}
        Writer(self.org, admin, trusted=True).save(kind, theirs, None, theirs)

    def _meet_the_org(self, kind: ObjectType, record: Record, table: Table) -> None:
        """What this org was told to do with records: duplicate and validation rules, locks, flows."""
        options = self.org.options
        if not self.trusted and not self.human:
            if options.duplicate_rules and not self.allow_duplicates:
                check_duplicate_rules(self.org, table, record)
            check_rules(self.org, kind, record)
            if self.disturbance:
                self.disturbance.before_save(record)
        for flow in options.flows:
            if flow["object"] == kind.name:
                record[flow["field"]] = flow["value"]

    def _remove(self, kind: ObjectType, before: Record) -> None:
        gone = {**before, "IsDeleted": True, "LastModifiedDate": self.now, "SystemModstamp": self.now}
        self.journal.put(self.org.tables[kind.name], before["Id"], {**gone, "LastModifiedById": self.user_id})
        if kind.name in PERMISSION_OBJECTS:
            self.org.catalogue.touch()

    def _intake(self, kind: ObjectType, creating: bool) -> Intake:
        limited = not (self.trusted or self.human)
        intake = intake_of(self.org, kind, creating, limited=limited, trusted=self.trusted)
        if not creating:
            self._update_intakes[kind.name] = intake
        return intake

    def _check_createable(self, kind: ObjectType) -> None:
        if not kind.createable and not self.trusted:
            message = f"entity type cannot be inserted: {kind.label}"
            raise Refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)


def _wrong_target(kind: ObjectType, known: str, given: Any) -> Refused:
    if not known.startswith(kind.prefix) or not known:
        return Refused("MALFORMED_ID", f"{kind.fields['Id'].label}: id value of incorrect type: {given}", ("Id",))
    return Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")


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
