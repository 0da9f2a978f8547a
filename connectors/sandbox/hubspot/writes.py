"""Creates and changes one record, for single calls, batches, seeds and UI actions alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connectors.sandbox.hubspot.addresses import keep_each_once
from connectors.sandbox.hubspot.associations import AssociationType, Node, type_with_id
from connectors.sandbox.hubspot.derived_properties import ALWAYS_ECHOED, NOT_ECHOED_ON_UPDATE, derive, forward_only
from connectors.sandbox.hubspot.errors import (
    JsonObject,
    RequestRejected,
    Violation,
    batch_error,
    invalid_values,
    rejected,
    values_message,
)
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.record import Record, Source
from connectors.sandbox.hubspot.record_store import echo
from connectors.sandbox.hubspot.request_body import an_object, integer, objects, text
from connectors.sandbox.hubspot.values import appended, check_values

STRICT = "2026-09"
"""The version that enforces the rules of a portal's admins for API calls too."""

Link = tuple[Node, tuple[AssociationType, ...]]


class RecordRejected(Exception):
    """The reason why HubSpot rejects one record."""

    def __init__(
        self,
        category: str,
        message: str = "",
        violations: tuple[Violation, ...] = (),
        context: Mapping[str, list[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.category = category
        self.message = message
        self.violations = violations
        self.context = context

    def rejection(self, *, in_batch: bool) -> RequestRejected:
        """The rejection of a whole call. A conflict in a batch does not name the other record (recorded)."""
        if self.violations:
            return invalid_values(self.violations)
        if self.category == "CONFLICT":
            message = self.message.partition(".")[0] if in_batch else self.message
            return rejected(409, "CONFLICT", message)
        more = {"context": dict(self.context)} if self.context else {}
        return rejected(400, self.category, self.message, **more)

    def for_result(self, trace: str) -> JsonObject:
        """One error of a 207."""
        message = values_message(self.violations) if self.violations else self.message
        return batch_error(self.category, message, objectWriteTraceId=[trace], **(self.context or {}))


@dataclass(slots=True)
class Write:
    """A checked write that may be applied. ``record`` is None for a new one."""

    kind: Kind
    record: Record | None
    sent: tuple[str, ...]
    changes: dict[str, str]
    links: tuple[Link, ...] = ()


def check_write(
    portal: Portal, kind: Kind, record: Record | None, properties: Mapping[str, str], version: str
) -> Write:
    """Check the values of one record. Raises `RecordRejected`."""
    contents = portal.contents
    schema = contents.schemas[kind.name]
    changes, violations = check_values(schema, properties, contents.owners)
    if violations:
        raise RecordRejected("VALIDATION_ERROR", violations=tuple(violations))
    before: Mapping[str, str] = {} if record is None else record.values
    if not schema.choices.isdisjoint(changes):
        for name in schema.choices & changes.keys():
            changes[name] = appended(before.get(name, ""), changes[name])
    if "lifecyclestage" in changes and record is not None:
        forward_only(schema, before, changes)
    if kind is CONTACTS:
        keep_each_once(before, changes)
    if record is None:
        _require(kind, changes)
    if version == STRICT:
        _require_by_rule(portal, kind, record is None, {**before, **changes})
    return Write(kind, record, tuple(properties), changes)


def check_unique(portal: Portal, write: Write) -> None:
    """Raise `RecordRejected` for a unique value that another record has."""
    store = portal.contents.records[write.kind.name]
    held = store.holder(write.changes, None if write.record is None else write.record.id)
    if held is None:
        return
    name, value, holder = held
    if write.kind is CONTACTS and name == "email" and write.record is None:
        message = f"Contact already exists. Existing ID: {holder}"
        raise RecordRejected("CONFLICT", message, context={"existingId": [holder]})
    ours = write.record.id if write.record is not None else store.next_id
    raise RecordRejected("VALIDATION_ERROR", taken_message(portal, write.kind, name, value, ours, holder))


def taken_message(portal: Portal, kind: Kind, name: str, value: str, ours: str, holder: str) -> str:
    """HubSpot's message for a unique value that another record has."""
    return (
        f"Cannot set PropertyValueCoordinates{{portalId={portal.options.portal_id}, "
        f"objectTypeId=ObjectTypeId{{legacyObjectType={kind.singular.upper()}}}, propertyName={name}, "
        f"value={value}}} on {ours}. {holder} already has that value."
    )


def check_links(portal: Portal, kind: Kind, described: Mapping[str, object], version: str) -> tuple[Link, ...]:
    """The inline associations of a new record. Raises `RecordRejected` for a record or type that does not exist."""
    links: list[Link] = []
    for item in objects(described, "associations"):
        target = text(an_object(item, "to"), "id")
        for spec in objects(item, "types"):
            number = integer(spec.get("associationTypeId"), "associationTypeId", 0)
            found = [(other, type_with_id((kind.name, other), number)) for other in portal.contents.records]
            matches = [(other, known) for other, known in found if known is not None]
            if not matches:
                raise RecordRejected("VALIDATION_ERROR", f"No association type with id {number} from {kind.type_id}")
            other, known = matches[0]
            to_kind = portal.contents.kind(other)
            record = portal.contents.records[other].find(target)
            if record is None or to_kind is None:
                raise RecordRejected("VALIDATION_ERROR", f"{other} {target} does not exist and cannot be associated")
            if version == STRICT and not portal.options.may_associate(kind.name, other):
                raise RecordRejected("VALIDATION_ERROR", not_permitted(kind, to_kind))
            links.append(((other, record.id), (known,)))
    return tuple(links)


def not_permitted(one: Kind, other: Kind) -> str:
    """HubSpot's message for an association that the app's user may not create."""
    return f"You do not have permission to associate {one.singular.upper()} with {other.singular.upper()}"


def apply(
    portal: Portal,
    write: Write,
    at_ms: int,
    source: Source,
    *,
    visible_ms: int | None = None,
    record_id: str | None = None,
) -> tuple[Record, JsonObject]:
    """Apply a checked write; returns the record and the properties that the answer shows."""
    kind, always = write.kind, ALWAYS_ECHOED.get(write.kind.name, ())
    if write.record is None:
        record, derived_names = _create(portal, write, at_ms, source, visible_ms, record_id)
        shown = echo(record, kind, write.sent, (*derived_names, *always))
        return record, {name: value or "" for name, value in shown.items()}
    record, changes = write.record, write.changes
    derived = derive(kind, record.values, changes, record.id, at_ms)
    if derived:
        changes = {**derived, **changes}
        always = (*sorted(derived.keys() - NOT_ECHOED_ON_UPDATE), *always)
    portal.contents.records[kind.name].update(record, changes, at_ms, source)
    return record, echo(record, kind, write.sent, always)


def _create(
    portal: Portal, write: Write, at_ms: int, source: Source, visible_ms: int | None, record_id: str | None
) -> tuple[Record, Iterable[str]]:
    contents, kind = portal.contents, write.kind
    store = contents.records[kind.name]
    new_id = store.new_id(record_id)
    derived = derive(kind, {}, write.changes, new_id, at_ms)
    made = {
        "hs_object_source": source.type,
        "hs_object_source_id": source.id,
        "hs_object_source_label": source.type,
    }
    record = store.create(new_id, {**derived, **made, **write.changes}, at_ms, source, visible_ms)
    for node, types in write.links:
        contents.associations.associate((kind.name, new_id), node, types)
    return record, derived


def _require(kind: Kind, changes: Mapping[str, str]) -> None:
    missing = [name for name in kind.required if not changes.get(name)]
    if kind.required_any and not any(changes.get(name) for name in kind.required_any):
        missing = list(kind.required_any)
    if missing:
        raise _not_set(kind, missing)


def _require_by_rule(portal: Portal, kind: Kind, new: bool, after: Mapping[str, str]) -> None:
    options = portal.options
    if new and (missing := [name for name in options.required_on_create.get(kind.name, ()) if not after.get(name)]):
        raise _not_set(kind, missing)
    for rule in options.conditional_required.get(kind.name, ()):
        if all(after.get(name) == value for name, value in rule["when"].items()):
            missing = [name for name in rule["require"] if not after.get(name)]
            if missing:
                raise _not_set(kind, missing)


def _not_set(kind: Kind, missing: list[str]) -> RecordRejected:
    message = f"Error creating {kind.singular.upper()}. Some required properties were not set."
    return RecordRejected("VALIDATION_ERROR", message, context={"properties": missing})
