"""Field writes, one input per record, and the creation of companies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.base import ALREADY_THERE, CreateRecord, Destination, Outcome, UpdateFields
from connectors.hubspot.batch import Input, property_text, write_batch
from connectors.hubspot.client import Client
from connectors.hubspot.describe import NEVER_UNIQUE, Schema
from connectors.hubspot.records import read_batch

NEEDED = ("name", "domain")
"""A company needs one of them (https://developers.hubspot.com/docs/guides/api/crm/objects/companies)."""


def update_fields(client: Client, destination: Destination, operations: Sequence[UpdateFields]) -> dict[str, Outcome]:
    """Set fields of companies by record id, at most 100; one outcome per operation key.

    Unlike ``upsert``, ``batch/update`` never creates: for a record that is gone the outcome is ``stale_record``.
    """
    inputs = [
        Input(one.key, one.record_id, {name: property_text(value) for name, value in one.values.items()})
        for one in operations
    ]
    return write_batch(client, destination.object, "update", inputs)


def create_records(
    client: Client, schema: Schema, destination: Destination, operations: Sequence[CreateRecord]
) -> dict[str, Outcome]:
    """Create companies by upsert on the match field, at most 100; an existing one stays as it is.

    Never creates two for one account id: HubSpot keeps the match field unique; if it does not, nothing is created.
    """
    field = destination.match_field
    if problem := _not_unique(schema, destination):
        return {
            one.key: Outcome(key=one.key, status="rejected", code="NO_MATCH_FIELD", reason=problem)
            for one in operations
        }
    wanted = {one.key: property_text(one.values.get(field)) for one in operations}
    existing = read_batch(client, destination.object, filter(None, wanted.values()), [], id_property=field)
    outcomes: dict[str, Outcome] = {}
    inputs = []
    for one in operations:
        values = {name: property_text(value) for name, value in one.values.items() if value is not None}
        if wanted[one.key] in existing:
            found = existing[wanted[one.key]].id
            outcomes[one.key] = Outcome(key=one.key, status="applied", record_id=found, code=ALREADY_THERE)
        elif missing := _missing(destination, values):
            outcomes[one.key] = Outcome(key=one.key, status="rejected", code="REQUIRED_FIELD_MISSING", reason=missing)
        else:
            inputs.append(Input(one.key, wanted[one.key], values, id_property=field))
    created = write_batch(client, destination.object, "upsert", inputs)
    return outcomes | {name: race_lost(outcome) for name, outcome in created.items()}


def race_lost(outcome: Outcome) -> Outcome:
    """Another client created this key at the same time: the next attempt finds it."""
    return replace(outcome, status="retry") if outcome.code == "UNIQUE_VALUE" else outcome


def _not_unique(schema: Schema, destination: Destination) -> str:
    spec = schema.unique(destination.object, destination.match_field)
    where = f"HubSpot {destination.object}"
    if spec is None:
        return f"{where} have no property {destination.match_field}: run plgsync crm setup"
    if not spec.unique:
        return (
            f"{where} have {spec.name}, but it does not keep values unique, so a company could be created twice: "
            f"{NEVER_UNIQUE}"
        )
    return ""


def _missing(destination: Destination, values: dict[str, str]) -> str:
    if not values.get(destination.match_field):
        return f"{destination.match_field}: the account id is missing"
    if destination.object == "companies" and not any(values.get(name) for name in NEEDED):
        return "a company needs a name or a domain"
    return ""
