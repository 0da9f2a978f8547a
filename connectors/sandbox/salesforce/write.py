"""Saves records as the org does: checks, derived fields, system fields, locks, permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.salesforce import ids, person_accounts
from connectors.sandbox.salesforce.automation import check_rules, run_flows
from connectors.sandbox.salesforce.checks import CHECKED_WHOLE, check_duplicate_rules, check_saved, check_unique
from connectors.sandbox.salesforce.derived_fields import derived, touch_parents
from connectors.sandbox.salesforce.errors import NO_REFERENCE, RequestRejected, malformed_id
from connectors.sandbox.salesforce.faults import RecordFaults
from connectors.sandbox.salesforce.field_history import record_history
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.permissions import PERMISSION_OBJECTS, check_permission
from connectors.sandbox.salesforce.person_fields import are_on
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Journal, Record, Table
from connectors.sandbox.salesforce.validation import RecordValidator, validator_for
from connectors.sandbox.salesforce.values import stored

_DELETED = RequestRejected("ENTITY_IS_DELETED", "entity is deleted", status=404)


@dataclass(slots=True, kw_only=True)
class Writer:
    """One user's writes in one transaction; a rejected write changes nothing. Raises `RequestRejected`.

    ``trusted`` writes (seed, org) may set read-only fields and see every field; ``ui_actions`` writes, made in
    the CRM's own pages, see every field. ``allow_duplicates`` overrides duplicate rules.
    """

    org: Org
    user_id: str
    trusted: bool = False
    from_ui: bool = False
    allow_duplicates: bool = False
    record_faults: RecordFaults | None = None
    journal: Journal = field(default_factory=Journal)
    now: str = field(init=False)
    _governed: bool = field(init=False)
    _persons: bool = field(init=False)
    _update_validators: dict[str, RecordValidator] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.now = self.org.now()
        options = self.org.options
        self._persons = are_on(self.org.catalogue.types)
        self._governed = bool(
            options.duplicate_rules or options.validation_rules or options.flows or self.record_faults
        )

    def insert(
        self, kind: ObjectType, given: Mapping[str, Any], record_id: str | None = None, *, batch: bool = False
    ) -> str:
        """Create a record; returns its id. ``batch``: ignore an ``id`` among the values."""
        self._check_createable(kind)
        validator = self._validator(kind, creating=True)
        changes = validator.validate(self.org, given, None, batch)
        record: Record = {
            "Id": record_id or self.org.new_id(kind.prefix),
            "IsDeleted": False,
            "CreatedDate": self.now,
            "CreatedById": self.user_id,
            **validator.defaults,
            **({"OwnerId": self.user_id} if "OwnerId" in kind.fields else {}),
            **{name: value for name, value in changes.items() if value is not None},
        }
        if self.record_faults and self.record_faults.loses_race(kind, record):
            self._insert_as_other_client(kind, record)
        self.save(kind, record, None, changes)
        return str(record["Id"])

    def update(self, kind: ObjectType, record_id: Any, given: Mapping[str, Any], *, batch: bool = False) -> str:
        """Update a record; returns its id in 18 characters. ``batch``: the values contain its ``id``."""
        known = ids.canonical(record_id) or ""
        before = self.org.tables[kind.name].records.get(known)
        target = None
        if before is None:
            target = _wrong_target(kind, known, record_id)
        elif before["IsDeleted"]:
            target = _DELETED
        validator = self._update_validators.get(kind.name) or self._validator(kind, creating=False)
        changes = validator.validate(self.org, given, target, batch)
        assert before is not None  # noqa: S101 - validate raises the target's rejection
        record = before.copy()  # copying a dict is far faster than merging two
        record.update(changes)
        self.save(kind, record, before, changes)
        return known

    def upsert(self, kind: ObjectType, key: Field, given: Mapping[str, Any], may_create: bool) -> tuple[str, bool]:
        """Update the record with this key, or create it; returns its id and whether it was created."""
        rest = dict(given)
        named = key.name if key.name in rest else next((name for name in rest if name.lower() == key.name.lower()), "")
        wanted = stored(key, rest.pop(named, None))
        if wanted is None and key.name == "Id" and may_create:
            return self.insert(kind, rest), True
        if wanted is None:
            raise RequestRejected("MISSING_ARGUMENT", f"{key.name} not specified")
        found = self.org.tables[kind.name].having(key, wanted)
        if len(found) > 1:
            message = f"more than one record found for external id field: [{', '.join(found)}]"
            raise RequestRejected("DUPLICATE_EXTERNAL_ID", f"{key.name}: {message}")
        if found:
            self.update(kind, found[0], rest)
            return found[0], False
        if key.name == "Id" or not may_create:
            raise NO_REFERENCE
        return self.insert(kind, given), True

    def delete(self, record_id: str) -> None:
        """Move a record and its children into the recycle bin."""
        kind = self.org.catalogue.of_id(record_id)
        before = self.org.record(record_id)
        if kind is None or before is None:
            raise NO_REFERENCE
        if before["IsDeleted"]:
            raise _DELETED
        if not kind.deletable:
            message = f"entity type cannot be deleted: {kind.name}"
            raise RequestRejected("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
        person_accounts.check_deletable(before)
        if self.record_faults:
            self.record_faults.before_save(before)
        self._remove(kind, before)
        for child_kind, child in list(children_of(self.org, record_id)):
            self._remove(child_kind, child)
        touch_parents(self.org, kind.name, [before], self.journal)

    def save(self, kind: ObjectType, record: Record, before: Record | None, changes: Record) -> None:
        """Check a whole record, derive its other fields and store it."""
        org, name = self.org, kind.name
        if self._persons and name == "Account" and not self.trusted:
            person_accounts.check_names(org, name, record, before, changes)
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
            self._apply_automation(kind, record, table)
        if name in PERMISSION_OBJECTS:
            check_permission(org, kind, record)
        self.journal.put(table, record["Id"], record)
        record_history(org, kind, before, record, self.journal)
        if self._persons:
            person_accounts.follow(org, name, record, self.journal)
        if name == "Task":
            touch_parents(org, name, [before, record], self.journal)
        if name in PERMISSION_OBJECTS or name == "User":
            org.catalogue.touch()
            self._update_validators.clear()

    def _insert_as_other_client(self, kind: ObjectType, record: Record) -> None:
        """Create the same record as another client, which this transaction does not roll back."""
        admin = self.org.staff.admin
        theirs = {**record, "Id": self.org.new_id(kind.prefix), "CreatedById": admin}
        Writer(org=self.org, user_id=admin, trusted=True).save(kind, theirs, None, theirs)

    def _apply_automation(self, kind: ObjectType, record: Record, table: Table) -> None:
        """Apply the duplicate and validation rules, locks and flows of this org."""
        options = self.org.options
        if not self.trusted and not self.from_ui:
            if options.duplicate_rules and not self.allow_duplicates:
                check_duplicate_rules(self.org, table, record)
            check_rules(self.org, kind, record)
            if self.record_faults:
                self.record_faults.before_save(record)
        run_flows(self.org, kind, record)

    def _remove(self, kind: ObjectType, before: Record) -> None:
        gone = {**before, "IsDeleted": True, "LastModifiedDate": self.now, "SystemModstamp": self.now}
        self.journal.put(self.org.tables[kind.name], before["Id"], {**gone, "LastModifiedById": self.user_id})
        if kind.name in PERMISSION_OBJECTS:
            self.org.catalogue.touch()

    def _validator(self, kind: ObjectType, creating: bool) -> RecordValidator:
        limited = not (self.trusted or self.from_ui)
        validator = validator_for(self.org, kind, creating, limited=limited, trusted=self.trusted)
        if not creating:
            self._update_validators[kind.name] = validator
        return validator

    def _check_createable(self, kind: ObjectType) -> None:
        if not kind.createable and not self.trusted:
            message = f"entity type cannot be inserted: {kind.label}"
            raise RequestRejected("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)


def _wrong_target(kind: ObjectType, known: str, given: Any) -> RequestRejected:
    if known and known.startswith(kind.prefix):
        return NO_REFERENCE
    return malformed_id(kind.fields["Id"].label, given)


def children_of(org: Org, record_id: str, deleted: bool = False) -> list[tuple[ObjectType, Record]]:
    """The records that Salesforce deletes together with a record: an account's people, deals and activities."""
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
