"""The outbox: every intended write, durable, once per key, until the CRM has answered for it.

CRM tasks are edge-triggered: their rows are inserted once and never again. Fields are level-triggered:
one row per record, whose payload is replaced by newer values and whose ``version`` then moves, so that
the answer to an older payload cannot mark the newer one as done. ``attempted`` keeps what may already
be in the CRM without our knowing: everything that was sent since the CRM last answered for it.

A row is leased before it is sent. ``due_at`` is the next attempt or the end of the lease, on the
database's clock; every answer is written only under the lease's own token, so a worker that wakes up
late changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Executable, case, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from worker.delivery.payload import payload_hash
from worker.settings.environment import lease_s
from worker.store.engine import database_time, db_now
from worker.store.ledger import record_effects
from worker.store.tables import outbox
from worker.store.upsert import insert_missing

CRASHES_BEFORE_ALONE = 3
CRASHES_BEFORE_DEAD = 8
NO_RECORD = "NO_RECORD"
REASONS = "reasons"
"""Where a row's ``context`` keeps why it was queued."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task operation to queue. ``record_id`` None waits until the account is matched."""

    destination: str
    kind: str
    key: str
    account_id: str
    record_id: str | None
    playbook_id: str
    payload: Mapping[str, Any]
    rank: float
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewFields:
    """The fields one record should get; an empty payload withdraws what was queued before."""

    destination: str
    account_id: str
    record_id: str
    object: str
    values: Mapping[str, Any]
    reasons: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One leased outbox row; ``key`` is the operation's own key, the last part of ``kind:destination:key``.

    ``attempted`` is what may have been in the CRM without our knowing before this lease.
    """

    id: int
    destination: str
    kind: str
    idem_key: str
    account_id: str
    record_id: str | None
    playbook_id: str
    payload: Mapping[str, Any]
    context: Mapping[str, Any]
    version: int
    attempts: int
    run_id: str
    attempted: Mapping[str, Any] | None
    lease_token: str

    @property
    def key(self) -> str:
        return operation_key(self.idem_key)


def operation_key(idem_key: str) -> str:
    """The operation's own key inside an outbox key ``kind:destination:key``."""
    return idem_key.split(":", 2)[2]


def fields_key(destination: str, record_id: str) -> str:
    """The outbox key of a record's fields: one row per record, whatever is queued."""
    return f"fields:{destination}:{record_id}"


def queue_tasks(connection: Connection, tasks: Iterable[NewTask], run_id: str) -> None:
    """Queue each task operation once for ever; a key that is known already changes nothing."""
    at = database_time(connection)
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
            "context": dict(task.context),
            "state": "pending" if task.record_id else "parked",
            "last_code": "" if task.record_id else NO_RECORD,
            "last_reason": "" if task.record_id else "no record of this account is matched in this CRM yet",
            "rank": task.rank,
            "due_at": at,
            "run_id": run_id,
            "created_at": at,
        }
        for task in tasks
    ]
    insert_missing(connection, outbox, rows, unique="idem_key")


def queue_fields(connection: Connection, changes: Iterable[NewFields], run_id: str) -> None:
    """Queue the newest values of each record; the same payload again changes nothing, parked or not."""
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
        "state": "pending",
        "due_at": at,
        "run_id": run_id,
        "created_at": at,
    }


def newest_wins(connection: Connection, *, once: bool = False) -> Executable:
    """Insert a row, or give the row that is there the newer payload; one in flight keeps its lease.

    The same payload changes nothing unless it was sent before; with ``once`` a row that is done or dropped stays so.
    """
    fresh = (postgres_insert if connection.dialect.name == "postgresql" else sqlite_insert)(outbox)
    in_flight = outbox.c.state == "leased"
    moved = {
        "account_id": fresh.excluded.account_id,
        "payload": fresh.excluded.payload,
        "payload_hash": fresh.excluded.payload_hash,
        "context": fresh.excluded.context,
        "version": outbox.c.version + 1,
        "state": case((in_flight, "leased"), else_="pending"),
        "due_at": case((in_flight, outbox.c.due_at), else_=fresh.excluded.due_at),
        "attempts": 0,
        "claims": 0,
        "run_id": fresh.excluded.run_id,
    }
    differs, done = outbox.c.payload_hash != fresh.excluded.payload_hash, outbox.c.state == "done"
    changes = differs & ~done & (outbox.c.state != "dropped") if once else differs | done
    return fresh.on_conflict_do_update(index_elements=["idem_key"], set_=moved, where=changes)


def _withdraw(connection: Connection, key: str) -> None:
    """Nothing differs any more: what waits for this record is not sent."""
    connection.execute(
        update(outbox)
        .where(outbox.c.idem_key == key, outbox.c.state.in_(["pending", "parked", "dead"]))
        .values(state="done", last_code="", last_reason="")
    )


def withdraw_tasks(connection: Connection, why: Callable[[str, str], str]) -> None:
    """Drop the tasks that were never sent and are not wanted any more, instead of delivering them late.

    ``why`` says for a playbook and an account what has ended; an empty text keeps the task.
    """
    unsent = (
        outbox.c.kind == "task_create",
        outbox.c.state.in_(["pending", "parked"]),
        outbox.c.attempted.is_(None),
    )
    columns = (outbox.c.id, outbox.c.playbook_id, outbox.c.account_id)
    rows = connection.execute(select(*columns).where(*unsent).order_by(outbox.c.id)).all()
    for row_id, playbook_id, account_id in rows:
        if reason := why(playbook_id, account_id):
            connection.execute(
                update(outbox)
                .where(outbox.c.id == row_id, *unsent)
                .values(state="dropped", last_code="WITHDRAWN", last_reason=reason)
            )


def attach_record(connection: Connection, row_id: int, record_id: str, payload: Mapping[str, Any]) -> None:
    """Give a task that waited for a match the record its account has now, and the owner that follows from it."""
    connection.execute(
        update(outbox)
        .where(outbox.c.id == row_id, outbox.c.state == "parked", outbox.c.last_code == NO_RECORD)
        .values(
            record_id=record_id,
            payload=dict(payload),
            payload_hash=payload_hash(payload),
            state="pending",
            due_at=db_now(),
            last_code="",
            last_reason="",
        )
    )


def claim(engine: Engine, destination: str, kind: str, limit: int, *, owner: str = "") -> list[Entry]:
    """Lease up to ``limit`` due rows of one kind, the highest rank first, then the oldest.

    A row that was claimed `CRASHES_BEFORE_ALONE` times without an answer is suspected of killing its
    worker and is leased alone; after `CRASHES_BEFORE_DEAD` claims it is dead and a person looks at it.
    """
    with engine.begin() as connection:
        _bury_crashers(connection, destination)
        token = f"{owner}{secrets.token_hex(12)}"
        for suspects in (False, True):
            rows = _lease(connection, destination, kind, 1 if suspects else limit, token, suspects)
            if rows:
                return rows
    return []


def count_due(engine: Engine, destination: str, kind: str) -> int:
    """How many rows of one kind are due now."""
    with engine.begin() as connection:
        due = select(func.count()).where(
            outbox.c.destination == destination,
            outbox.c.kind == kind,
            outbox.c.state.in_(["pending", "leased"]),
            outbox.c.due_at <= db_now(),
        )
        return int(connection.execute(due).scalar_one())


def _bury_crashers(connection: Connection, destination: str) -> None:
    """Rows that kill their workers are dead; what became of them in the CRM stays unknown, and is said so."""
    reason = f"sent {CRASHES_BEFORE_DEAD} times, and each time the worker died before the answer"
    buried = connection.execute(
        update(outbox)
        .where(
            outbox.c.destination == destination,
            outbox.c.state.in_(["pending", "leased"]),
            outbox.c.due_at <= db_now(),
            outbox.c.claims >= CRASHES_BEFORE_DEAD,
        )
        .values(
            state="dead",
            lease_token=None,
            last_code="CRASHED",
            last_reason=reason,
        )
        .returning(*(outbox.c[name] for name in Entry.__dataclass_fields__))
    ).mappings()
    record_effects(connection, [effect_of(Entry(**row), "unknown", "CRASHED", reason) for row in buried.all()])


def effect_of(entry: Entry, status: str, code: str, reason: str, crm_id: str | None = None) -> dict[str, Any]:
    """The ledger's line of one effect: who wanted what and why, and what the CRM answered."""
    return {
        "run_id": entry.run_id,
        "destination": entry.destination,
        "kind": entry.kind,
        "idem_key": entry.idem_key,
        "account_id": entry.account_id,
        "record_id": crm_id if entry.kind == "record_create" else entry.record_id,
        "playbook_id": entry.playbook_id,
        "operation": dict(entry.payload),
        "reasons": dict(entry.context.get(REASONS, {})),
        "crm_id": crm_id,
        "status": status,
        "code": code,
        "reason": reason,
    }


def _lease(connection: Connection, destination: str, kind: str, limit: int, token: str, suspects: bool) -> list[Entry]:
    suspected = outbox.c.claims >= CRASHES_BEFORE_ALONE
    due = (
        select(*(outbox.c[name] for name in Entry.__dataclass_fields__))
        .where(
            outbox.c.destination == destination,
            outbox.c.kind == kind,
            outbox.c.state.in_(["pending", "leased"]),
            outbox.c.due_at <= db_now(),
            suspected if suspects else ~suspected,
        )
        .order_by(outbox.c.rank.desc(), outbox.c.due_at, outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(due).mappings().all()
    entries = sorted((Entry(**{**row, "lease_token": token}) for row in rows), key=lambda entry: entry.id)
    leased = update(outbox).values(
        state="leased", lease_token=token, due_at=db_now() + lease_s(), claims=outbox.c.claims + 1
    )
    first, again = _by_attempt(entries)
    if first:
        connection.execute(leased.where(outbox.c.id.in_(first)).values(attempted=outbox.c.payload))
    for entry in again:
        connection.execute(leased.where(outbox.c.id == entry.id).values(attempted=_all_attempted(entry)))
    return entries


def _by_attempt(entries: Iterable[Entry]) -> tuple[list[int], list[Entry]]:
    """Ids of the rows of which nothing is in doubt, and the rows of which something was sent without an answer."""
    first, again = [], []
    for entry in entries:
        if entry.attempted is None:
            first.append(entry.id)
        else:
            again.append(entry)
    return first, again


def _all_attempted(entry: Entry) -> dict[str, Any]:
    """What is in doubt once this row is sent too: for fields, every value of every payload since the last answer."""
    if entry.kind != "fields" or entry.attempted is None:
        return dict(entry.payload)
    values: dict[str, Any] = dict(entry.attempted["values"])
    for name, value in entry.payload["values"].items():
        before = possible_values(values[name]) if name in values else []
        values[name] = before if value in before else [*before, value]
    return {**entry.payload, "values": values}


def possible_values(attempted: Any) -> list[Any]:
    """The values a field in doubt may hold: one, as it was sent, or a list of them."""
    return attempted if isinstance(attempted, list) else [attempted]


def give_back_leases(engine: Engine, owner: str) -> int:
    """End the leases of a dead owner at once; only for an owner that is known to be alone (the run lock)."""
    with engine.begin() as connection:
        freed = connection.execute(
            update(outbox)
            .where(outbox.c.state == "leased", outbox.c.lease_token.startswith(owner, autoescape=True))
            .values(state="pending", lease_token=None, due_at=db_now())
        )
    return int(freed.rowcount)


def seconds_to_next(engine: Engine, destination: str) -> float | None:
    """Seconds until a row of this destination is due (0 when one is), or None when nothing waits."""
    with engine.begin() as connection:
        due = connection.execute(
            select(func.min(outbox.c.due_at) - db_now()).where(
                outbox.c.destination == destination, outbox.c.state.in_(["pending", "leased"])
            )
        ).scalar()
    return None if due is None else max(0.0, float(due))
