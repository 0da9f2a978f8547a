"""The person of an e-mail address: a contact, the contact of a converted lead, or a lead. Never a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from connectors.base import AccessDenied, Person
from connectors.base.values import email_address
from connectors.salesforce.client import Client, Row
from connectors.salesforce.errors import RequestRejected
from connectors.salesforce.follow import PREFIXES, follow_merges
from connectors.salesforce.match import OLDEST_FIRST
from connectors.salesforce.soql import in_chunks, select

CONTACT_COLUMNS = ("Id", "AccountId", "Email")
LEAD_COLUMNS = ("Id", "Email", "IsConverted", "ConvertedContactId")

log = structlog.get_logger(__name__)

Hits = Mapping[str, Sequence[Row]]
"""Contacts or leads by address in lower case."""


@dataclass(frozen=True, slots=True)
class People:
    """Finds people in one org. ``account`` is the CRM's name of our object.

    The person of a person account is its contact, which is what a task can name.
    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_guidelines_personaccounts.htm
    """

    client: Client
    account: str

    def find(self, emails: Sequence[str]) -> list[Person]:
        """One person per address, in order, whatever its case. Contacts come before leads."""
        wanted = sorted({address for address in map(email_address, emails) if address})
        if not wanted:
            return [Person(email, "missing") for email in emails]
        contacts, leads = self._contacts(wanted), self._leads(wanted)
        converted = self._converted(leads, contacts)
        open_leads = {email: [row for row in rows if not row["IsConverted"]] for email, rows in leads.items()}
        ranks = (contacts, converted, open_leads)
        return [self._person(email, ranks) for email in emails]

    def _contacts(self, wanted: Sequence[str]) -> Hits:
        start = select(CONTACT_COLUMNS, "Contact", "WHERE Email IN ")
        return _by_email(self.client.all_rows(_oldest_first(start, wanted)))

    def _leads(self, wanted: Sequence[str]) -> Hits:
        """Leads, where this user may see them; the least privilege does not include them."""
        start = select(LEAD_COLUMNS, "Lead", "WHERE Email IN ")
        found: list[Row] = []
        for answer in self.client.try_rows_of(_oldest_first(start, wanted)):
            if isinstance(answer, AccessDenied | RequestRejected):
                log.info("salesforce_leads_not_read", reason=str(answer))
                return {}
            if isinstance(answer, Exception):
                raise answer
            found += answer
        return _by_email(found)

    def _converted(self, leads: Hits, contacts: Hits) -> Hits:
        """The living contacts of converted leads, for addresses that no contact has."""
        became = {
            email: [row["ConvertedContactId"] for row in rows if row["IsConverted"] and row["ConvertedContactId"]]
            for email, rows in leads.items()
            if email not in contacts
        }
        living = follow_merges(self.client, "Contact", CONTACT_COLUMNS, {one for ids in became.values() for one in ids})
        return {
            email: list({living[one]["Id"]: living[one] for one in ids if one in living}.values())
            for email, ids in became.items()
        }

    def _person(self, email: str, ranks: Iterable[Hits]) -> Person:
        for hits in ranks:
            rows = hits.get(_plain(email), ())
            if len(rows) > 1:
                return Person(email, "ambiguous", candidates=tuple(row["Id"] for row in rows))
            if rows:
                return Person(email, "matched", rows[0]["Id"], self._record(rows[0]))
        return Person(email, "missing")

    def _record(self, row: Row) -> str | None:
        """The record of our object that the person belongs to; where our object is a person, the person itself."""
        return str(row["Id"]) if PREFIXES.get(row["Id"][:3]) == self.account else row.get("AccountId")


def _plain(email: str) -> str:
    return email.strip().lower()


def _oldest_first(start: str, wanted: Iterable[str]) -> list[str]:
    return in_chunks(start, wanted, OLDEST_FIRST)


def _by_email(rows: Iterable[Row]) -> Hits:
    hits: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        hits[_plain(row["Email"] or "")].append(row)
    return hits
