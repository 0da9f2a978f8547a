"""Dumps a whole portal to JSON and restores it exactly: the ``stored`` part of a seed.

::

    {"now": "2026-01-02T03:04:05+00:00",
     "objects": [...], "owners": [...], "groups": {"companies": [...]}, "properties": {"companies": [...]},
     "records": {"companies": [{"id", "properties", "createdAt", "updatedAt", "archivedAt", "writes"}]},
     "merged": {"companies": {"17": "12"}}, "next_ids": {"companies": 18},
     "associations": [{"from": {"type", "id"}, "to": {"type", "id"}, "typeIds": [...]}]}

``objects`` are the custom ones. Owners, groups, properties and associations have the form of the API;
properties and groups are those that differ from a new portal. ``writes`` is a record's history, in
milliseconds since 1970. Restoring does not check, derive or stamp values again; search finds all records at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.hubspot.contents import Contents, PortalOwner
from connectors.sandbox.hubspot.defaults import default_schema
from connectors.sandbox.hubspot.kinds import KINDS, Kind, custom_kind, described_by
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.record import Record, Source
from connectors.sandbox.hubspot.schema import Group, Property
from connectors.sandbox.hubspot.timestamps import iso, milliseconds

_PARTS = {"now", "objects", "owners", "groups", "properties", "records", "merged", "next_ids", "associations"}


def dump_portal(portal: Portal) -> JsonObject:
    """Definitions, people, records and associations of a portal, for `restore_dump`."""
    contents = portal.contents
    return {
        "now": portal.sim.clock.now().isoformat(),
        **definitions_of(contents),
        **small_parts_of(contents),
        "records": {
            name: [dump_record(record) for record in store.by_id.values()] for name, store in contents.records.items()
        },
        "associations": contents.associations.to_json(),
    }


def definitions_of(contents: Contents) -> JsonObject:
    """Custom objects, and the groups and properties that differ from a new portal."""
    new = {kind.name: default_schema(kind) for kind in contents.kinds}
    return {
        "objects": [described_by(kind) for kind in contents.kinds if kind not in KINDS],
        "groups": {
            name: [group.to_json() for group in schema.groups.values() if new[name].groups.get(group.name) != group]
            for name, schema in contents.schemas.items()
        },
        "properties": {
            name: [one.to_dated_json() for one in schema.properties.values() if new[name].get(one.name) != one]
            for name, schema in contents.schemas.items()
        },
    }


def small_parts_of(contents: Contents) -> JsonObject:
    """People, merges and the next ids."""
    return {
        "owners": [owner.to_json() for owner in contents.owners.values()],
        "merged": {name: dict(store.merged) for name, store in contents.records.items()},
        "next_ids": {name: int(store.next_id) for name, store in contents.records.items()},
    }


def restore_dump(portal: Portal, stored: Mapping[str, Any]) -> None:
    """Restore everything with its old id. KeyError, TypeError or ValueError for an invalid dump."""
    if unknown := set(stored) - _PARTS:
        known = ", ".join(sorted(_PARTS))
        raise ControlError(f"a stored portal has {known}, not {', '.join(sorted(unknown))}")
    contents = portal.contents
    for described in stored["owners"]:
        owner = _owner(described)
        contents.owners[owner.id] = owner
    for described in stored.get("objects", []):
        contents.add_kind(custom_kind(described))
    for kind in contents.kinds:
        _load_schema(contents, kind, stored["groups"][kind.name], stored["properties"][kind.name])
        held = [_record(described) for described in stored["records"][kind.name]]
        store = contents.records[kind.name]
        store.reinstate(held, stored["merged"][kind.name], int(stored["next_ids"][kind.name]))
    for link in stored["associations"]:
        one, other = ((str(link[end]["type"]), str(link[end]["id"])) for end in ("from", "to"))
        contents.associations.put(one, other, link["typeIds"])
    portal.sim.clock.catch_up(datetime.fromisoformat(stored["now"]))


def _load_schema(contents: Contents, kind: Kind, groups: list[JsonObject], properties: list[JsonObject]) -> None:
    schema = contents.schemas[kind.name]
    for group in groups:
        schema.put_group(Group(group["name"], group["label"], group["displayOrder"]))
    for described in properties:
        definition = _property(described)
        schema.put(definition)
        if definition.unique and not definition.archived:
            contents.records[kind.name].index(definition.name)


def dump_record(record: Record) -> JsonObject:
    """One record with its history."""
    dumped: JsonObject = {
        "id": record.id,
        "properties": record.values,
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(record.updated_ms),
        "writes": [
            {"at": at, "source": [source.type, source.id, source.user_id], "values": dict(values)}
            for at, source, values in record.writes
        ],
    }
    if record.archived_ms is not None:
        dumped["archivedAt"] = iso(record.archived_ms)
    return dumped


def _record(described: Mapping[str, Any]) -> Record:
    values = dict(described["properties"])
    return Record(
        id=str(described["id"]),
        values=values,
        created_ms=_timestamp(described["createdAt"]),
        updated_ms=_timestamp(described["updatedAt"]),
        archived_ms=_timestamp(described["archivedAt"]) if "archivedAt" in described else None,
        writes=[(int(one["at"]), Source(*one["source"]), one["values"]) for one in described["writes"]],
    )


def _owner(described: Mapping[str, Any]) -> PortalOwner:
    return PortalOwner(
        id=str(described["id"]),
        email=described["email"],
        first_name=described["firstName"],
        last_name=described["lastName"],
        user_id=int(described["userIdIncludingInactive"]),
        created_ms=_timestamp(described["createdAt"]),
        updated_ms=_timestamp(described["updatedAt"]),
        archived=described["archived"],
    )


def _property(described: Mapping[str, Any]) -> Property:
    return Property(
        name=described["name"],
        label=described["label"],
        type=described["type"],
        field_type=described["fieldType"],
        group=described["groupName"],
        description=described["description"],
        options=tuple(described["options"]),
        display_order=described["displayOrder"],
        unique=described["hasUniqueValue"],
        hidden=described["hidden"],
        calculated=described["calculated"],
        external_options=described["externalOptions"],
        read_only=described["modificationMetadata"]["readOnlyValue"],
        defined_by_hubspot=described.get("hubspotDefined", False),
        form_field=described["formField"],
        hint=described.get("numberDisplayHint"),
        created_ms=_timestamp(described["createdAt"]),
        updated_ms=_timestamp(described["updatedAt"]),
        archived=described["archived"],
    )


def _timestamp(text: str) -> int:
    found = milliseconds(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time")
    return found
