"""Records made for accounts that have none: one per account for ever, and none that is there is touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors.base import CallFailed, CreateRecord, Outcome
from connectors.salesforce.client import Client
from connectors.salesforce.soql import in_chunks, select
from connectors.salesforce.write import UPDATE, Entry, send


@dataclass(frozen=True, slots=True)
class RecordMaker:
    """Makes records of one org. ``match_field`` is External ID and Unique, and holds our account id."""

    client: Client
    account: str
    match_field: str

    def create(self, operations: Sequence[CreateRecord]) -> list[Outcome]:
        """Make each record unless the account has one: that counts as applied, and is left as it is.

        Safe to call again after an ``unknown``. Two clients that make the same account at once end with one record.
        """
        outcomes: dict[str, Outcome] = {}
        for some in self._apart(operations):
            try:
                made = self._make(some)
            except CallFailed as error:
                if not outcomes:
                    raise
                made = _later(some, error)
            outcomes |= {outcome.key: outcome for outcome in made}
        return [outcomes[op.key] for op in operations]

    def _apart(self, operations: Sequence[CreateRecord]) -> list[list[CreateRecord]]:
        """Account ids that differ only in case go one after the other: in one call Salesforce may refuse both."""
        rounds: list[list[CreateRecord]] = []
        seen: dict[str, int] = defaultdict(int)
        for op in operations:
            nth = seen[self._id(op).lower()]
            seen[self._id(op).lower()] += 1
            if nth == len(rounds):
                rounds.append([])
            rounds[nth].append(op)
        return rounds

    def _make(self, operations: Sequence[CreateRecord]) -> list[Outcome]:
        there = self._there(operations)
        missing = [op for op in operations if self._id(op).lower() not in there]
        made = {outcome.key: outcome for outcome in self._upsert(missing)}
        raced = [
            op for op in missing if made[op.key].code == "DUPLICATE_VALUE" and self.match_field in made[op.key].reason
        ]
        if raced:
            made |= self._look_again(raced)
        return [made.get(op.key) or self._taken(op, there[self._id(op).lower()]) for op in operations]

    def _look_again(self, raced: Sequence[CreateRecord]) -> dict[str, Outcome]:
        """Another client made the account's record between our look and our write; upsert looks, then inserts."""
        try:
            there = self._there(raced)
        except CallFailed as error:
            return {outcome.key: outcome for outcome in _later(raced, error)}
        return {
            op.key: self._taken(op, there[self._id(op).lower()])
            if self._id(op).lower() in there
            else Outcome(op.key, "retry", code="DUPLICATE_VALUE", reason=f"{self.match_field} has just been taken")
            for op in raced
        }

    def _taken(self, op: CreateRecord, there: tuple[str, str]) -> Outcome:
        record_id, holder = there
        if holder == self._id(op):
            return Outcome(op.key, "applied", record_id, "ALREADY_THERE")
        reason = (
            f"{self.match_field} of this record holds another account's id that differs only in upper and lower case"
        )
        return Outcome(op.key, "rejected", record_id, "DUPLICATE_VALUE", reason)

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

    def _there(self, operations: Sequence[CreateRecord]) -> dict[str, tuple[str, str]]:
        """(record id, account id it holds) by account id in lower case, as Salesforce may compare them."""
        start = select(("Id", self.match_field), self.account, "WHERE", self.match_field, "IN ")
        rows = self.client.rows_of(in_chunks(start, [self._id(op) for op in operations]))
        found = {row[self.match_field]: row["Id"] for some in rows for row in some}
        exact = {self._id(op) for op in operations} & found.keys()
        order = sorted(
            found, key=lambda held: held in exact
        )  # of ids that differ only in case the one asked for counts
        return {held.lower(): (found[held], held) for held in order}

    def _id(self, op: CreateRecord) -> str:
        return str(op.values[self.match_field])


def _later(operations: Sequence[CreateRecord], error: CallFailed) -> list[Outcome]:
    return [Outcome(op.key, "retry", code=type(error).__name__, reason=str(error)) for op in operations]
