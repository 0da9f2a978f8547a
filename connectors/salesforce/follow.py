"""Follows records: through merges, from a converted lead to its contact, from a person to the account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.salesforce.client import Client, Row
from connectors.salesforce.describe import Schema
from connectors.salesforce.soql import in_chunks, select

MERGE_HOPS = 5
PREFIXES: Mapping[str, str] = {"001": "Account", "003": "Contact", "00Q": "Lead"}
"""Which object an id is of: https://help.salesforce.com/s/articleView?id=000385203"""

LINKS = ("IsConverted", "ConvertedContactId", "IsPersonAccount", "AccountId")
"""The columns that name a successor; each object has only some of them."""


@dataclass(frozen=True, slots=True)
class LivingRecord:
    """A living record and the object it is of."""

    object: str
    row: Row


@dataclass(frozen=True, slots=True)
class Follower:
    """Follows records of one org; ``columns`` are read of each, where the object has them."""

    client: Client
    schema: Schema
    columns: Sequence[str]

    def living(self, object: str, ids: Iterable[str]) -> dict[str, LivingRecord]:
        """The living record for each of these ids; ids of records that are gone are left out."""
        rows = follow_merges(self.client, object, self.columns_of(object), set(ids))
        return self.onward(object, rows)

    def onward(self, object: str, rows: Mapping[str, Row]) -> dict[str, LivingRecord]:
        """The living record for each of these rows of `columns_of`, by any name.

        A person account's contact is read-only: what is written about it goes to the account.
        https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_guidelines_personaccounts.htm
        """
        here, moved = {}, {}
        link, target = ("ConvertedContactId", "Contact") if object == "Lead" else ("AccountId", "Account")
        for name, row in rows.items():
            if row.get("IsConverted") or (object == "Contact" and row.get("IsPersonAccount")):
                moved[name] = row.get(link)
            else:
                here[name] = LivingRecord(object, row)
        there = self.living(target, {to for to in moved.values() if to}) if moved else {}
        return here | {name: there[to] for name, to in moved.items() if to in there}

    def columns_of(self, object: str) -> list[str]:
        """The wanted columns that this user can see on an object, and those that name a successor."""
        visible = self.schema.fields(object)
        links = LINKS if object in ("Lead", "Contact") else ()
        return [name for name in dict.fromkeys(("Id", "OwnerId", *self.columns, *links)) if name in visible]


def follow_merges(client: Client, object: str, columns: Sequence[str], ids: Iterable[str]) -> dict[str, Row]:
    """The living row for each id, through merges; deleted records are left out."""
    living: dict[str, Row] = {}
    at = {record_id: record_id for record_id in ids}
    masters = ("MasterRecordId",) if object in PREFIXES.values() else ()
    start = select((*columns, "IsDeleted", *masters), object, "WHERE Id IN ")
    for _ in range(MERGE_HOPS):
        unknown = sorted(set(at.values()) - living.keys())
        if not unknown:
            break
        became = dict.fromkeys(unknown, "")
        for row in client.all_rows(in_chunks(start, unknown), deleted=True):
            became[row["Id"]] = (row.get("MasterRecordId") or "") if row["IsDeleted"] else row["Id"]
            if not row["IsDeleted"]:
                living[row["Id"]] = row
        at = {asked: became.get(now, now) for asked, now in at.items() if became.get(now, now)}
    return {asked: living[now] for asked, now in at.items() if now in living}
