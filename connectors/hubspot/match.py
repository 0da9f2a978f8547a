"""Which company record belongs to which account: stored id, then match field, then the fallbacks in order.

A match is never a guess: two hits, two accounts with one company, or a company with the id of another account are
reported as ambiguous.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.base import AccessDenied, Destination, Match, MatchField, MatchKey
from connectors.base.values import domain_of
from connectors.hubspot import search
from connectors.hubspot.batch import chunks
from connectors.hubspot.client import Client
from connectors.hubspot.describe import Schema
from connectors.hubspot.fallbacks import CONTACT_EMAIL
from connectors.hubspot.people import holders, primary_companies
from connectors.hubspot.records import Record, read_batch

OWNER = "hubspot_owner_id"

_URL_STARTS = ("", "www.", "http://", "https://", "http://www.", "https://www.")
_DOMAIN_STARTS = ("", "www.")


@dataclass(slots=True)
class _Search:
    """The keys to match, and what is found so far."""

    keys: Mapping[str, MatchKey]
    found: dict[str, tuple[str, Record]] = field(default_factory=dict)
    ambiguous: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def open(self) -> list[MatchKey]:
        return [key for key in self.keys.values() if not {key.account_id} & (self.found.keys() | self.ambiguous.keys())]


def match(
    client: Client, schema: Schema, destination: Destination, keys: Sequence[MatchKey], fields: Sequence[str]
) -> list[Match]:
    """One match per key, in order, with the current values of ``fields``."""
    wanted = [*fields, OWNER, destination.match_field]
    state = _Search({key.account_id: key for key in keys})
    _by_stored_id(client, destination, state, wanted)
    _by_match_field(client, schema, destination, state, wanted)
    for fallback in destination.fallbacks:
        _by_fallback(client, destination, fallback, state, wanted)
    return [_match(schema, destination, key, state, fields) for key in keys]


def _by_stored_id(client: Client, destination: Destination, state: _Search, wanted: Sequence[str]) -> None:
    stored = {key.account_id: key.record_id for key in state.open() if key.record_id}
    if stored:
        records = read_batch(client, destination.object, stored.values(), wanted)
        state.found |= {account: ("id", records[known]) for account, known in stored.items() if known in records}


def _by_match_field(
    client: Client, schema: Schema, destination: Destination, state: _Search, wanted: Sequence[str]
) -> None:
    missing = [key.account_id for key in state.open()]
    if not missing:
        return
    spec = schema.unique(destination.object, destination.match_field)
    if spec is None:
        raise AccessDenied(
            f"HubSpot {destination.object} have no property {destination.match_field}: run plgsync crm setup"
        )
    if not spec.unique:
        own = MatchField(destination.match_field, "account_id")
        _by_fallback(client, destination, own, state, wanted)
        return
    records = read_batch(client, destination.object, missing, wanted, id_property=destination.match_field)
    state.found |= {account: (destination.match_field, record) for account, record in records.items()}


def _by_fallback(
    client: Client, destination: Destination, fallback: MatchField, state: _Search, wanted: Sequence[str]
) -> None:
    asked = {key.account_id: normal(fallback.kind, _value(key, fallback)) for key in state.open()}
    asked = {account: value for account, value in asked.items() if value}
    if not asked:
        return
    candidates = _candidates(client, destination, fallback, set(asked.values()), wanted)
    taken = {record.id for _, record in state.found.values()}
    hits = {account: candidates[value] for account, value in asked.items() if value in candidates}
    claims = Counter(record.id for records in hits.values() for record in records)
    for account, records in hits.items():
        certain = len(records) == 1 and claims[records[0].id] == 1 and records[0].id not in taken
        if certain and (records[0].properties.get(destination.match_field) or account) == account:
            state.found[account] = (fallback.field, records[0])
        else:
            state.ambiguous[account] = (fallback.field, tuple(sorted(record.id for record in records)))


def _candidates(
    client: Client, destination: Destination, fallback: MatchField, values: set[str], wanted: Sequence[str]
) -> dict[str, list[Record]]:
    if fallback.field == CONTACT_EMAIL:
        return _companies_of_contacts(client, destination, values, wanted)
    by_value: dict[str, list[Record]] = {}
    texts = [one for value in sorted(values) for one in spellings(fallback, value)]
    seen: set[str] = set()
    for part in chunks(texts):
        found = search.every(
            client, destination.object, [search.is_in(fallback.field, part)], [*wanted, fallback.field]
        )
        for record in found:
            if record.id not in seen:
                seen.add(record.id)
                by_value.setdefault(normal(fallback.kind, record.properties.get(fallback.field)), []).append(record)
    return by_value


def _companies_of_contacts(
    client: Client, destination: Destination, addresses: set[str], wanted: Sequence[str]
) -> dict[str, list[Record]]:
    """The primary companies of the contacts with these addresses; a contact without a company has none."""
    found = holders(client, addresses)
    contacts = [contact.id for records in found.values() for contact in records]
    homes = primary_companies(client, destination.object, contacts)
    companies = read_batch(client, destination.object, homes.values(), wanted)
    leads_to = {
        address: {homes[contact.id]: None for contact in records if homes.get(contact.id) in companies}
        for address, records in found.items()
    }
    return {address: [companies[company] for company in ids] for address, ids in leads_to.items() if ids}


def _value(key: MatchKey, fallback: MatchField) -> str | None:
    return key.account_id if fallback.account_field == "account_id" else key.values.get(fallback.account_field)


def normal(kind: str, value: str | None) -> str:
    """The form in which values of this kind are compared; empty when there is no value."""
    return domain_of(value or "") if kind == "domain" else (value or "").strip().lower()


def spellings(fallback: MatchField, value: str) -> list[str]:
    """The texts that a normalised value may have in the CRM: search compares whole texts only.

    HubSpot's own pages store a bare domain in ``domain``; other fields, such as ``website``, have whole addresses.
    """
    if fallback.kind != "domain":
        return [value]
    if fallback.field == "domain":
        return [start + value for start in _DOMAIN_STARTS]
    return [start + value + end for start in _URL_STARTS for end in ("", "/")]


def _match(schema: Schema, destination: Destination, key: MatchKey, state: _Search, fields: Sequence[str]) -> Match:
    if key.account_id in state.ambiguous:
        by, candidates = state.ambiguous[key.account_id]
        return Match(account_id=key.account_id, status="ambiguous", by=by, candidates=candidates)
    if key.account_id not in state.found:
        return Match(account_id=key.account_id, status="missing")
    by, record = state.found[key.account_id]
    return Match(
        account_id=key.account_id,
        status="matched",
        record_id=record.id,
        by=by,
        owner_id=record.properties.get(OWNER) or None,
        values=schema.canonical(destination.object, record.properties, fields),
    )
