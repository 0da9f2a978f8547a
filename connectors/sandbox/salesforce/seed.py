"""The ``salesforce`` part of a seed file: the initial state of an org.

::

    {"records": {"User": [{"Email": "ann@example.com", "Name": "Ann Lee", "_ref": "ann"}],
                 "Account": [{"Name": "Acme", "Website": "acme.com", "OwnerId": "@ann", "_ref": "acme"}],
                 "Opportunity": [{"AccountId": "@acme", "StageName": "Prospecting", ...}]},
     "custom_objects": [{"FullName": "Subscription__c", "label": "Subscription"}],
     "custom_fields": [{"FullName": "Account.Health_Score__c", "Metadata": {...}}],
     "options": {...}}

``_ref`` names a record, ``"@name"`` in a reference field means its id. An ``Id`` may be given. Custom
fields of a seed are visible to the integration user. The seed is loaded whole, or `ControlError` is raised.

``stored``, which `as_seed` writes, is a dump of an org (`salesforce.serialization`); it is loaded first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.bulk import advance_jobs
from connectors.sandbox.salesforce.custom_objects import add_custom_object
from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.serialization import dump_org, restore_dump
from connectors.sandbox.salesforce.table import Record
from connectors.sandbox.salesforce.tooling import add_custom_field
from connectors.sandbox.salesforce.write import Writer

_FIRST = ("User", "Group", "Account", "Contact", "Lead", "Opportunity", "Task", "Event")
_PARTS = ("records", "custom_objects", "custom_fields", "options", "stored")


def as_seed(org: Org) -> JsonObject:
    """The current org as a seed: a new org loads the same records with the same ids.

    It leaves out sessions, query pages, unfinished bulk jobs, and calls counted against the quota.
    """
    advance_jobs(org)
    return {"options": org.options.to_json(), "stored": dump_org(org)}


def load_seed(org: Org, seed: Mapping[str, Any]) -> None:
    """Add a seed to the org, all or nothing. Raises `ControlError`."""
    if unknown := set(seed) - set(_PARTS):
        raise ControlError(f"a Salesforce seed has {', '.join(_PARTS)}, not {', '.join(sorted(unknown))}")
    before = org.snapshot()
    try:
        org.set_options(seed.get("options", {}))
        if "stored" in seed:
            restore_dump(org, seed["stored"])
        for described in seed.get("custom_objects", []):
            add_custom_object(org, described)
        for field in seed.get("custom_fields", []):
            add_custom_field(org, field.get("FullName"), field.get("Metadata"), granted=True)
        _load_records(org, seed.get("records", {}))
    except BaseException as problem:
        org.roll_back(before)
        if isinstance(problem, RequestRejected):
            raise ControlError(f"seed: {problem.code}: {problem.message}") from None
        if isinstance(problem, KeyError | TypeError | AttributeError | ValueError) and not isinstance(
            problem, ControlError
        ):
            raise ControlError(f"seed: invalid form ({problem})") from None
        raise


def _load_records(org: Org, records: Mapping[str, Any]) -> None:
    placed = list(_placed(org, records))
    refs = {given["_ref"]: record_id for _, record_id, given in placed if "_ref" in given}
    writer = Writer(org=org, user_id=org.staff.admin, trusted=True)
    for kind, record_id, given in placed:
        writer.insert(kind, _completed(org, kind, _resolved(kind, given, refs)), record_id)


def _placed(org: Org, records: Mapping[str, Any]) -> Iterator[tuple[ObjectType, str, Record]]:
    order = [*(name for name in _FIRST if name in records), *(name for name in records if name not in _FIRST)]
    for name in order:
        kind = org.catalogue.find(name)
        if kind is None:
            raise ControlError(f"seed: there is no object {name}")
        for given in records[name]:
            record_id = ids.canonical(given["Id"]) if given.get("Id") else org.new_id(kind.prefix)
            if record_id is None or not record_id.startswith(kind.prefix):
                raise ControlError(f"seed: {given['Id']!r} is not an id of {name}")
            yield kind, record_id, given


def _resolved(kind: ObjectType, given: Record, refs: Mapping[str, str]) -> Record:
    values: Record = {}
    for name, value in given.items():
        if name in ("_ref", "Id"):
            continue
        field = kind.find(name)
        if field and field.type == "reference" and isinstance(value, str) and value.startswith("@"):
            if value[1:] not in refs:
                raise ControlError(f"seed: {kind.name}.{name} refers to {value}, which no record is called")
            values[name] = refs[value[1:]]
        else:
            values[name] = value
    return values


def _completed(org: Org, kind: ObjectType, given: Record) -> Record:
    if kind.name not in ("User", "Contact", "Lead"):
        return given
    values = dict(given)
    name = str(values.pop("Name", "") or "")
    if name and "LastName" not in values:
        first, _, last = name.rpartition(" ")
        values |= {"FirstName": first or None, "LastName": last}
    if kind.name != "User":
        return values
    email = str(values.get("Email") or f"user{len(org.tables['User'].records)}@sandbox.example.com")
    alias = email.partition("@")[0][:8]
    standard: Record = {"Username": email, "Email": email, "LastName": alias, "Alias": alias, "IsActive": True}
    profile = org.tables["User"].records[org.staff.admin]["ProfileId"]
    return {**standard, "UserType": "Standard", "ProfileId": profile, **values}
