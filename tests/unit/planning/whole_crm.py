"""A scripted CRM that can also be read: people edit it, and it reports what they changed since a cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import (
    CallFailed,
    CreateRecord,
    FieldSpec,
    Match,
    MatchKey,
    Operation,
    Owner,
    Person,
    ReadBack,
    RecordFact,
    Scalar,
    UpdateFields,
)
from tests.unit.delivery.scripted import ScriptedConnector
from worker.planning.plan import NewRecord, RecordChange, TaskChange

KEY = "account_key"


@dataclass(frozen=True)
class Written:
    """One field that one of our writes set: the values before and after."""

    record_id: str
    field: str
    before: Scalar
    after: Scalar


@dataclass
class WholeCrm(ScriptedConnector):
    """Records by id; a record is found by its `KEY`. Like the real ones it does not report our own writes."""

    specs: dict[str, FieldSpec] = field(default_factory=dict)
    people_known: list[Person] = field(default_factory=list)
    people_failure: CallFailed | None = None
    asked_people: list[list[str]] = field(default_factory=list)
    ambiguous: dict[str, tuple[str, ...]] = field(default_factory=dict)
    writes: list[Written] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)

    # ------------------------------------------------------------------ what a person does

    def human_sets(self, record_id: str, name: str, value: Scalar) -> None:
        self.records[record_id][name] = value
        self.edits.append(record_id)

    def human_deletes(self, record_id: str) -> None:
        del self.records[record_id]
        self.edits.append(record_id)

    def of_account(self, account_id: str) -> list[str]:
        return [record_id for record_id, values in self.records.items() if values.get(KEY) == account_id]

    # ------------------------------------------------------------------ what the worker asks

    def describe(self, object: str) -> Mapping[str, FieldSpec]:
        return self.specs

    def owners(self) -> list[Owner]:
        return [Owner("1", "ann@example.com", "Ann", True)]

    def server_time(self) -> None:
        return None

    def record_url(self, record_id: str) -> str:
        return f"https://crm.example/{record_id}"

    def match(self, keys: Sequence[MatchKey], fields: Sequence[str]) -> list[Match]:
        return [self._match(key, fields) for key in keys]

    def _match(self, key: MatchKey, fields: Sequence[str]) -> Match:
        if key.account_id in self.ambiguous:
            return Match(account_id=key.account_id, status="ambiguous", candidates=self.ambiguous[key.account_id])
        found = [one for one in self.of_account(key.account_id) if one not in self.hidden]
        if not found:
            return Match(account_id=key.account_id, status="missing")
        values = {name: self.records[found[0]].get(name) for name in fields}
        return Match(
            account_id=key.account_id, status="matched", record_id=found[0], by=KEY, owner_id="1", values=values
        )

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> list[Any]:
        return []

    def read_back(self, since: Mapping[str, str], fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        start = int(since.get("edits", "0"))
        facts = [self._fact(record_id, fields) for record_id in dict.fromkeys(self.edits[start:])]
        return ReadBack(facts, {"edits": str(len(self.edits))})

    def _fact(self, record_id: str, fields: Sequence[str]) -> RecordFact:
        if record_id not in self.records:
            return RecordFact(record_id, None, {}, deleted=True)
        return RecordFact(record_id, "1", {name: self.records[record_id].get(name) for name in fields})

    def people(self, emails: Sequence[str]) -> list[Person]:
        self.asked_people.append(list(emails))
        if self.people_failure:
            raise self.people_failure
        known = {person.email: person for person in self.people_known}
        return [known.get(email, Person(email, "missing")) for email in emails]

    # ------------------------------------------------------------------ what our writes do

    def record_id_of(self, operation: Operation) -> str:
        if isinstance(operation, CreateRecord):
            new = f"N-{operation.key}"
            return (self.of_account(str(operation.values[KEY])) or [f"{new}-again" if new in self.records else new])[0]
        return super().record_id_of(operation)

    def _apply(self, operation: Operation) -> None:
        if isinstance(operation, CreateRecord):
            self.records.setdefault(self.record_id_of(operation), dict(operation.values))
            return
        if isinstance(operation, UpdateFields):
            before: dict[str, Any] = self.records[operation.record_id]
            self.writes += [Written(operation.record_id, n, before.get(n), v) for n, v in operation.values.items()]
        super()._apply(operation)


class NoReasons:
    """The provenance of a plan without decisions."""

    def of_record(self, change: RecordChange) -> dict[str, Any]:
        return {}

    def of_new_record(self, record: NewRecord) -> dict[str, Any]:
        return {}

    def of_task(self, task: TaskChange) -> dict[str, Any]:
        return {}
