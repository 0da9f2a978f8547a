"""Which record an account is: stored id, then match field, then the fallbacks in order. A match is never a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import quote

from simple_salesforce.format import format_soql

from connectors.base import Destination, Match, MatchField, MatchKey
from connectors.base.values import domain_of
from connectors.salesforce.client import Client
from connectors.salesforce.describe import Schema, values_of
from connectors.salesforce.fallbacks import NEXT_TO, where
from connectors.salesforce.follow import PREFIXES, Follower, LivingRecord
from connectors.salesforce.soql import in_chunks, select, sized

LIKES = 100
"""Wildcard conditions per query: Salesforce compares each with every record of the org."""

OLDEST_FIRST = " ORDER BY CreatedDate, Id"


@dataclass(slots=True)
class Search:
    """One run of matching: the records found so far, by id."""

    client: Client
    schema: Schema
    destination: Destination
    fields: Sequence[str]
    records: dict[str, LivingRecord] = field(default_factory=dict)

    def run(self, keys: Sequence[MatchKey]) -> list[Match]:
        """One match per key, in order. No record is given to two accounts."""
        found: dict[str, Match] = {}
        steps: list[Callable[[Sequence[MatchKey]], Iterable[Match]]] = [self._by_id, self._by_match_field]
        steps += [partial(self._by_fallback, fallback) for fallback in self.destination.fallbacks]
        for step in steps:
            open_keys = [key for key in keys if key.account_id not in found]
            found |= {match.account_id: match for match in step(open_keys)} if open_keys else {}
        resolved = self._resolve_claims(found.values())
        return [resolved.get(key.account_id) or Match(account_id=key.account_id, status="missing") for key in keys]

    # ------------------------------------------------------------------ the three ways

    def _by_id(self, keys: Sequence[MatchKey]) -> Iterable[Match]:
        wanted = {key.account_id: key.record_id for key in keys if key.record_id}
        by_object: dict[str, set[str]] = defaultdict(set)
        for record_id in wanted.values():
            by_object[PREFIXES.get(record_id[:3], self.destination.object)].add(record_id)
        living: dict[str, str] = {}
        for kind, ids in by_object.items():
            living |= self._remember(self._follower.living(kind, ids))
        for account_id, record_id in wanted.items():
            if record_id in living:
                yield self._match(account_id, [living[record_id]], "id")

    def _by_match_field(self, keys: Sequence[MatchKey]) -> Iterable[Match]:
        name = self.destination.match_field
        if name not in self.schema.fields(self.destination.object):
            return
        start = select(
            self._follower.columns_of(self.destination.object), self.destination.object, "WHERE", name, "IN "
        )
        rows = self.client.all_rows(in_chunks(start, (key.account_id for key in keys)))
        now = self._remember(self._follower.onward(self.destination.object, {row["Id"]: row for row in rows}))
        hits: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            if row["Id"] in now:
                hits[str(row[name])].append(now[row["Id"]])
        for key in keys:
            if key.account_id in hits:
                yield self._match(key.account_id, hits[key.account_id], name)

    def _by_fallback(self, fallback: MatchField, keys: Sequence[MatchKey]) -> Iterable[Match]:
        normalise = NORMAL[fallback.kind]
        asked = {key.account_id: normalise(key.values.get(fallback.account_field, "")) for key in keys}
        wanted = sorted({value for value in asked.values() if value})
        source, column = where(self.destination.object, fallback.field)
        if not wanted or column not in self.schema.fields(source):
            return
        hits: dict[str, list[str]] = defaultdict(list)
        for value, record_id in self._fallback_hits(source, column, fallback.kind, wanted):
            if record_id not in hits[value]:
                hits[value].append(record_id)
        for account_id, value in asked.items():
            if value and hits.get(value):
                yield self._unless_taken(self._match(account_id, hits[value], fallback.field))

    def _fallback_hits(self, source: str, column: str, kind: str, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
        """(normalised value, id of the living record that it refers to), the oldest record first."""
        steps = NEXT_TO.get((self.destination.object, source), ())
        columns = [*self._follower.columns_of(source), *steps]
        rows = self.client.all_rows(_fallback_queries([*columns, column], source, column, kind, wanted))
        leads_to = {row["Id"]: next((row[step] for step in steps if row.get(step)), None) for row in rows}
        through = {to for to in leads_to.values() if to}
        now = self._remember(self._follower.living(self.destination.object, through)) if through else {}
        own = {row["Id"]: row for row in rows if not leads_to[row["Id"]] and _stands_alone(source, steps)}
        now |= self._remember(self._follower.onward(source, own))
        for row in rows:
            record_id = now.get(leads_to[row["Id"]] or row["Id"])
            if record_id:
                yield NORMAL[kind](str(row[column] or "")), record_id

    # ------------------------------------------------------------------ matches

    def _match(self, account_id: str, ids: Sequence[str], by: str) -> Match:
        some = list(dict.fromkeys(ids))
        if len(some) > 1:
            return Match(account_id=account_id, status="ambiguous", by=by, candidates=tuple(some))
        record = self.records[some[0]]
        values = values_of(record.row, self.schema.fields(record.object), self.fields)
        other = "" if record.object == self.destination.object else record.object
        return Match(
            account_id=account_id,
            status="matched",
            record_id=some[0],
            by=by,
            owner_id=record.row.get("OwnerId"),
            values=values,
            object=other,
        )

    def _unless_taken(self, match: Match) -> Match:
        """A record with another account's id in its match field is not matched by a fallback."""
        holder = self._holder(match.record_id)
        if holder is None or holder == match.account_id:
            return match
        return Match(account_id=match.account_id, status="ambiguous", by=match.by, candidates=(str(match.record_id),))

    def _holder(self, record_id: str | None) -> str | None:
        record = self.records.get(record_id or "")
        value = record.row.get(self.destination.match_field) if record else None
        return None if value in (None, "") else str(value)

    def _resolve_claims(self, matches: Iterable[Match]) -> dict[str, Match]:
        """Of several accounts with one record, only the one in its match field keeps it; the others are ambiguous."""
        resolved = {match.account_id: match for match in matches}
        claims: dict[str, list[Match]] = defaultdict(list)
        for match in resolved.values():
            if match.record_id:
                claims[match.record_id].append(match)
        for record_id, claimants in claims.items():
            for match in claimants if len(claimants) > 1 else ():
                if self._holder(record_id) != match.account_id:
                    resolved[match.account_id] = replace(
                        match, status="ambiguous", record_id=None, candidates=(record_id,), owner_id=None, values={}
                    )
        return resolved

    # ------------------------------------------------------------------ records

    @property
    def _follower(self) -> Follower:
        return Follower(self.client, self.schema, (self.destination.match_field, *self.fields))

    def _remember(self, records: Mapping[str, LivingRecord]) -> dict[str, str]:
        """Keep the records by id; the id of the record for each name."""
        self.records |= {record.row["Id"]: record for record in records.values()}
        return {name: record.row["Id"] for name, record in records.items()}


def match(
    client: Client, schema: Schema, destination: Destination, keys: Sequence[MatchKey], fields: Sequence[str]
) -> list[Match]:
    """See `connectors.base.Connector.match`."""
    return Search(client, schema, destination, fields).run(keys) if keys else []


def _stands_alone(source: str, steps: Sequence[str]) -> bool:
    """Whether a row without a reference is the record itself: an unconverted lead is, a private contact is not."""
    return source == "Lead" or not steps


def _fallback_queries(columns: Sequence[str], source: str, column: str, kind: str, wanted: Sequence[str]) -> list[str]:
    start = select(columns, source, "WHERE ")
    if kind != "domain":
        return in_chunks(f"{start}{column} IN ", wanted, OLDEST_FIRST)
    # The column is free text: every value that contains the domain is fetched and normalised here.
    clauses = [f"{column} LIKE '%{format_soql('{:like}', domain)}%'" for domain in wanted]
    either = " OR "
    chunks = sized(clauses, len(quote(start + OLDEST_FIRST)) + 2, len(quote(either)), LIKES)
    return [f"{start}({either.join(some)}){OLDEST_FIRST}" for some in chunks]


NORMAL: Mapping[str, Callable[[str], str]] = {
    "exact": lambda text: text.strip().lower(),
    "domain": domain_of,
    "email": lambda text: text.strip().lower(),
}
