"""Leases on due outbox rows: one worker sends a row at a time, and the row keeps what may be in the CRM.

A worker leases a row before it sends it. ``due_at`` is the next attempt or the end of the lease, on the database's
clock. An answer is stored only under the token of its lease, so a worker that wakes up late changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update

from worker.delivery.outbox import operation_key
from worker.delivery.row_state import TO_SEND, StoredState
from worker.delivery.task_context import REASONS
from worker.settings.environment import lease_s
from worker.store.engine import db_now
from worker.store.ledger import record_effects
from worker.store.tables import outbox

CRASHES_BEFORE_ALONE = 3
CRASHES_BEFORE_DEAD = 8
LEASE_ENDED = "LEASE_ENDED"
"""The ledger's code of values that were sent under a lease that ended without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One leased outbox row; ``key`` is the operation's own key, the last part of ``kind:destination:key``.

    ``attempted`` are the values sent before this lease without an answer; the CRM may hold them.
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


def claim(engine: Engine, destination: str, kind: str, limit: int, *, owner: str = "") -> list[Entry]:
    """Lease up to ``limit`` due rows of one kind, the highest rank first, then the oldest.

    A row that was claimed `CRASHES_BEFORE_ALONE` times without an answer may be what kills its worker: it is leased
    alone. After `CRASHES_BEFORE_DEAD` claims it becomes a dead letter, which an operator retries or drops. When its
    last lease ends after this call has looked for such rows, the next call finds it.
    """
    with engine.begin() as connection:
        _dead_letter_poison_rows(connection, destination)
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
            outbox.c.state.in_(TO_SEND),
            outbox.c.due_at <= db_now(),
        )
        return int(connection.execute(due).scalar_one())


def _dead_letter_poison_rows(connection: Connection, destination: str) -> None:
    """Rows that kill their workers become dead letters; in the ledger their effect is ``unknown``."""
    reason = f"sent {CRASHES_BEFORE_DEAD} times, and each time the worker died before the answer"
    poisoned = connection.execute(
        update(outbox)
        .where(
            outbox.c.destination == destination,
            outbox.c.state.in_(TO_SEND),
            outbox.c.due_at <= db_now(),
            outbox.c.claims >= CRASHES_BEFORE_DEAD,
        )
        .values(
            state=StoredState.DEAD,
            due_at=db_now(),
            lease_token=None,
            last_code="CRASHED",
            last_reason=reason,
        )
        .returning(*_columns())
    ).mappings()
    record_effects(connection, [effect_of(Entry(**row), "unknown", "CRASHED", reason) for row in poisoned.all()])


def _columns() -> list[Any]:
    return [outbox.c[name] for name in Entry.__dataclass_fields__]


def effect_of(entry: Entry, status: str, code: str, reason: str, crm_id: str | None = None) -> dict[str, Any]:
    """The ledger row of one effect: the operation, its provenance, and the CRM's answer."""
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
        select(*_columns(), outbox.c.state, outbox.c.claims)
        .where(
            outbox.c.destination == destination,
            outbox.c.kind == kind,
            outbox.c.state.in_(TO_SEND),
            outbox.c.due_at <= db_now(),
            suspected & (outbox.c.claims < CRASHES_BEFORE_DEAD) if suspects else ~suspected,
        )
        .order_by(outbox.c.rank.desc(), outbox.c.due_at, outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = [dict(row) for row in connection.execute(due).mappings()]
    _note_unanswered(connection, [row for row in rows if row["state"] == StoredState.LEASED])
    entries = sorted((replace(_entry(row), lease_token=token) for row in rows), key=lambda entry: entry.id)
    leased = update(outbox).values(
        state=StoredState.LEASED, lease_token=token, due_at=db_now() + lease_s(), claims=outbox.c.claims + 1
    )
    first, again = _by_attempt(entries)
    if first:
        connection.execute(leased.where(outbox.c.id.in_(first)).values(attempted=outbox.c.payload))
    for entry in again:
        connection.execute(leased.where(outbox.c.id == entry.id).values(attempted=_all_attempted(entry)))
    return entries


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(**{name: row[name] for name in Entry.__dataclass_fields__})


def _note_unanswered(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """The CRM may apply fields of these leases late, after newer ones: the ledger keeps each set of values once."""
    sent = [row for row in rows if row["kind"] == "fields" and row["attempted"] and row["claims"] <= 1]
    record_effects(connection, [_unanswered(row) for row in sent])


def _unanswered(row: Mapping[str, Any]) -> dict[str, Any]:
    """Its ledger row. When newer values have set ``claims`` to 0, run and reasons of the row belong to those."""
    effect = effect_of(_entry(row), "unknown", LEASE_ENDED, "its worker died or was too slow to receive the answer")
    if row["claims"]:
        return effect
    values = {name: possible_values(value)[-1] for name, value in row["attempted"]["values"].items()}
    called = effect["reasons"].get("fields", {})
    unknown_why = {name: {"name": called.get(name, {}).get("name", "")} for name in values}
    operation = {**row["attempted"], "values": values}
    return {**effect, "run_id": "", "operation": operation, "reasons": {"fields": unknown_why}}


def _by_attempt(entries: Iterable[Entry]) -> tuple[list[int], list[Entry]]:
    """Ids of the rows without attempted values, and the rows of which something was sent without an answer."""
    first, again = [], []
    for entry in entries:
        if entry.attempted is None:
            first.append(entry.id)
        else:
            again.append(entry)
    return first, again


def _all_attempted(entry: Entry) -> dict[str, Any]:
    """The attempted values once this row is sent too: for fields, all values of all payloads since the last answer."""
    if entry.kind != "fields" or entry.attempted is None:
        return dict(entry.payload)
    values: dict[str, Any] = dict(entry.attempted["values"])
    for name, value in entry.payload["values"].items():
        before = possible_values(values[name]) if name in values else []
        values[name] = before if value in before else [*before, value]
    return {**entry.payload, "values": values}


def possible_values(attempted: Any) -> list[Any]:
    """The values that a field without an answer may hold: one, as it was sent, or a list of them."""
    return attempted if isinstance(attempted, list) else [attempted]


def reclaim_leases(engine: Engine, owner: str) -> int:
    """End the leases of a dead owner at once; answers how many. The caller must know that no other process has it."""
    with engine.begin() as connection:
        freed = connection.execute(
            update(outbox)
            .where(outbox.c.state == StoredState.LEASED, outbox.c.lease_token.startswith(owner, autoescape=True))
            .values(state=StoredState.PENDING, lease_token=None, due_at=db_now())
            .returning(*_columns(), outbox.c.claims)
        ).mappings()
        rows = [dict(row) for row in freed]
        _note_unanswered(connection, rows)
    return len(rows)


def seconds_to_next(engine: Engine, destination: str) -> float | None:
    """Seconds until a row of this destination is due (0 when one is), or None when nothing waits."""
    with engine.begin() as connection:
        due = connection.execute(
            select(func.min(outbox.c.due_at) - db_now()).where(
                outbox.c.destination == destination, outbox.c.state.in_(TO_SEND)
            )
        ).scalar()
    return None if due is None else max(0.0, float(due))
