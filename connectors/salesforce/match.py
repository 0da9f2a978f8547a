"""Which record an account is: stored id, then match field, then the fallbacks in order. Never a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import quote, urlsplit

from simple_salesforce.format import format_soql

from connectors.base import Destination, FieldSpec, Match, MatchField, MatchKey
from connectors.salesforce.client import URI_LIMIT, Client, Row, select
from connectors.salesforce.describe import Describes, values_of

MERGE_HOPS = 5
LIKES = 100
"""Wildcard conditions per query: each is a comparison with every account of the org."""


@dataclass(slots=True)
class Search:
    """One run of matching: the keys still open, and the records found so far."""

    client: Client
    destination: Destination
    specs: Mapping[str, FieldSpec]
    fields: Sequence[str]
    rows: dict[str, Row] = field(default_factory=dict)

    def run(self, keys: Sequence[MatchKey]) -> list[Match]:
        """One match per key, in order. No record is given to two accounts."""
        found: dict[str, Match] = {}
        steps: list[Callable[[Sequence[MatchKey]], Iterable[Match]]] = [self._by_id, self._by_match_field]
        steps += [partial(self._by_fallback, fallback) for fallback in self.destination.fallbacks]
        for step in steps:
            open_keys = [key for key in keys if key.account_id not in found]
            found |= {match.account_id: match for match in step(open_keys)} if open_keys else {}
        settled = self._settle(found.values())
        return [settled.get(key.account_id) or Match(key.account_id, "missing") for key in keys]

    # ------------------------------------------------------------------ the three ways

    def _by_id(self, keys: Sequence[MatchKey]) -> Iterable[Match]:
        wanted = {key.account_id: key.record_id for key in keys if key.record_id}
        if not wanted:
            return
        survivors = self._survivors(set(wanted.values()))
        for account_id, record_id in wanted.items():
            if record_id in survivors:
                yield self._match(account_id, [survivors[record_id]], "id")

    def _survivors(self, ids: set[str]) -> dict[str, str]:
        """Living record ids by the id asked for, through merges; what was deleted otherwise is left out."""
        at = {record_id: record_id for record_id in ids}
        for _ in range(MERGE_HOPS):
            unknown = {now for now in at.values() if now not in self.rows}
            gone = self._fetch_ids(unknown)
            at = {asked: gone.get(now, now) for asked, now in at.items()}
            at = {asked: now for asked, now in at.items() if now}
            if all(now in self.rows for now in at.values()):
                return at
        return {}

    def _fetch_ids(self, ids: set[str]) -> dict[str, str]:
        """Fetch living records; for the others the id they were merged into, or an empty text."""
        gone = dict.fromkeys(ids, "")
        columns = (*self._columns(), "IsDeleted", "MasterRecordId")
        start = select(columns, self.destination.object, "WHERE Id IN ")
        for row in self._rows(in_chunks(start, ids), deleted=True):
            if row["IsDeleted"]:
                gone[row["Id"]] = row["MasterRecordId"] or ""
            else:
                self.rows[row["Id"]] = row
                gone.pop(row["Id"], None)
        return gone

    def _by_match_field(self, keys: Sequence[MatchKey]) -> Iterable[Match]:
        name = self.destination.match_field
        if name not in self.specs:
            return
        hits: dict[str, list[str]] = defaultdict(list)
        start = select(self._columns(), self.destination.object, "WHERE", name, "IN ")
        for row in self._rows(in_chunks(start, (key.account_id for key in keys))):
            self.rows[row["Id"]] = row
            hits[str(row[name])].append(row["Id"])
        for key in keys:
            if key.account_id in hits:
                yield self._match(key.account_id, hits[key.account_id], name)

    def _by_fallback(self, fallback: MatchField, keys: Sequence[MatchKey]) -> Iterable[Match]:
        normalise = NORMAL[fallback.kind]
        asked = {key.account_id: normalise(key.values.get(fallback.account_field, "")) for key in keys}
        wanted = sorted({value for value in asked.values() if value})
        source, column = _where(self.destination.object, fallback.field)
        on_account = source == self.destination.object
        if not wanted or (on_account and column not in self.specs):
            return
        hits: dict[str, list[str]] = defaultdict(list)
        for row in self._rows(self._fallback_queries(source, column, fallback.kind, wanted)):
            record_id = row["Id"] if on_account else row["AccountId"]
            value = normalise(str(row[column] or ""))
            if record_id and record_id not in hits[value]:
                hits[value].append(record_id)
            if on_account:
                self.rows[record_id] = row
        self._fetch_ids({record_id for value in wanted for record_id in hits[value]} - set(self.rows))
        for account_id, value in asked.items():
            ids = [record_id for record_id in hits[value] if record_id in self.rows] if value else []
            if ids:
                yield self._unless_taken(self._match(account_id, ids, fallback.field))

    def _fallback_queries(self, source: str, column: str, kind: str, wanted: Sequence[str]) -> list[str]:
        columns = self._columns(column) if source == self.destination.object else ["Id", "AccountId", column]
        start, order = select(columns, source, "WHERE "), " ORDER BY CreatedDate, Id"
        if kind != "domain":
            return [query + order for query in in_chunks(f"{start}{column} IN ", wanted, len(quote(order)))]
        # The column is free text: any spelling that contains the domain is fetched and normalised here.
        clauses = [f"{column} LIKE '%{format_soql('{:like}', domain)}%'" for domain in wanted]
        either = " OR "
        chunks = _sized(clauses, len(quote(start + order)) + 2, len(quote(either)), LIKES)
        return [f"{start}({either.join(some)}){order}" for some in chunks]

    # ------------------------------------------------------------------ verdicts

    def _match(self, account_id: str, ids: Sequence[str], by: str) -> Match:
        if len(ids) > 1:
            return Match(account_id, "ambiguous", by=by, candidates=tuple(ids))
        row = self.rows[ids[0]]
        values = values_of(row, self.specs, self.fields)
        return Match(account_id, "matched", ids[0], by, owner_id=row.get("OwnerId"), values=values)

    def _unless_taken(self, match: Match) -> Match:
        """A record that carries another account's id in its match field is not ours by its domain."""
        holder = self._holder(match.record_id)
        if holder is None or holder == match.account_id:
            return match
        return Match(match.account_id, "ambiguous", by=match.by, candidates=(str(match.record_id),))

    def _holder(self, record_id: str | None) -> str | None:
        row = self.rows.get(record_id or "", {})
        value = row.get(self.destination.match_field)
        return None if value in (None, "") else str(value)

    def _settle(self, matches: Iterable[Match]) -> dict[str, Match]:
        """Of several accounts that found the same record, the one it names keeps it; else none does."""
        settled = {match.account_id: match for match in matches}
        claims: dict[str, list[Match]] = defaultdict(list)
        for match in settled.values():
            if match.record_id:
                claims[match.record_id].append(match)
        for record_id, claimants in claims.items():
            for match in claimants if len(claimants) > 1 else ():
                if self._holder(record_id) != match.account_id:
                    settled[match.account_id] = replace(
                        match, status="ambiguous", record_id=None, candidates=(record_id,), owner_id=None, values={}
                    )
        return settled

    def _columns(self, *more: str) -> list[str]:
        wanted = ("Id", "OwnerId", self.destination.match_field, *self.fields, *more)
        return [name for name in wanted if name in self.specs]

    def _rows(self, queries: Sequence[str], deleted: bool = False) -> Iterable[Row]:
        return (row for rows in self.client.rows_of(queries, deleted) for row in rows)


def match(
    client: Client, describes: Describes, destination: Destination, keys: Sequence[MatchKey], fields: Sequence[str]
) -> list[Match]:
    """See `connectors.base.Connector.match`."""
    if not keys:
        return []
    return Search(client, destination, describes.fields(destination.object), fields).run(keys)


def domain_of(text: str) -> str:
    """The bare domain of a web address or domain in any spelling: ``https://www.Acme.com/de`` is ``acme.com``."""
    words = text.strip().lower()
    try:
        host = urlsplit(words if "//" in words else f"//{words}").hostname or ""
    except ValueError:
        return ""
    host = host.rstrip(".").removeprefix("www.")
    return host if "." in host else ""


NORMAL: Mapping[str, Callable[[str], str]] = {
    "exact": lambda text: text.strip().lower(),
    "domain": domain_of,
    "email": lambda text: text.strip().lower(),
}


def in_chunks(start: str, values: Iterable[str], more: int = 0) -> list[str]:
    """``start`` plus a quoted list of the values, in as many queries as their length needs; none for no values."""
    quoted = [format_soql("{}", value) for value in dict.fromkeys(values)]
    return [f"{start}({','.join(some)})" for some in _sized(quoted, len(quote(start)) + 2 + more, len(quote(",")))]


def _sized(parts: Sequence[str], overhead: int, between: int, most: int = 10_000) -> list[list[str]]:
    chunks: list[list[str]] = []
    size = URI_LIMIT
    for part in parts:
        length = len(quote(part, safe="")) + between
        if size + length > URI_LIMIT or len(chunks[-1]) >= most:
            chunks.append([])
            size = overhead
        chunks[-1].append(part)
        size += length
    return chunks


def _where(account: str, name: str) -> tuple[str, str]:
    """``Contact.Email`` looks on the contacts of the account; a plain name on the account itself."""
    source, _, column = name.rpartition(".")
    return source or account, column
