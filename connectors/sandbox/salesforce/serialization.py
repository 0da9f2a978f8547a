"""Dumps a whole org to JSON and restores it exactly: the ``stored`` part of a seed.

::

    {"now": "2026-01-02T03:04:05+00:00",
     "records": {"Account": [{"Id": ..., "IsDeleted": false, "CreatedDate": ..., ...}], "CustomField": [...]},
     "objects": [{"FullName": "Subscription__c", "label": "Subscription", "pluralLabel": "Subscriptions"}],
     "picklists": {"Opportunity.StageName": [{"value": ..., "active": ..., ...}]},
     "denied": {"Account.Health_Score__c": "hidden"},
     "numbers": {"001": 17}}

``records`` are those of every object with their derived fields, including people, permissions, custom fields and
deleted records; ``picklists`` are those with changed values; ``numbers`` is the number of ids issued per key
prefix. Restoring does not check, default or stamp values again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.salesforce import ids, person_fields
from connectors.sandbox.salesforce.catalogue import Catalogue
from connectors.sandbox.salesforce.custom_objects import add_custom_object, custom_objects
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import Option
from connectors.sandbox.salesforce.tooling import custom_field, put_custom_field

_PARTS = {"now", "records", "objects", "picklists", "denied", "numbers"}


def dump_org(org: Org) -> JsonObject:
    """Schema, permissions and records of an org, for `restore_dump`."""
    past = org.snapshot()
    return {
        "now": org.sim.clock.now().isoformat(),
        "records": {name: list(records.values()) for name, records in past.records.items() if records},
        "objects": custom_objects(org),
        "picklists": _changed_picklists(org),
        "denied": {f"{owner}.{field}": setting for (owner, field), setting in past.denied.items()},
        "numbers": dict(past.numbers),
    }


def restore_dump(org: Org, stored: Mapping[str, Any]) -> None:
    """Restore everything with its old id. KeyError, TypeError or ValueError for an invalid dump."""
    if unknown := set(stored) - _PARTS:
        raise ControlError(f"a stored org has {', '.join(sorted(_PARTS))}, not {', '.join(sorted(unknown))}")
    for described in stored.get("objects", []):
        add_custom_object(org, described)
    records = stored["records"]
    for record in records.get("CustomField", []):
        put_custom_field(org, record)
    for name, held in records.items():
        for record in held:
            _put(org, name, record)
    for full_name, options in stored["picklists"].items():
        owner, _, name = full_name.partition(".")
        field = org.catalogue.types[owner].fields[name]
        org.catalogue.put(owner, replace(field, options=tuple(Option(**option) for option in options)))
    for full_name, setting in stored["denied"].items():
        owner, _, name = full_name.partition(".")
        org.denied[owner, name] = setting
    org.skip_ids(stored["numbers"])
    org.catalogue.touch()
    org.sim.clock.catch_up(datetime.fromisoformat(stored["now"]))


def _put(org: Org, object: str, record: Mapping[str, Any]) -> None:
    kind = org.catalogue.types.get(object)
    if kind is None:
        raise ControlError(f"seed: there is no object {object}")
    if ids.canonical(record["Id"]) != record["Id"] or not record["Id"].startswith(kind.prefix):
        raise ControlError(f"seed: {record['Id']!r} is not an id of {object}")
    org.tables[object].put(record["Id"], dict(record))


def _changed_picklists(org: Org) -> JsonObject:
    made = Catalogue(org.sim.clock)
    made.types |= {name: one.without_custom_fields() for name, one in org.catalogue.types.items() if one.custom}
    if person_fields.are_on(org.catalogue.types):
        for owner, field in person_fields.turn_on(made.types):
            made.put(owner, field)
    for record in org.tables["CustomField"].records.values():
        made.put(record["TableEnumOrId"], custom_field(record))
    return {
        f"{kind.name}.{field.name}": [asdict(option) for option in field.options]
        for kind in org.catalogue.types.values()
        for field in kind.fields.values()
        if field.options != made.types[kind.name].fields[field.name].options
    }
