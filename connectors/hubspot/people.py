"""Contacts by e-mail address: the human a task can name.

Asked by ``email`` first, a hundred a call and strongly consistent; then, for those nobody has as the primary address,
the secondary ones are searched (``hs_additional_emails``: https://github.com/HubSpot/hubspot-api-nodejs/issues/24).
Search lags behind, which costs a late hit, never a wrong one: a hit counts only if it has the address now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connectors.base import Person
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
    asked = list(dict.fromkeys(address for address in map(_normal, emails) if _is_address(address)))
    found = _by_address(read_holders(client, CONTACTS, asked, EMAIL, _SHOWN)) if asked else {}
    rest = [address for address in asked if address not in found]
    for part in chunks(rest):
        hits = search.every(client, CONTACTS, [search.is_in(OTHER_EMAILS, part)], _SHOWN)
        held = _by_address(hits)
        found |= {address: held[address] for address in part if address in held}
    sure = [records[0].id for address, records in found.items() if len(records) == 1 and address in asked]
    homes = associated(client, CONTACTS, companies, list(dict.fromkeys(sure)))
    return [_person(email, found.get(_normal(email), []), homes) for email in emails]


def _person(email: str, records: Sequence[Record], homes: dict[str, list[str]]) -> Person:
    if not records:
        return Person(email, "missing")
    if len(records) > 1:
        return Person(email, "ambiguous", candidates=tuple(sorted(record.id for record in records)))
    [contact] = records
    return Person(email, "matched", contact.id, next(iter(homes.get(contact.id, ())), None))


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


def _is_address(text: str) -> bool:
    before, at, after = text.partition("@")
    return bool(before and at and after) and not any(letter.isspace() for letter in text)
