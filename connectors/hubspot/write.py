"""Field writes, one input per record, and companies made where that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.base import CreateRecord, Destination, Outcome, UpdateFields
from connectors.hubspot.batch import Input, wire, write_batch
from connectors.hubspot.client import Client
from connectors.hubspot.describe import NEVER_UNIQUE, Schema
from connectors.hubspot.records import read_batch

NEEDED = ("name", "domain")
"""A company needs one of them (https://developers.hubspot.com/docs/guides/api/crm/objects/companies)."""


def update_fields(client: Client, destination: Destination, operations: Sequence[UpdateFields]) -> dict[str, Outcome]:
    """Set fields of companies by record id, at most 100; one outcome per operation key.

    ``batch/update`` never creates, unlike ``upsert``, so a record that is gone stays gone (``stale_record``).
    """
    inputs = [
        Input(one.key, one.record_id, {name: wire(value) for name, value in one.values.items()}) for one in operations
    ]
    return write_batch(client, destination.object, "update", inputs)


def create_records(
    client: Client, schema: Schema, destination: Destination, operations: Sequence[CreateRecord]
) -> dict[str, Outcome]:
    """Make companies by upsert on the match field, at most 100; one that is there is taken as it is.

    Never two with one account id: HubSpot keeps the match field unique, and where it does not, nothing is made.
    """
    field = destination.match_field
    if refusal := _not_unique(schema, destination):
        return {one.key: Outcome(one.key, "rejected", code="NO_MATCH_FIELD", reason=refusal) for one in operations}
    wanted = {one.key: wire(one.values.get(field)) for one in operations}
    there = read_batch(client, destination.object, filter(None, wanted.values()), [], id_property=field)
    outcomes: dict[str, Outcome] = {}
    inputs = []
    for one in operations:
        values = {name: wire(value) for name, value in one.values.items() if value is not None}
        if wanted[one.key] in there:
            outcomes[one.key] = Outcome(one.key, "applied", there[wanted[one.key]].id)
        elif missing := _missing(destination, values):
            outcomes[one.key] = Outcome(one.key, "rejected", code="REQUIRED_FIELD_MISSING", reason=missing)
        else:
            inputs.append(Input(one.key, wanted[one.key], values, id_property=field))
    made = write_batch(client, destination.object, "upsert", inputs)
    return outcomes | {name: race_lost(outcome) for name, outcome in made.items()}


def race_lost(outcome: Outcome) -> Outcome:
    """Somebody made this key at the same moment: the next attempt finds it."""
    return replace(outcome, status="retry") if outcome.code == "UNIQUE_VALUE" else outcome


def _not_unique(schema: Schema, destination: Destination) -> str:
    spec = schema.unique(destination.object, destination.match_field)
    where = f"HubSpot {destination.object}"
    if spec is None:
        return f"{where} have no property {destination.match_field}: run plgsync crm setup"
    if not spec.unique:
        return (
            f"{where} have {spec.name}, but it does not keep values unique, so a company could be made twice: "
            f"{NEVER_UNIQUE}"
        )
    return ""


def _missing(destination: Destination, values: dict[str, str]) -> str:
    if not values.get(destination.match_field):
        return f"{destination.match_field}: the account id is missing"
    if destination.object == "companies" and not any(values.get(name) for name in NEEDED):
        return "a company needs a name or a domain"
    return ""
