"""The outbox: every intended write, stored once per key until the CRM has answered for it.

CRM tasks are edge-triggered: a row is inserted once and never again. Fields are level-triggered: one row per record,
whose payload newer values replace. Its ``version`` then rises, so that the answer to an older payload does not mark
the newer one as done. ``attempted`` keeps what the CRM may already hold: every value sent since its last answer.

`worker.delivery.leases` describes what happens to a row when it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Executable, case, select, update

from worker.delivery.payload import payload_hash
from worker.delivery.row_state import AT_REST, StoredState
from worker.delivery.task_context import REASONS, TaskContext
from worker.store.engine import database_time, db_now
from worker.store.tables import crm_tasks, outbox
from worker.store.upsert import insert_into

NO_RECORD = "NO_RECORD"
NO_OWNER = "NO_OWNER"
WITHDRAWN = "WITHDRAWN"
_OF_A_NEW_TASK = (
    "record_id",
    "payload",
    "payload_hash",
    "context",
    "state",
    "last_code",
    "last_reason",
    "rank",
    "due_at",
    "run_id",
    "attempts",
    "claims",
)
_KEYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task operation to queue. With ``record_id`` None it waits until the account is matched.

    ``no_owner`` says why it waits for an owner.
    """

    destination: str
    kind: str
    key: str
    account_id: str
    record_id: str | None
    playbook_id: str
    payload: Mapping[str, Any]
    rank: float
    context: TaskContext = field(default_factory=TaskContext)
    no_owner: str = ""

    def first_state(self) -> dict[str, str]:
        """Due at once, or parked until the account has a record or the task an owner."""
        if self.record_id is None:
            return _parked(NO_RECORD, "no record of this account is matched in this CRM yet")
        return _parked(NO_OWNER, self.no_owner) if self.no_owner else {"state": StoredState.PENDING}


def _parked(code: str, reason: str) -> dict[str, str]:
    return {"state": StoredState.PARKED, "last_code": code, "last_reason": reason}


@dataclass(frozen=True, slots=True)
class NewFields:
    """The fields that one record should get; without values, the row that was queued before is withdrawn."""

    destination: str
    account_id: str
    record_id: str
    object: str
    values: Mapping[str, Any]
    reasons: Mapping[str, Any] = field(default_factory=dict)


def operation_key(idem_key: str) -> str:
    """The operation's own key inside an outbox key ``kind:destination:key``."""
    return idem_key.split(":", 2)[2]


def fields_key(destination: str, record_id: str) -> str:
    """The outbox key of a record's fields: one row per record."""
    return f"fields:{destination}:{record_id}"


def queue_tasks(connection: Connection, tasks: Iterable[NewTask], run_id: str) -> None:
    """Queue each task operation once for ever; a key that is known already changes nothing.

    But a task that was withdrawn before it was sent is queued again: its account has entered again on the same day. The
    row of a task that was made may be gone by now (`worker.store.retention`); then the task itself is known.
    """
    at = database_time(connection)
    tasks = sorted(tasks, key=lambda task: (task.kind, task.destination, task.key))
    made = _made(connection, [task.key for task in tasks if task.kind == "task_create"])
    rows = [
        {
            "destination": task.destination,
            "kind": task.kind,
            "idem_key": f"{task.kind}:{task.destination}:{task.key}",
            "account_id": task.account_id,
            "record_id": task.record_id,
            "playbook_id": task.playbook_id,
            "payload": dict(task.payload),
            "payload_hash": payload_hash(task.payload),
            "context": task.context.to_json(),
            "last_code": "",
            "last_reason": "",
            **task.first_state(),
            "rank": task.rank,
            "attempts": 0,
            "claims": 0,
            "due_at": at,
            "run_id": run_id,
            "created_at": at,
        }
        for task in tasks
        if task.kind != "task_create" or (task.destination, task.key) not in made
    ]
    if rows:
        connection.execute(_unless_known(connection), rows)


def _unless_known(connection: Connection) -> Executable:
    """Insert a row, or take the place of a task that was withdrawn and never sent."""
    fresh = insert_into(connection, outbox)
    taken = {name: fresh.excluded[name] for name in _OF_A_NEW_TASK}
    withdrawn = (
        (outbox.c.state == StoredState.DROPPED) & (outbox.c.last_code == WITHDRAWN) & outbox.c.attempted.is_(None)
    )
    return fresh.on_conflict_do_update(index_elements=["idem_key"], set_=taken, where=withdrawn)


def _made(connection: Connection, keys: Sequence[str]) -> set[tuple[str, str]]:
    """By destination and key, which of these tasks are in a CRM already."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        known = crm_tasks.c.key.in_(keys[start : start + _KEYS_AT_ONCE])
        rows = connection.execute(select(crm_tasks.c.destination, crm_tasks.c.key).where(known))
        found |= {(destination, key) for destination, key in rows}
    return found


def queue_fields(connection: Connection, changes: Iterable[NewFields], run_id: str) -> None:
    """Queue the newest values of each record; the payload that is queued already changes nothing, also when parked."""
    at = database_time(connection)
    rows = []
    for change in sorted(changes, key=lambda change: (change.destination, change.record_id)):
        if change.values:
            rows.append(_fields_row(change, run_id, at))
        else:
            _withdraw(connection, fields_key(change.destination, change.record_id))
    if rows:
        connection.execute(newest_wins(connection), rows)


def _fields_row(change: NewFields, run_id: str, at: float) -> dict[str, Any]:
    payload = {"object": change.object, "values": dict(change.values)}
    return {
        "destination": change.destination,
        "kind": "fields",
        "idem_key": fields_key(change.destination, change.record_id),
        "account_id": change.account_id,
        "record_id": change.record_id,
        "payload": payload,
        "payload_hash": payload_hash(payload),
        "context": {REASONS: dict(change.reasons)},
        "state": StoredState.PENDING,
        "due_at": at,
        "run_id": run_id,
        "created_at": at,
    }


def newest_wins(connection: Connection, *, once: bool = False) -> Executable:
    """Insert a row, or replace the payload of the existing one; a row in flight keeps its lease.

    The same payload changes nothing unless it was sent before; with ``once`` a row that is done or dropped stays so.
    """
    fresh = insert_into(connection, outbox)
    in_flight = outbox.c.state == StoredState.LEASED
    moved = {
        "account_id": fresh.excluded.account_id,
        "payload": fresh.excluded.payload,
        "payload_hash": fresh.excluded.payload_hash,
        "context": fresh.excluded.context,
        "version": outbox.c.version + 1,
        "state": case((in_flight, StoredState.LEASED), else_=StoredState.PENDING),
        "due_at": case((in_flight, outbox.c.due_at), else_=fresh.excluded.due_at),
        "attempts": 0,
        "claims": 0,
        "run_id": fresh.excluded.run_id,
    }
    differs, done = outbox.c.payload_hash != fresh.excluded.payload_hash, outbox.c.state == StoredState.DONE
    changes = differs & ~done & (outbox.c.state != StoredState.DROPPED) if once else differs | done
    return fresh.on_conflict_do_update(index_elements=["idem_key"], set_=moved, where=changes)


def _withdraw(connection: Connection, key: str) -> None:
    """The record needs no change any more: its row is not sent."""
    connection.execute(
        update(outbox)
        .where(outbox.c.idem_key == key, outbox.c.state.in_(AT_REST))
        .values(state=StoredState.DONE, due_at=db_now(), last_code="", last_reason="")
    )


def withdraw_tasks(connection: Connection, why: Callable[[str, str], str]) -> None:
    """Drop tasks that were never sent and that no playbook wants any more.

    ``why`` answers, for a playbook and an account, the reason to drop; an empty text keeps the task. Retention counts
    from ``due_at``, which becomes the present moment.
    """
    unsent = (
        outbox.c.kind == "task_create",
        outbox.c.state.in_([StoredState.PENDING, StoredState.PARKED]),
        outbox.c.attempted.is_(None),
    )
    columns = (outbox.c.id, outbox.c.playbook_id, outbox.c.account_id)
    rows = connection.execute(select(*columns).where(*unsent).order_by(outbox.c.id)).all()
    for row_id, playbook_id, account_id in rows:
        if reason := why(playbook_id, account_id):
            connection.execute(
                update(outbox)
                .where(outbox.c.id == row_id, *unsent)
                .values(state=StoredState.DROPPED, due_at=db_now(), last_code=WITHDRAWN, last_reason=reason)
            )


def attach_record(
    connection: Connection, row_id: int, record_id: str, payload: Mapping[str, Any], no_owner: str = ""
) -> None:
    """Give a task that waited its record and a payload with the owner; ``no_owner`` keeps it parked."""
    due = {"state": StoredState.PENDING, "last_code": "", "last_reason": ""}
    state = _parked(NO_OWNER, no_owner) if no_owner else due
    connection.execute(
        update(outbox)
        .where(
            outbox.c.id == row_id, outbox.c.state == StoredState.PARKED, outbox.c.last_code.in_([NO_RECORD, NO_OWNER])
        )
        .values(
            record_id=record_id,
            payload=dict(payload),
            payload_hash=payload_hash(payload),
            due_at=db_now(),
            **state,
        )
    )
