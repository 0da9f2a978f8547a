"""Contacts by e-mail address: the person that a task can name.

Contacts are read by ``email`` first, a hundred per call and strongly consistent. For addresses that are no contact's
primary one, the secondary ones are searched (``hs_additional_emails``:
https://github.com/HubSpot/hubspot-api-nodejs/issues/24). Search lags behind writes, so a hit may come late but is never
wrong: it counts only if the contact has the address now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from connectors.base import Person
from connectors.base.values import email_address
from connectors.hubspot import search
from connectors.hubspot.associations import associated
from connectors.hubspot.batch import chunks
from connectors.hubspot.client import Client
from connectors.hubspot.records import Record, read_holders

CONTACTS = "contacts"
EMAIL = "email"
OTHER_EMAILS = "hs_additional_emails"

_SHOWN = (EMAIL, OTHER_EMAILS)


def people(client: Client, companies: str, emails: Sequence[str]) -> list[Person]:
    """One person per address, in order, with the primary company; a merged contact is its survivor."""
    found = holders(client, emails)
    single = [records[0].id for records in found.values() if len(records) == 1]
    homes = primary_companies(client, companies, single)
    return [_person(email, found.get(_normal(email), []), homes) for email in emails]


def holders(client: Client, emails: Iterable[str]) -> dict[str, list[Record]]:
    """The contacts that have each of these addresses, by address in lower case; an address without one is left out."""
    asked = list(dict.fromkeys(address for address in map(email_address, emails) if address))
    found = _by_address(read_holders(client, CONTACTS, asked, EMAIL, _SHOWN)) if asked else {}
    for part in chunks([address for address in asked if address not in found]):
        held = _by_address(search.every(client, CONTACTS, [search.is_in(OTHER_EMAILS, part)], _SHOWN))
        found |= {address: held[address] for address in part if address in held}
    return {address: found[address] for address in asked if address in found}


def primary_companies(client: Client, companies: str, contacts: Iterable[str]) -> dict[str, str]:
    """The primary company of each contact that has one."""
    ties = associated(client, CONTACTS, companies, list(dict.fromkeys(contacts)))
    return {contact: homes[0] for contact, homes in ties.items() if homes}


def _person(email: str, records: Sequence[Record], homes: Mapping[str, str]) -> Person:
    if not records:
        return Person(email, "missing")
    if len(records) > 1:
        return Person(email, "ambiguous", candidates=tuple(sorted(record.id for record in records)))
    [contact] = records
    return Person(email, "matched", contact.id, homes.get(contact.id))


def _by_address(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in {record.id: record for record in records}.values():
        for address in _addresses(record):
            found.setdefault(address, []).append(record)
    return found


def _addresses(record: Record) -> set[str]:
    texts = [record.properties.get(EMAIL), *(record.properties.get(OTHER_EMAILS) or "").split(";")]
    return {_normal(text) for text in texts if text}


def _normal(email: str) -> str:
    return email.strip().lower()
