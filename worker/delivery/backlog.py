"""Queries on the outbox: for the next plan, and for operators, who also retry and drop rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from worker.delivery.leases import possible_values
from worker.delivery.outbox import NO_OWNER, NO_RECORD, operation_key
from worker.delivery.row_state import AT_REST, StoredState
from worker.delivery.selection import EVERYTHING, Selection, row_state
from worker.delivery.task_context import TaskContext
from worker.store.engine import db_now
from worker.store.moments import iso
from worker.store.tables import outbox, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingTask:
    """A task that was decided before its account had a record; its ``context`` completes it once there is one."""

    id: int
    key: str
    account_id: str
    playbook_id: str
    payload: Mapping[str, Any]
    context: TaskContext
    rank: float


@dataclass(frozen=True, slots=True)
class DecidedTask:
    """A task that a run decided on, in any state, and the moment of that run; for the limits per person."""

    key: str
    playbook_id: str
    owner_id: str | None
    as_of: datetime


def tasks_decided_since(connection: Connection, destination: str, since: datetime) -> list[DecidedTask]:
    """The tasks that runs as of ``since`` or later decided to create."""
    rows = connection.execute(
        select(outbox.c.idem_key, outbox.c.playbook_id, outbox.c.payload, runs.c.as_of)
        .join(runs, runs.c.id == outbox.c.run_id)
        .where(
            outbox.c.destination == destination,
            outbox.c.kind == "task_create",
            runs.c.as_of >= iso(since),
        )
    )
    return [
        DecidedTask(operation_key(key), playbook_id, payload["owner_id"], datetime.fromisoformat(as_of))
        for key, playbook_id, payload, as_of in rows
    ]


def waiting_tasks(connection: Connection, destination: str) -> list[WaitingTask]:
    """Tasks that wait for the record of their account in this CRM, or for an owner."""
    rows = connection.execute(
        select(outbox)
        .where(
            outbox.c.destination == destination,
            outbox.c.state == StoredState.PARKED,
            outbox.c.last_code.in_([NO_RECORD, NO_OWNER]),
        )
        .order_by(outbox.c.id)
    ).mappings()
    return [
        WaitingTask(
            id=row["id"],
            key=operation_key(row["idem_key"]),
            account_id=row["account_id"],
            playbook_id=row["playbook_id"],
            payload=row["payload"],
            context=TaskContext.from_json(row["context"]),
            rank=row["rank"],
        )
        for row in rows
    ]


def parked_fields(connection: Connection, destination: str) -> dict[str, dict[str, Any]]:
    """Record id → the values the CRM rejected for it; they are not sent again until they change."""
    rows = connection.execute(
        select(outbox.c.record_id, outbox.c.payload).where(
            outbox.c.destination == destination,
            outbox.c.kind == "fields",
            outbox.c.state.in_([StoredState.PARKED, StoredState.DEAD, StoredState.DROPPED]),
        )
    )
    return {record_id: dict(payload["values"]) for record_id, payload in rows}


def closing_keys(connection: Connection, destination: str) -> frozenset[str]:
    """Keys of the tasks whose closing was queued before, in any state."""
    rows = connection.execute(
        select(outbox.c.idem_key).where(outbox.c.destination == destination, outbox.c.kind == "task_close")
    )
    return frozenset(operation_key(key) for (key,) in rows)


def unsettled_records(connection: Connection, destination: str) -> frozenset[str]:
    """Records whose fields row still waits, is parked or dead."""
    rows = connection.execute(
        select(outbox.c.record_id).where(
            outbox.c.destination == destination,
            outbox.c.kind == "fields",
            outbox.c.state.in_(AT_REST),
        )
    )
    return frozenset(record_id for (record_id,) in rows)


def attempted_fields(connection: Connection, destination: str) -> dict[str, dict[str, list[Any]]]:
    """Record id → the values that were sent without an answer: the CRM may hold any of them."""
    rows = connection.execute(
        select(outbox.c.record_id, outbox.c.attempted).where(
            outbox.c.destination == destination, outbox.c.kind == "fields", outbox.c.attempted.is_not(None)
        )
    )
    return {
        record_id: {name: possible_values(value) for name, value in attempted["values"].items()}
        for record_id, attempted in rows
        if record_id
    }


def waiting_rows(connection: Connection, selection: Selection = EVERYTHING) -> Sequence[Mapping[str, Any]]:
    """The rows of a selection, neither delivered nor dropped, oldest first, with `RowState` and the CRM's words."""
    rows = connection.execute(
        select(outbox, (outbox.c.due_at - db_now()).label("due_in"), row_state().label("row_state"))
        .where(*selection.conditions())
        .order_by(outbox.c.id)
    )
    return [dict(row) for row in rows.mappings()]


def existing_rows(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the row numbers that the outbox holds, in any state."""
    return set(connection.execute(select(outbox.c.id).where(outbox.c.id.in_(ids))).scalars())


def retry_rows(connection: Connection, ids: Sequence[int]) -> int:
    """Make parked and dead rows due now; answers how many."""
    done = connection.execute(
        update(outbox)
        .where(
            outbox.c.id.in_(ids),
            outbox.c.state.in_([StoredState.PARKED, StoredState.DEAD]),
            outbox.c.last_code != NO_RECORD,
        )
        .values(state=StoredState.PENDING, due_at=db_now(), claims=0, attempts=0)
    )
    return int(done.rowcount)


def drop_rows(connection: Connection, ids: Sequence[int]) -> int:
    """Drop rows that wait, are parked or dead; answers how many. A row that is being sent stays."""
    at_rest = outbox.c.state.in_(AT_REST)
    its_worker_died = (outbox.c.state == StoredState.LEASED) & (outbox.c.due_at <= db_now())
    done = connection.execute(
        update(outbox)
        .where(outbox.c.id.in_(ids), at_rest | its_worker_died)
        .values(
            state=StoredState.DROPPED,
            due_at=db_now(),  # retention counts from here
            lease_token=None,
            last_code="DROPPED",
            last_reason="dropped by an operator",
        )
    )
    return int(done.rowcount)
