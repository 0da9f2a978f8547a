"""Validates the values of one record and turns them into stored ones; compiled once per object, user and operation.

The first failing check is reported: unknown column, not writable, wrong JSON type, ids (the record's own, then
references), ranges, required fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from connectors.sandbox.salesforce.access import Access, everything
from connectors.sandbox.salesforce.errors import NO_REFERENCE, RequestRejected, malformed_id
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Record
from connectors.sandbox.salesforce.values import RANK_ID, STORE, stored


class _Slot(NamedTuple):
    """The field of a given value; ``writable`` None: the value is ignored."""

    name: str
    field: Field
    store: Callable[[Field, Any], Any]
    writable: bool | None
    reference: bool


class RecordValidator:
    """Validates records of one object that one user creates or updates. ``trusted``: all fields are writable."""

    def __init__(self, kind: ObjectType, access: Access, creating: bool, trusted: bool) -> None:
        self._kind = kind
        self._access = access
        self._creating = creating
        self._trusted = trusted
        self.defaults = {name: one.default for name, one in kind.fields.items() if one.default is not None}
        self._slots = {name: self._slot(field) for name, field in access.visible.items()}
        skipped = self._slots["Id"]._replace(writable=None)
        self._slots["attributes"] = skipped
        self._batch_slots = {**self._slots, "Id": skipped, "id": skipped}

    def validate(
        self, org: Org, given: Mapping[str, Any], target: RequestRejected | None = None, batch: bool = False
    ) -> Record:
        """The stored values. Raises `RequestRejected`.

        ``target``: the rejection of the record's own id. ``batch``: the id among the values names the record.
        """
        changes: Record = {}
        worst, refers, cleared = self._take(org, given, batch, changes)
        if worst is not None and worst.rank < RANK_ID:
            raise worst
        if target is not None:
            raise target
        if refers:
            _check_references(org, self._access, changes)
        if worst is not None:
            raise worst
        if (self._creating or cleared) and not self._trusted:
            self._check_required(changes)
        return changes

    def _take(
        self, org: Org, given: Mapping[str, Any], batch: bool, changes: Record
    ) -> tuple[RequestRejected | None, bool, bool]:
        """Fill ``changes``; returns the rejection of the lowest rank, and whether it has references or empty values."""
        slots = self._batch_slots if batch else self._slots
        blocked: list[str] = []
        worst: RequestRejected | None = None
        refers = cleared = False
        for key, value in given.items():
            try:
                slot = slots.get(key)
                if slot is None:
                    slot, value = self._look_up(org, key, value, slots)
                name, field, store, writable, reference = slot
                if writable:
                    refers |= reference
                    if value is None or value == "":
                        changes[name] = stored(field, value)
                        cleared = True
                    else:
                        changes[name] = store(field, value)
                elif writable is not None:
                    blocked.append(name)
            except RequestRejected as rejection:
                if worst is None or rejection.rank < worst.rank:
                    worst = rejection
        if blocked and (worst is None or worst.rank > _RANK_UNKNOWN):
            worst = _not_writable(blocked)
        return worst, refers, cleared

    def _slot(self, field: Field) -> _Slot:
        allowed = field.createable if self._creating else field.updateable
        writable = self._trusted or (allowed and field.name in self._access.editable)
        return _Slot(field.name, field, STORE[field.type], writable, field.type == "reference")

    def _look_up(self, org: Org, name: str, value: Any, slots: Mapping[str, _Slot]) -> tuple[_Slot, Any]:
        """The slot of a name in another case, or of a parent named by its external id."""
        field = self._access.find(name)
        if field is not None:
            return slots[field.name], value
        reference = self._kind.parent(name)
        if reference is None or reference.name not in self._slots or not isinstance(value, Mapping):
            raise no_such_column(self._kind, name)
        return slots[reference.name], _id_by_key(org, reference, value)

    def _check_required(self, changes: Record) -> None:
        if self._creating:
            missing = [name for name in self._access.required if changes.get(name) is None]
        else:
            visible = self._access.visible
            missing = [name for name, value in changes.items() if value is None and not visible[name].nillable]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise RequestRejected("REQUIRED_FIELD_MISSING", message, tuple(missing))


def validator_for(org: Org, kind: ObjectType, creating: bool, *, limited: bool, trusted: bool) -> RecordValidator:
    """The validator of an object; ``limited`` to the fields that the integration user may see and change."""

    def build() -> RecordValidator:
        return RecordValidator(kind, org.access(kind) if limited else everything(kind), creating, trusted)

    return org.compiled((kind.name, creating, limited, trusted), build)


_RANK_UNKNOWN = 1


def no_such_column(kind: ObjectType, name: str) -> RequestRejected:
    """The rejection of an unknown or hidden field of a record."""
    return RequestRejected(
        "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}", rank=_RANK_UNKNOWN
    )


def _id_by_key(org: Org, reference: Field, value: Mapping[str, Any]) -> str:
    keys = {key: wanted for key, wanted in value.items() if key != "attributes"}
    target = org.catalogue.types[reference.reference_to[0]]
    ((key, wanted),) = keys.items() if len(keys) == 1 else ((str(sorted(keys)), None),)
    key_field = org.access(target).find(key)
    if key_field is None or not key_field.indexed:
        raise no_such_column(target, key)
    found = org.tables[target.name].having(key_field, stored(key_field, wanted))
    if len(found) != 1:
        message = f"Foreign key external ID: {wanted} not found for field {key} in entity {target.name}"
        raise RequestRejected("INVALID_FIELD", message, rank=RANK_ID)
    return found[0]


def _not_writable(names: list[str]) -> RequestRejected:
    message = (
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field and "
        "verify that it is read/write for your profile or permission set."
    )
    return RequestRejected("INVALID_FIELD_FOR_INSERT_UPDATE", message, tuple(names), rank=2)


def _check_references(org: Org, access: Access, changes: Record) -> None:
    for name, value in changes.items():
        field = access.visible[name]
        if field.type != "reference" or value is None:
            continue
        target = org.catalogue.of_id(value)
        if target is None or target.name not in field.reference_to:
            raise malformed_id(field.label, value, name)
        found = org.tables[target.name].records.get(value)
        if found is None or found["IsDeleted"]:
            raise NO_REFERENCE
