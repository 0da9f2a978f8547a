"""Who wrote the values that fields hold now: by field history, where the org tracks the field.

An admin turns tracking on per field, for at most 20 fields of an object. From then on Salesforce adds a row of the
history object for every change, with the user who saved it; the values when a record is created, and what was before,
have no row. ``queryAll`` finds rows of the last 24 months. Those of long texts and multi-selects have no value.
https://developer.salesforce.com/docs/atlas.en-us.securityImplGuide.meta/securityImplGuide/tracking_field_history.htm
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_associated_objects_history.htm

So these are certain, and nothing else is said:

| the CRM shows | answer |
|---|---|
| the field's newest row has the value of now | whether our user saved it |
| no row, and nobody has saved the record since it was created | whether our user created the record |

``LastModifiedById`` says who saved the record last, not which fields: our user is the last also where a person set the
field before. What a flow of the org sets while our user saves counts as ours, as Salesforce notes it so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog
from simple_salesforce.format import format_soql

from connectors.base import Destination, FieldSpec, FieldWriters
from connectors.coerce import canonical
from connectors.salesforce.client import Client, Row
from connectors.salesforce.describe import Schema
from connectors.salesforce.errors import Forbidden, RequestRejected
from connectors.salesforce.follow import PREFIXES, follow_merges
from connectors.salesforce.soql import in_chunks, select

TOGETHER = 400
"""Records in one query: as many ids as its URI can carry."""
MOST_PAGES = 50
"""Pages of 2,000 rows that one query reads, the newest first; what has no row by then counts as without one."""

RECORD = ("Id", "CreatedById", "CreatedDate", "LastModifiedDate")
ROW = ("Field", "NewValue", "CreatedById", "CreatedDate")

log = structlog.get_logger(__name__)

Pair = tuple[str, str]
"""A record id and a field."""
Newest = Mapping[Pair, Sequence[Row]]
"""The newest history row, and others of the same second: their order is not known."""


def field_writers(
    client: Client, schema: Schema, destination: Destination, record_ids: Sequence[str], fields: Sequence[str]
) -> FieldWriters:
    """Whether our user wrote each value; for 1,000 records some four calls, and one per 2,000 history rows read."""
    by_object: dict[str, list[str]] = defaultdict(list)
    for record_id in record_ids:
        by_object[PREFIXES.get(record_id[:3], destination.object)].append(record_id)
    us = client.our_user_id() if record_ids else ""
    found: dict[str, Mapping[str, bool | None]] = {}
    for kind, ids in by_object.items():
        found |= _ObjectHistory(client, kind, schema.fields(kind), us).writers(ids, fields)
    return found


@dataclass(frozen=True, slots=True)
class _ObjectHistory:
    """The history of one object's records; ``us`` is our user."""

    client: Client
    object: str
    specs: Mapping[str, FieldSpec]
    us: str

    def writers(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Mapping[str, bool | None]]:
        names = [name for name in dict.fromkeys(fields) if name in self.specs]
        rows = follow_merges(self.client, self.object, (*RECORD, *names), ids)
        newest = self._newest(sorted({row["Id"] for row in rows.values()}), names)
        return {
            asked: {name: self._wrote(row, name, newest.get((row["Id"], name), ())) for name in names}
            for asked, row in rows.items()
        }

    def _wrote(self, record: Row, name: str, history: Sequence[Row]) -> bool | None:
        if not history:
            untouched = record["CreatedDate"] == record["LastModifiedDate"]
            ours = bool(record["CreatedById"] == self.us)
            return ours if untouched and (ours or record[name] is not None) else None
        spec = self.specs[name]
        value = canonical(spec, record[name])
        holders = {row["CreatedById"] == self.us for row in history if canonical(spec, row["NewValue"]) == value}
        return holders.pop() if len(holders) == 1 else None

    def _newest(self, ids: Sequence[str], names: Sequence[str]) -> Newest:
        """The newest rows; none where this user may not read the history, or the object has none."""
        newest: dict[Pair, list[Row]] = {}
        table, parent = _history_object(self.object)
        start = select((parent, *ROW), table, f"WHERE {parent} IN ")
        quoted = ",".join(format_soql("{}", name) for name in names)
        end = f" AND Field IN ({quoted}) ORDER BY CreatedDate DESC, Id DESC"
        try:
            for first in range(0, len(ids) if names else 0, TOGETHER):
                some = ids[first : first + TOGETHER]
                wanted = {(one, name) for one in some for name in names}
                for query in in_chunks(start, some, end):
                    self._read(query, parent, wanted, newest)
        except (Forbidden, RequestRejected) as error:
            log.warning("salesforce_history_unreadable", object=self.object, reason=str(error))
        return newest

    def _read(self, query: str, parent: str, wanted: Collection[Pair], newest: dict[Pair, list[Row]]) -> None:
        """Take rows until each wanted pair has all of its newest second."""
        for number, page in enumerate(self.client.pages(query, deleted=True), 1):
            for row in page:
                rows = newest.setdefault((row[parent], row["Field"]), [])
                if not rows or rows[0]["CreatedDate"] == row["CreatedDate"]:
                    rows.append(row)
            oldest = page[-1]["CreatedDate"] if page else ""
            if all(one in newest and newest[one][0]["CreatedDate"] > oldest for one in wanted):
                return
            if number == MOST_PAGES:
                log.warning("salesforce_history_too_long", object=self.object, pages=number)
                return


def _history_object(object: str) -> tuple[str, str]:
    """The history object and its field for the record: AccountHistory and AccountId, X__History and ParentId."""
    if object.endswith("__c"):
        return f"{object.removesuffix('__c')}__History", "ParentId"
    return f"{object}History", f"{object}Id"
