"""Salesforce as a `connectors.base.Connector`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

from connectors.base import (
    Budget,
    CloseTask,
    Connector,
    CreateRecord,
    CreateTask,
    Cursor,
    DeletedRecord,
    Destination,
    FieldNeed,
    FieldSpec,
    FieldWriters,
    Health,
    Journal,
    Match,
    MatchKey,
    ObjectKind,
    Operation,
    OurTask,
    Outcome,
    Owner,
    Person,
    ReadBack,
    Scalar,
    SetupStep,
    UpdateFields,
    UpdateTask,
    Usage,
)
from connectors.coerce import canonical
from connectors.salesforce.adoption import deleted_records, our_tasks
from connectors.salesforce.bulk import CALLS, BulkWriter
from connectors.salesforce.bulk_csv import MOST_ROWS
from connectors.salesforce.bulk_journal import BulkJournal
from connectors.salesforce.client import Client
from connectors.salesforce.describe import Schema
from connectors.salesforce.errors import Forbidden, RequestRejected
from connectors.salesforce.fallbacks import check
from connectors.salesforce.field_writers import field_writers
from connectors.salesforce.match import match
from connectors.salesforce.people import People
from connectors.salesforce.read_back import Reader
from connectors.salesforce.records import RecordMaker
from connectors.salesforce.setup import Setup
from connectors.salesforce.tasks import TaskWriter
from connectors.salesforce.write import BATCH, update_fields

BULK_FROM = 4_000
"""Below it a Bulk job costs no fewer calls than Collections, and at least ten seconds more."""


def connect(destination: Destination, journal: Journal | None = None, budget: Budget | None = None) -> Connector:
    """A connector for one org; nothing is sent yet. Raises `ValueError` when a setting cannot work.

    ``options``: ``composite`` packs five Collections calls into one; ``bulk_from`` is the number of field updates
    from which a Bulk API 2.0 job carries them (0: never; it takes a ``journal``).
    """
    return SalesforceConnector(destination, journal, budget)


class SalesforceConnector:
    """One Salesforce org. See `connectors.base.Connector` for what each method promises."""

    def __init__(self, destination: Destination, journal: Journal | None = None, budget: Budget | None = None) -> None:
        for fallback in destination.fallbacks:
            check(destination.object, fallback.field)
        self._destination = destination
        self._client = Client(destination, budget)
        self._schema = Schema(self._client)
        bulk_from = int(destination.options.get("bulk_from", BULK_FROM) or 0)
        bulk_journal = BulkJournal(journal) if journal and bulk_from else None
        self._bulk = BulkWriter(self._client, bulk_journal, destination.object, bulk_from) if bulk_journal else None
        self._known: dict[str, tuple[str | None, dict[str, Scalar]]] = {}

    @property
    def name(self) -> str:
        """The destination's name."""
        return self._destination.name

    def batch_size(self, operation: type[Operation], waiting: int) -> int:
        """The records in one call; all waiting field updates where a bulk job carries them."""
        if self._bulk and operation is UpdateFields:
            return self._bulk.batch_size(waiting)
        return BATCH * self._client.packed

    def fewest_calls(self, operation: type[Operation], count: int) -> int:
        """Full calls, or the calls of bulk jobs."""
        calls = -(-count // (BATCH * self._client.packed))
        if self._bulk and operation is UpdateFields and count >= self._bulk.bulk_from:
            return min(calls, CALLS * -(-count // MOST_ROWS))
        return calls

    def check(self) -> Health:
        """Who we are, what is missing for our work, and what is left of the daily requests."""
        try:
            daily = self._client.read("GET", "limits")["DailyApiRequests"]
            left, limit = int(daily["Remaining"]), int(daily["Max"])
        except (Forbidden, RequestRejected, KeyError):  # the call needs a separate permission; the header does not
            left, limit = self._client.quota()  # type: ignore[assignment]
        me = self._client.read("GET", "/services/oauth2/userinfo")  # last: it does not answer 401
        identity = f"{me.get('preferred_username') or me.get('user_id')} in org {me.get('organization_id')}"
        return Health(identity, left, limit, tuple(self._problems()))

    def describe(self, object: ObjectKind) -> Mapping[str, FieldSpec]:
        """Every field of the object this user can see."""
        return self._schema.fields(self._destination.object if object == "account" else "Task")

    def match(self, keys: Sequence[MatchKey], fields: Sequence[str]) -> Sequence[Match]:
        """One match per key, in order."""
        matches = match(self._client, self._schema, self._destination, keys, fields)
        for found in matches:
            if found.record_id:
                self._known[found.record_id] = found.owner_id, dict(found.values)
        return matches

    def people(self, emails: Sequence[str]) -> Sequence[Person]:
        """One person per address, in order: contacts, contacts that leads became, and leads."""
        return People(self._client, self._destination.object).find(emails)

    def owners(self) -> Sequence[Owner]:
        """Every user, inactive ones included; not the robots and portal guests."""
        rows = self._client.rows(
            "SELECT Id, Email, Name, IsActive, TimeZoneSidKey FROM User WHERE UserType = 'Standard'"
        )
        return [
            Owner(row["Id"], row["Email"] or "", row["Name"] or "", bool(row["IsActive"]), row["TimeZoneSidKey"] or "")
            for row in rows
        ]

    def write(self, operations: Sequence[Operation]) -> Sequence[Outcome]:
        """One outcome per operation, in order; batches of 200, and bulk jobs for very many field updates."""
        if not operations:
            return []
        kinds = {type(op) for op in operations}
        if len(kinds) > 1:
            raise ValueError("operations of one class at a time")
        _check_repeats(operations, self._destination.match_field)
        kind = kinds.pop()
        if kind is UpdateFields:
            return self._update_fields(cast("Sequence[UpdateFields]", operations))
        if kind is CreateRecord:
            maker = RecordMaker(self._client, self._destination.object, self._destination.match_field)
            return maker.create(cast("Sequence[CreateRecord]", operations))
        if self._destination.tasks is None:
            raise ValueError(f"{self.name}: tasks are not configured for this destination")
        tasks = TaskWriter(self._client, self._schema, self._destination.tasks.key_field)
        if kind is CreateTask:
            return tasks.create(cast("Sequence[CreateTask]", operations))
        if kind is UpdateTask:
            return tasks.update(cast("Sequence[UpdateTask]", operations))
        return tasks.close(cast("Sequence[CloseTask]", operations))

    def read_back(self, since: Cursor, fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        """Changed companies, opportunities and our tasks; values that this object wrote itself are left out."""
        return Reader(self._client, self._schema, self._destination).read(since, fields, tasks, self._known)

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> Sequence[OurTask]:
        """Tasks with such a key, archived and deleted ones included."""
        return our_tasks(self._client, self._destination, starts_with, newest)

    def field_writers(self, record_ids: Sequence[str], fields: Sequence[str]) -> FieldWriters:
        """Whether our user wrote each value, by the org's field history."""
        return field_writers(self._client, self._schema, self._destination, record_ids, fields)

    def deleted_records(self) -> Sequence[DeletedRecord]:
        """Records with an account id in the recycle bin, merged ones included."""
        return deleted_records(self._client, self._destination)

    def setup(self, needs: Sequence[FieldNeed], dry_run: bool) -> Sequence[SetupStep]:
        """Create the missing custom fields, or say what an admin must click."""
        return Setup(self._client, self._schema, self._destination).run(needs, dry_run)

    def record_url(self, record_id: str) -> str:
        """The page of the record; Salesforce redirects to Lightning."""
        return f"{self._destination.base_url.rstrip('/')}/{record_id}"

    def server_time(self) -> datetime | None:
        """By the newest answer to a call of ours."""
        return self._client.server_clock.now()

    def usage(self) -> Usage:
        """Calls so far; logins are not API calls."""
        return Usage(self._client.calls, self._client.write_calls)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _update_fields(self, operations: Sequence[UpdateFields]) -> Sequence[Outcome]:
        if self._bulk:
            outcomes = self._bulk.write(operations)
        else:
            outcomes = update_fields(self._client, operations, self._destination.object)
        specs = self._schema.seen(self._destination.object)
        for op, outcome in zip(operations, outcomes, strict=True) if self._known else ():
            if outcome.status == "applied" and op.record_id in self._known:
                values = {name: canonical(specs[name], value) for name, value in op.values.items() if name in specs}
                self._known[op.record_id][1].update(values)
        return outcomes

    def _problems(self) -> Iterable[str]:
        needed = [(self._destination.object, self._destination.match_field)]
        if self._destination.tasks:
            needed.append(("Task", self._destination.tasks.key_field))
        for owner, name in needed:
            spec = self._schema.fields(owner).get(name)
            if spec is None:
                yield f"{owner}.{name} is missing or hidden from this user; run: plgsync crm setup {self.name}"
            elif not spec.unique or name not in self._schema.external_ids(owner):
                yield f"{owner}.{name} must be both External ID and Unique"
            elif not spec.writable:
                yield f"{owner}.{name} is read-only for this user"


def _check_repeats(operations: Sequence[Operation], match_field: str) -> None:
    """Raise `ValueError` if a record appears twice: in one call it would be locked by itself or overwritten."""
    names = [_target(op, match_field) for op in operations]
    if len(set(names)) < len(names):
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"twice in one call: {', '.join(repeated[:5])}")


def _target(operation: Operation, match_field: str) -> str:
    if isinstance(operation, UpdateFields):
        return operation.record_id
    if isinstance(operation, CreateRecord):
        if not operation.values.get(match_field):
            raise ValueError(f"a record to create needs its {match_field}")
        return str(operation.values[match_field])
    return operation.key.lower() if isinstance(operation, CreateTask) else operation.task_id
