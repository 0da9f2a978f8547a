"""Salesforce as a `connectors.base.Connector`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, cast

from connectors.base import (
    CloseTask,
    Connector,
    CreateTask,
    Cursor,
    Destination,
    FieldNeed,
    FieldSpec,
    Health,
    Journal,
    Match,
    MatchKey,
    Operation,
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
from connectors.salesforce.client import Client
from connectors.salesforce.describe import Describes
from connectors.salesforce.errors import Forbidden, Refused
from connectors.salesforce.match import match
from connectors.salesforce.read_back import Reader
from connectors.salesforce.setup import Setup
from connectors.salesforce.tasks import TaskWriter
from connectors.salesforce.write import BATCH, update_fields


def connect(destination: Destination, journal: Journal | None = None) -> Connector:  # noqa: ARG001
    """A connector for one org; nothing is sent yet. Raises `ValueError` when a setting cannot work."""
    return SalesforceConnector(destination)


class SalesforceConnector:
    """One Salesforce org. See `connectors.base.Connector` for what each method promises."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._client = Client(destination)
        self._describes = Describes(self._client)
        self._known: dict[str, tuple[str | None, dict[str, Scalar]]] = {}

    @property
    def name(self) -> str:
        """The destination's name."""
        return self._destination.name

    def batch_size(self, operation: type[Operation], waiting: int) -> int:  # noqa: ARG002
        """Records one Collections call carries."""
        return BATCH

    def fewest_calls(self, operation: type[Operation], count: int) -> int:  # noqa: ARG002
        """Full Collections calls, whatever the operation."""
        return -(-count // BATCH)

    def check(self) -> Health:
        """Who we are, what is missing for our work, and what is left of the daily requests."""
        try:
            daily = self._client.read("GET", "limits")["DailyApiRequests"]
            left, limit = int(daily["Remaining"]), int(daily["Max"])
        except (Forbidden, Refused, KeyError):  # the call needs a permission of its own; the header does not
            left, limit = self._client.quota()  # type: ignore[assignment]
        me = self._client.read("GET", "/services/oauth2/userinfo")  # last: it does not say 401
        identity = f"{me.get('preferred_username') or me.get('user_id')} in org {me.get('organization_id')}"
        return Health(identity, left, limit, tuple(self._problems()))

    def describe(self, object: Literal["account", "task"]) -> Mapping[str, FieldSpec]:
        """Every field of the object this user can see."""
        return self._describes.fields(self._destination.object if object == "account" else "Task")

    def match(self, keys: Sequence[MatchKey], fields: Sequence[str]) -> Sequence[Match]:
        """One match per key, in order."""
        matches = match(self._client, self._describes, self._destination, keys, fields)
        for found in matches:
            if found.record_id:
                self._known[found.record_id] = found.owner_id, dict(found.values)
        return matches

    def people(self, emails: Sequence[str]) -> Sequence[Person]:
        raise NotImplementedError

    def owners(self) -> Sequence[Owner]:
        """Every user, inactive ones included; not the robots and portal guests."""
        rows = self._client.rows("SELECT Id, Email, Name, IsActive FROM User WHERE UserType = 'Standard'")
        return [Owner(row["Id"], row["Email"] or "", row["Name"] or "", bool(row["IsActive"])) for row in rows]

    def write(self, operations: Sequence[Operation]) -> Sequence[Outcome]:
        """One outcome per operation, in order; batches of 200."""
        if not operations:
            return []
        kinds = {type(op) for op in operations}
        if len(kinds) > 1:
            raise ValueError("operations of one class at a time")
        _refuse_repeats(operations)
        kind = kinds.pop()
        if kind is UpdateFields:
            return self._update_fields(cast("Sequence[UpdateFields]", operations))
        if self._destination.tasks is None:
            raise ValueError(f"{self.name}: tasks are not configured for this destination")
        tasks = TaskWriter(self._client, self._describes, self._destination.tasks.key_field)
        if kind is CreateTask:
            return tasks.create(cast("Sequence[CreateTask]", operations))
        if kind is UpdateTask:
            return tasks.update(cast("Sequence[UpdateTask]", operations))
        return tasks.close(cast("Sequence[CloseTask]", operations))

    def read_back(self, since: Cursor, fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        """Companies, opportunities and our tasks as they stand; what this object has just written is skipped."""
        return Reader(self._client, self._describes, self._destination).read(since, fields, tasks, self._known)

    def setup(self, needs: Sequence[FieldNeed], dry_run: bool) -> Sequence[SetupStep]:
        """Create the missing custom fields, or say what an admin must click."""
        return Setup(self._client, self._describes, self._destination).run(needs, dry_run)

    def record_url(self, record_id: str) -> str:
        """The record's page; Salesforce sends on to Lightning."""
        return f"{self._destination.base_url.rstrip('/')}/{record_id}"

    def usage(self) -> Usage:
        """Calls so far; logins are not API calls."""
        left, limit = self._client.quota()
        return Usage(self._client.calls, self._client.write_calls, self._client.refused, left, limit)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _update_fields(self, operations: Sequence[UpdateFields]) -> Sequence[Outcome]:
        outcomes = update_fields(self._client, operations, self._destination.object)
        specs = self._describes.seen(self._destination.object)
        for op, outcome in zip(operations, outcomes, strict=True):
            if outcome.status == "applied" and op.record_id in self._known:
                values = {name: canonical(specs[name], value) for name, value in op.values.items() if name in specs}
                self._known[op.record_id][1].update(values)
        return outcomes

    def _problems(self) -> Iterable[str]:
        needed = [(self._destination.object, self._destination.match_field)]
        if self._destination.tasks:
            needed.append(("Task", self._destination.tasks.key_field))
        for where, name in needed:
            spec = self._describes.fields(where).get(name)
            if spec is None:
                yield f"{where}.{name} is missing or hidden from this user; run the setup command"
            elif not spec.unique or name not in self._describes.external_ids(where):
                yield f"{where}.{name} must be both External ID and Unique"
            elif not spec.writable:
                yield f"{where}.{name} is read-only for this user"


def _refuse_repeats(operations: Sequence[Operation]) -> None:
    """A record twice in one call would be locked by, or overwrite, itself."""
    names = Counter(_target(op) for op in operations)
    repeated = sorted(name for name, count in names.items() if count > 1)
    if repeated:
        raise ValueError(f"twice in one call: {', '.join(repeated[:5])}")


def _target(operation: Operation) -> str:
    if isinstance(operation, UpdateFields):
        return operation.record_id
    return operation.key.lower() if isinstance(operation, CreateTask) else operation.task_id
