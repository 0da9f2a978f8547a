"""A connector whose answers are scripted and which keeps what it applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from connectors.base import (
    CallFailed,
    CreateTask,
    Cursor,
    DeletedRecord,
    FieldNeed,
    FieldSpec,
    FieldWriters,
    Health,
    Match,
    MatchKey,
    Operation,
    OurTask,
    Outcome,
    Owner,
    Person,
    ReadBack,
    SetupStep,
    UpdateFields,
    Usage,
)


def always(answer: str | CallFailed) -> Callable[[Operation], str | CallFailed]:
    """A script that gives every operation the same answer."""
    return lambda _operation: answer


@dataclass
class ScriptedConnector:
    """Applies operations to a dict the way a CRM with keyed tasks does; ``script`` decides each answer."""

    name: str = "crm"
    batch: int = 100
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, CreateTask] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    script: Callable[[Operation], str | CallFailed] = lambda _operation: "applied"

    def batch_size(self, operation: type[Operation], waiting: int) -> int:
        return self.batch

    def fewest_calls(self, operation: type[Operation], count: int) -> int:
        return -(-count // self.batch)

    def check(self) -> Health:
        raise NotImplementedError

    def describe(self, object: Literal["account", "task"]) -> Mapping[str, FieldSpec]:
        raise NotImplementedError

    def match(self, keys: Sequence[MatchKey], fields: Sequence[str]) -> Sequence[Match]:
        raise NotImplementedError

    def people(self, emails: Sequence[str]) -> Sequence[Person]:
        raise NotImplementedError

    def owners(self) -> Sequence[Owner]:
        raise NotImplementedError

    def read_back(self, since: Cursor, fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        raise NotImplementedError

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> Sequence[OurTask]:
        tasks = [self._our_task(key) for key in reversed(self.tasks) if key.startswith(starts_with)]
        return tasks[:newest]

    def _our_task(self, key: str) -> OurTask:
        made = self.tasks[key]
        return OurTask(
            key=key,
            task_id=self.record_id_of(made),
            record_ids=(made.record_id,),
            status="open",
            owner_id=made.owner_id,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    def field_writers(self, record_ids: Sequence[str], fields: Sequence[str]) -> FieldWriters:
        return {record_id: dict.fromkeys(fields, True) for record_id in record_ids if record_id in self.records}

    def deleted_records(self) -> Sequence[DeletedRecord]:
        return []

    def setup(self, needs: Sequence[FieldNeed], dry_run: bool) -> Sequence[SetupStep]:
        raise NotImplementedError

    def record_url(self, record_id: str) -> str:
        raise NotImplementedError

    def close(self) -> None: ...

    def server_time(self) -> None:
        return None

    def usage(self) -> Usage:
        return Usage(len(self.calls), len(self.calls))

    def write(self, operations: Sequence[Operation]) -> Sequence[Outcome]:
        self.calls.append([operation.key for operation in operations])
        outcomes = []
        for operation in operations:
            answer = self.script(operation)
            if isinstance(answer, CallFailed):
                raise answer
            if answer in {"applied", "applied_unheard"}:
                self._apply(operation)
            status = "unknown" if answer == "applied_unheard" else answer
            outcomes.append(Outcome(key=operation.key, status=status, record_id=self.record_id_of(operation)))  # type: ignore[arg-type]
        return outcomes[::-1]

    def record_id_of(self, operation: Operation) -> str:
        return f"T-{operation.key}"

    def _apply(self, operation: Operation) -> None:
        if isinstance(operation, UpdateFields):
            self.records.setdefault(operation.record_id, {}).update(operation.values)
        elif isinstance(operation, CreateTask):
            self.tasks.setdefault(operation.key, operation)
