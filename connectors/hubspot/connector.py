"""One HubSpot portal as a `connectors.base.Connector`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog

from connectors.base import (
    AccessDenied,
    Budget,
    CallFailed,
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
    SetupStep,
    UpdateFields,
    UpdateTask,
    Usage,
)
from connectors.clock import unix_time
from connectors.hubspot import (
    adoption,
    batch,
    fallbacks,
    field_writers,
    match,
    owners,
    people,
    read_back,
    setup,
    task_keys,
    tasks,
    write,
)
from connectors.hubspot.client import Client, TokenRejected
from connectors.hubspot.describe import TASKS, Schema
from connectors.hubspot.portal import Portal, read_portal
from connectors.hubspot.task_making import TaskMaker
from connectors.hubspot.transport import Transport

log = structlog.get_logger(__name__)

COMPANY_TYPE = "0-2"
PORTAL = "portal"
"""In the journal: the web address of the portal's records, so that links need no call."""
ZONE = "zone"
"""In the journal: the portal's time zone, so that a process that only writes knows when the portal's day ends."""


class HubSpotConnector:
    """Companies and tasks of one portal. Nothing is sent before the first call."""

    def __init__(
        self,
        destination: Destination,
        transport: Transport | None = None,
        journal: Journal | None = None,
        clock: Callable[[], float] = unix_time,
        budget: Budget | None = None,
    ) -> None:
        for fallback in destination.fallbacks:
            fallbacks.check(destination.object, fallback.field)
        self._destination = destination
        self._journal = journal
        self._client = Client(destination, transport, budget=budget, load_zone=partial(self._load, ZONE))
        self._schema = Schema(self._client)
        self._cooldown = task_keys.LostAnswerCooldown(journal, clock)
        self._portal: Portal | None = None
        self._task_key: task_keys.TaskKey | None = None

    @property
    def name(self) -> str:
        return self._destination.name

    def batch_size(self, operation: type[Operation], waiting: int) -> int:  # noqa: ARG002
        return batch.SIZE

    def fewest_calls(self, operation: type[Operation], count: int) -> int:
        if operation is CreateTask and self._task_key is not None and self._task_key.mode != "unique":
            return -(-count // batch.SIZE) if self._task_key.mode == "looked_for" else count
        calls = 2 if operation is CreateTask else 1  # tasks are created, then associated with their companies
        return -(-count // batch.SIZE) * calls

    def check(self) -> Health:
        self._portal = None
        portal = self._read_portal()
        problems = [problem for probe in self._probes() if (problem := _problem(probe))]
        notes = [note] if (note := self._task_promise()) else []
        name = f"HubSpot portal {portal.id}"
        return Health(name, portal.daily_left, portal.daily_limit, tuple(problems), tuple(notes))

    def describe(self, object: ObjectKind) -> Mapping[str, FieldSpec]:
        zone = self._read_portal().zone.key
        fields = self._schema.fields(TASKS if object == "task" else self._destination.object)
        return {name: replace(spec, zone=zone) for name, spec in fields.items()}

    def match(self, keys: Sequence[MatchKey], fields: Sequence[str]) -> Sequence[Match]:
        return match.match(self._client, self._schema, self._destination, keys, fields)

    def people(self, emails: Sequence[str]) -> Sequence[Person]:
        return people.people(self._client, self._destination.object, emails)

    def owners(self) -> Sequence[Owner]:
        return owners.owners(self._client)

    def write(self, operations: Sequence[Operation]) -> Sequence[Outcome]:
        _check_operations(self._destination, operations)
        outcomes: dict[str, Outcome] = {}
        for part in batch.chunks(operations):
            try:
                outcomes |= self._write(part)
            except CallFailed as failed:
                if not outcomes:
                    raise
                log.warning("hubspot write stopped early", answered=len(outcomes), problem=type(failed).__name__)
                break
        if any(outcome.code == "PROPERTY_DOESNT_EXIST" for outcome in outcomes.values()):
            self._schema.forget()
        return [outcomes.get(one.key) or batch.not_sent(one.key) for one in operations]

    def read_back(self, since: Cursor, fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        return read_back.read_back(self._client, self._schema, self._destination, since, fields, tasks)

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> Sequence[OurTask]:
        return adoption.our_tasks(self._client, self._schema, self._destination, starts_with, newest)

    def field_writers(self, record_ids: Sequence[str], fields: Sequence[str]) -> FieldWriters:
        return field_writers.field_writers(self._client, self._schema, self._destination, record_ids, fields)

    def deleted_records(self) -> Sequence[DeletedRecord]:
        return adoption.deleted_records(self._client, self._destination)

    def setup(self, needs: Sequence[FieldNeed], dry_run: bool) -> Sequence[SetupStep]:
        return setup.setup(self._client, self._schema, self._destination, needs, dry_run)

    def record_url(self, record_id: str) -> str:
        stored = self._load(PORTAL) if self._portal is None else None
        return f"{stored or self._read_portal().home}/record/{COMPANY_TYPE}/{record_id}"

    def server_time(self) -> datetime | None:
        return self._client.server_clock.now()

    def usage(self) -> Usage:
        return self._client.usage()

    def close(self) -> None:
        self._client.close()

    def _write(self, operations: Sequence[Operation]) -> dict[str, Outcome]:
        # One call carries one class of operations (base.Connector.write); mypy sees each list narrowed.
        fields = [one for one in operations if isinstance(one, UpdateFields)]
        if fields:
            return write.update_fields(self._client, self._destination, fields)
        records = [one for one in operations if isinstance(one, CreateRecord)]
        if records:
            return write.create_records(self._client, self._schema, self._destination, records)
        try:
            self._task_key = task_keys.task_key(self._destination, self._schema)
            return self._write_tasks(operations, self._task_key)
        except task_keys.NoTaskKey as problem:
            return {
                one.key: Outcome(key=one.key, status="rejected", code="NO_TASK_KEY", reason=str(problem))
                for one in operations
            }

    def _write_tasks(self, operations: Sequence[Operation], task_key: task_keys.TaskKey) -> dict[str, Outcome]:
        created = [one for one in operations if isinstance(one, CreateTask)]
        if created:
            maker = TaskMaker(self._client, self._destination, task_key, self._cooldown, self._read_portal())
            return maker.make(created)
        updated = [one for one in operations if isinstance(one, UpdateTask)]
        if updated:
            return tasks.update_tasks(self._client, updated, task_key.property)
        return tasks.close_tasks(
            self._client, [one for one in operations if isinstance(one, CloseTask)], task_key.property
        )

    def _read_portal(self) -> Portal:
        if self._portal is None:
            self._portal = read_portal(self._client)
            self._store(PORTAL, self._portal.home)
            if self._client.zone_known:
                self._store(ZONE, self._portal.zone.key)
        return self._portal

    def _load(self, name: str) -> str | None:
        return None if self._journal is None else self._journal.read(name)

    def _store(self, name: str, text: str) -> None:
        if self._journal is not None and self._journal.read(name) != text:
            self._journal.write(name, text)

    def _probes(self) -> list[Callable[[], str | None]]:
        reads = [f"{self._client.paths.objects}/{name}" for name in (self._destination.object, TASKS, read_back.DEALS)]
        return [
            *(partial(self._unreadable, path) for path in (*reads, self._client.paths.owners)),
            self._match_field_problem,
            self._key_field_problem,
        ]

    def _unreadable(self, path: str) -> str | None:
        answer = self._client.read("GET", path, None, {"limit": "1"})
        return None if answer.ok else f"HubSpot answered {answer.status} to GET {path}"

    def _match_field_problem(self) -> str | None:
        spec = self._schema.unique(self._destination.object, self._destination.match_field)
        if spec is None:
            return f"{self._destination.object} have no property {self._destination.match_field}: run plgsync crm setup"
        if not spec.unique:
            return f"{self._destination.object}.{spec.name} is not unique: accounts are found by search only"
        return None

    def _task_promise(self) -> str:
        if self._destination.tasks is None:
            return ""
        try:
            return task_keys.promise(self._destination, task_keys.task_key(self._destination, self._schema).mode)
        except (task_keys.NoTaskKey, AccessDenied):  # reported as a problem
            return ""

    def _key_field_problem(self) -> str | None:
        try:
            if self._destination.tasks is not None:
                task_keys.task_key(self._destination, self._schema)
        except task_keys.NoTaskKey as problem:
            return str(problem)
        return None


def connect(destination: Destination, journal: Journal | None = None, budget: Budget | None = None) -> Connector:
    """A connector for one portal. Raises `ValueError` when ``auth`` or ``api_version`` cannot work.

    ``auth``: ``method: token`` and a secret ``token`` (service key or private app); or ``method: oauth`` and
    ``client_id``, ``client_secret`` and ``refresh_token`` (`connectors.hubspot.auth`).
    """
    return HubSpotConnector(destination, journal=journal, budget=budget)


def _check_operations(destination: Destination, operations: Sequence[Operation]) -> None:
    if len({type(one) for one in operations}) > 1:
        raise ValueError("one call takes operations of one class")
    about_records = [one for one in operations if isinstance(one, UpdateFields | CreateRecord)]
    other = {one.object for one in about_records} - {"account", destination.object}
    if other:
        raise ValueError(f"fields are written to {destination.object} only, not to {', '.join(sorted(other))}")
    if len({one.key for one in operations}) < len(operations):
        raise ValueError("an operation key appears twice in one call")
    records = [_record(destination, one) for one in operations if not isinstance(one, CreateTask)]
    if len(set(records)) < len(records):
        raise ValueError("a record appears twice in one call")


def _record(destination: Destination, operation: UpdateFields | CreateRecord | UpdateTask | CloseTask) -> object:
    if isinstance(operation, CreateRecord):
        return operation.values.get(destination.match_field) or operation.key
    return operation.record_id if isinstance(operation, UpdateFields) else operation.task_id


def _problem(probe: Callable[[], str | None]) -> str | None:
    """The problem that a probe found; missing access is one too."""
    try:
        return probe()
    except TokenRejected:
        raise
    except AccessDenied as denied:
        return str(denied)
