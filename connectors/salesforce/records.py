"""Creates records for accounts that have none: one per account for ever, and existing ones stay as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors.base import ALREADY_THERE, CallFailed, CreateRecord, Outcome
from connectors.salesforce.client import Client
from connectors.salesforce.soql import in_chunks, select
from connectors.salesforce.write import UPDATE, Entry, postponed_by, send


@dataclass(frozen=True, slots=True)
class RecordMaker:
    """Creates records in one org. ``match_field`` is External ID and Unique, and has our account id."""

    client: Client
    account: str
    match_field: str

    def create(self, operations: Sequence[CreateRecord]) -> list[Outcome]:
        """Create each record unless the account has one, which counts as applied and stays as it is.

        Safe to call again after an ``unknown``. Two clients that create the same account at once end with one record.
        """
        outcomes: dict[str, Outcome] = {}
        for some in self._rounds(operations):
            try:
                outcomes |= {outcome.key: outcome for outcome in self._create(some)}
            except CallFailed as error:
                if not outcomes:
                    raise
                outcomes |= postponed_by(some, error)
        return [outcomes[op.key] for op in operations]

    def _rounds(self, operations: Sequence[CreateRecord]) -> list[list[CreateRecord]]:
        """Account ids that differ only in case are in separate calls: in one call Salesforce may reject both."""
        rounds: list[list[CreateRecord]] = []
        seen: dict[str, int] = defaultdict(int)
        for op in operations:
            nth = seen[self._id(op).lower()]
            seen[self._id(op).lower()] += 1
            if nth == len(rounds):
                rounds.append([])
            rounds[nth].append(op)
        return rounds

    def _create(self, operations: Sequence[CreateRecord]) -> list[Outcome]:
        existing = self._existing(operations)
        missing = [op for op in operations if self._id(op).lower() not in existing]
        created = {outcome.key: outcome for outcome in self._upsert(missing)}
        raced = [
            op
            for op in missing
            if created[op.key].code == "DUPLICATE_VALUE" and self.match_field in created[op.key].reason
        ]
        if raced:
            created |= self._read_raced(raced)
        return [created.get(op.key) or self._taken(op, existing[self._id(op).lower()]) for op in operations]

    def _read_raced(self, raced: Sequence[CreateRecord]) -> dict[str, Outcome]:
        """Another client created the account's record between our read and our write; an upsert reads, then inserts."""
        try:
            existing = self._existing(raced)
        except CallFailed as error:
            return postponed_by(raced, error)
        return {
            op.key: self._taken(op, existing[self._id(op).lower()])
            if self._id(op).lower() in existing
            else Outcome(
                key=op.key, status="retry", code="DUPLICATE_VALUE", reason=f"{self.match_field} has just been taken"
            )
            for op in raced
        }

    def _taken(self, op: CreateRecord, existing: tuple[str, str]) -> Outcome:
        record_id, holder = existing
        if holder == self._id(op):
            return Outcome(key=op.key, status="applied", record_id=record_id, code=ALREADY_THERE)
        reason = (
            f"{self.match_field} of this record holds another account's id that differs only in upper and lower case"
        )
        return Outcome(key=op.key, status="rejected", record_id=record_id, code="DUPLICATE_VALUE", reason=reason)

    def _upsert(self, operations: Sequence[CreateRecord]) -> list[Outcome]:
        entries: list[Entry] = [
            (op.key, {"attributes": {"type": self.account}, **op.values}, self._id(op)) for op in operations
        ]
        outcomes = send(self.client, "PATCH", f"{UPDATE}/{self.account}/{self.match_field}", entries)
        return [self._advised(outcome) for outcome in outcomes]

    def _advised(self, outcome: Outcome) -> Outcome:
        if outcome.code != "DUPLICATES_DETECTED":
            return outcome
        advice = (
            f"a duplicate rule of this org takes it for a record that exists ({outcome.reason}): "
            f"put the account's id into {self.match_field} of that record, or let this user save duplicates"
        )
        return replace(outcome, reason=advice)

    def _existing(self, operations: Sequence[CreateRecord]) -> dict[str, tuple[str, str]]:
        """(record id, its account id) by account id in lower case, as Salesforce may compare them."""
        start = select(("Id", self.match_field), self.account, "WHERE", self.match_field, "IN ")
        rows = self.client.all_rows(in_chunks(start, [self._id(op) for op in operations]))
        found = {row[self.match_field]: row["Id"] for row in rows}
        exact = {self._id(op) for op in operations} & found.keys()
        # Of ids that differ only in case, the requested one counts.
        order = sorted(found, key=lambda account_id: account_id in exact)
        return {account_id.lower(): (found[account_id], account_id) for account_id in order}

    def _id(self, op: CreateRecord) -> str:
        return str(op.values[self.match_field])
