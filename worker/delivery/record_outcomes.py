"""Stores the outcomes of a batch in one transaction: outbox state, snapshot, ledger and tasks."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine, case, delete, func, select, update

from connectors.base import ALREADY_CLOSED, ALREADY_THERE, LEFT_ALONE, Outcome
from worker.delivery.leases import Entry, effect_of
from worker.delivery.outbox import NO_RECORD
from worker.delivery.payload import payload_hash
from worker.delivery.record_outbox import note_record
from worker.delivery.row_state import StoredState
from worker.delivery.task_context import TaskContext
from worker.store.crm import GONE, confirm_written
from worker.store.engine import db_now, transact
from worker.store.ledger import record_effects
from worker.store.tables import crm_records, crm_tasks, ledger, outbox
from worker.store.upsert import upsert

MOST_ATTEMPTS = 12
_BACKOFF_CAP_S = 300.0
_CRM_IS_UP_S = 60.0
_NEWEST = 1000
STRANGE_TASK = "STRANGE_TASK"
"""The code of a creation whose key a finished task holds that this state database does not know."""
_STRANGE = "the CRM has a finished task of this entry that this state database does not know: run plgsync adopt"


def record_outcomes(engine: Engine, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Store one outcome per entry; answers, by key, the status that was stored.

    An entry whose lease was lost meanwhile is skipped (``fenced``): the worker that leased it then reports its outcome.
    The values that were sent late may have replaced newer ones in the CRM, so the newer ones are sent once more.

    A finished task is the answer to a creation only if it may be of this row: the row was sent before without an
    answer, or the ledger has an answer for the key. Else the row is parked: the state database has lost its task.
    """
    answers = {outcome.key: outcome for outcome in outcomes}

    def write_down(connection: Connection) -> dict[str, str]:
        noted: dict[str, str] = {}
        effects = []
        may_die, strange = _may_die(connection, entries, outcomes), _strange_tasks(connection, entries, answers)
        for entry in sorted(entries, key=lambda entry: entry.idem_key):
            outcome = answers.get(entry.key) or Outcome(key=entry.key, status="unknown", code="NO_OUTCOME")
            if entry.key in strange:
                outcome = replace(outcome, status="rejected", code=STRANGE_TASK, reason=_STRANGE)
            if not _write_state(connection, entry, outcome, may_die=may_die):
                noted[entry.key] = "fenced"
                if entry.kind == "fields" and (outcome.status in {"applied", "unknown"} or outcome.rejected_fields):
                    _send_newest_again(connection, entry)
                elif entry.kind == "record_create" and outcome.status == "applied" and outcome.code != ALREADY_THERE:
                    # It overwrote the record that another worker created: the next run compares with its values.
                    confirm_written(connection, entry.destination, outcome.record_id or "", entry.payload["values"])
                continue
            noted[entry.key] = outcome.status
            effects.append(effect_of(entry, outcome.status, outcome.code, outcome.reason, outcome.record_id))
            if entry.kind == "task_close" and outcome.status in {"applied", "unknown"}:
                _note_close(connection, entry, outcome)
            elif outcome.status == "applied":
                _remember(connection, entry, outcome)
            if outcome.rejected_fields and entry.kind == "fields":
                _remember_all_but(connection, entry, outcome.rejected_fields)
            if outcome.stale_record and entry.kind in {"fields", "task_create"}:
                _forget_record(connection, entry)
        record_effects(connection, effects)
        return noted

    return transact(engine, write_down)


def release(
    engine: Engine, entries: Sequence[Entry], code: str, reason: str, wait_s: float, *, sent: bool = False
) -> None:
    """Release the entries of a call that failed as a whole: they wait, and no attempt is counted.

    ``sent``: the CRM has the operations and may have applied them; otherwise it applied none.
    """
    waits = {"state": StoredState.PENDING, "lease_token": None, "claims": 0, "last_code": code, "last_reason": reason}

    def write_down(connection: Connection) -> None:
        for entry in sorted(entries, key=lambda entry: entry.idem_key):
            doubt = {} if sent else {"attempted": entry.attempted}
            connection.execute(_mine(entry).values(**waits, **doubt, due_at=db_now() + wait_s))

    transact(engine, write_down)


def defer(engine: Engine, destination: str, kinds: Collection[str], code: str, reason: str, wait_s: float) -> None:
    """Defer every other due row of these kinds for as long, with the same reason."""
    with engine.begin() as connection:
        connection.execute(
            update(outbox)
            .where(
                outbox.c.destination == destination,
                outbox.c.kind.in_(kinds),
                outbox.c.state == StoredState.PENDING,
                outbox.c.due_at <= db_now(),
            )
            .values(last_code=code, last_reason=reason, due_at=db_now() + wait_s)
        )


def _mine(entry: Entry) -> Any:
    return update(outbox).where(outbox.c.id == entry.id, outbox.c.lease_token == entry.lease_token)


def _may_die(connection: Connection, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> bool:
    """Whether a row that failed too often is itself the cause: the CRM applied another one within the last minute.

    While a CRM is down it applies nothing, and its rows wait until it is back.
    """
    if all(entry.attempts + 1 < MOST_ATTEMPTS for entry in entries):
        return False
    if any(outcome.status == "applied" for outcome in outcomes):
        return True
    destination = entries[0].destination
    newest = (
        select(ledger.c.at, ledger.c.status)
        .where(ledger.c.destination == destination)
        .order_by(ledger.c.id.desc())
        .limit(_NEWEST)
        .subquery()
    )
    applied = select(func.max(newest.c.at) - db_now()).where(newest.c.status == "applied")
    ago = connection.execute(applied).scalar()
    return ago is not None and float(ago) > -_CRM_IS_UP_S


def _strange_tasks(connection: Connection, entries: Sequence[Entry], answers: Mapping[str, Outcome]) -> frozenset[str]:
    """The keys of first attempts to create a task that found a finished one, which no answer before has named."""
    found = {
        entry.idem_key: entry.key
        for entry in entries
        if entry.kind == "task_create" and entry.attempted is None and entry.key in answers
        if answers[entry.key].code == ALREADY_CLOSED
    }
    answered = select(ledger.c.idem_key).where(ledger.c.idem_key.in_(found), ledger.c.status != "rejected")
    known = set(connection.execute(answered).scalars()) if found else set()
    return frozenset(key for idem_key, key in found.items() if idem_key not in known)


def _write_state(connection: Connection, entry: Entry, outcome: Outcome, *, may_die: bool) -> bool:
    values: dict[str, Any] = {
        "lease_token": None,
        "claims": 0,
        "last_code": outcome.code,
        "last_reason": outcome.reason,
    }
    newer_waits = outbox.c.version != entry.version
    match outcome.status:
        case "applied":
            values |= {"attempted": _still_attempted(entry), "attempts": 0, "due_at": db_now()}
            values["state"] = case((newer_waits, StoredState.PENDING), else_=StoredState.DONE)
            if outcome.record_id and entry.record_id is None:
                values["record_id"] = outcome.record_id
        case "rejected":
            attempted = _still_attempted(entry, outcome.rejected_fields) if outcome.rejected_fields else entry.attempted
            values |= {"attempted": attempted, "due_at": db_now()}
            values["state"] = case((newer_waits, StoredState.PENDING), else_=StoredState.PARKED)
        case _:
            attempts = entry.attempts + 1
            dies = may_die and attempts >= MOST_ATTEMPTS
            values |= {"attempts": attempts, "due_at": db_now() + (0.0 if dies else _backoff(attempts))}
            values["state"] = StoredState.DEAD if dies else StoredState.PENDING
            made = entry.kind == "task_create" and outcome.record_id is not None
            if outcome.status == "retry" and not made:
                values["attempted"] = entry.attempted
    return bool(connection.execute(_mine(entry).values(**values)).rowcount)


def _send_newest_again(connection: Connection, entry: Entry) -> None:
    """Send the newest values once more: the older ones of a lost lease may have reached the CRM after them."""
    done = outbox.c.state == StoredState.DONE
    connection.execute(
        update(outbox)
        .where(
            outbox.c.id == entry.id,
            outbox.c.state.in_([StoredState.PENDING, StoredState.LEASED, StoredState.DONE]),
            outbox.c.payload_hash != payload_hash(entry.payload),
        )
        .values(
            version=outbox.c.version + 1,
            state=case((done, StoredState.PENDING), else_=outbox.c.state),
            due_at=case((done, db_now()), else_=outbox.c.due_at),
        )
    )


def _still_attempted(entry: Entry, refused: Collection[str] = ()) -> dict[str, Any] | None:
    """The values of earlier payloads without an answer that this payload did not overwrite."""
    if entry.kind != "fields" or entry.attempted is None:
        return None
    written = entry.payload["values"].keys() - set(refused)
    left = {name: value for name, value in entry.attempted["values"].items() if name not in written}
    return {**entry.attempted, "values": left} if left else None


def _backoff(attempts: int) -> float:
    """Full jitter: uniform between 0 and a ceiling that doubles from 0.4 s to five minutes."""
    return random.uniform(0.0, min(_BACKOFF_CAP_S, 0.2 * 2 ** min(attempts, MOST_ATTEMPTS)))  # noqa: S311 - spreads load, guards nothing


def _remember(connection: Connection, entry: Entry, outcome: Outcome) -> None:
    match entry.kind:
        case "fields":
            confirm_written(connection, entry.destination, entry.record_id or "", entry.payload["values"])
        case "record_create":
            note_record(connection, entry, outcome)
        case "task_create":
            _note_task(connection, entry, outcome)


def _note_close(connection: Connection, entry: Entry, outcome: Outcome) -> None:
    """Record that we closed the task, or may have: when it reads completed, that is no work by a person."""
    if outcome.code == LEFT_ALONE:
        return
    applied = outcome.status == "applied"
    connection.execute(
        update(crm_tasks)
        .where(crm_tasks.c.destination == entry.destination, crm_tasks.c.key == entry.key)
        .values(
            close_sent_at=func.coalesce(crm_tasks.c.close_sent_at, db_now()),
            **({"status": "completed"} if applied else {}),
        )
    )


def _remember_all_but(connection: Connection, entry: Entry, refused: Collection[str]) -> None:
    """The CRM wrote the other fields. Only the rejected ones stay parked; the next plan compares with them."""
    values = entry.payload["values"]
    confirm_written(
        connection, entry.destination, entry.record_id or "", {n: v for n, v in values.items() if n not in refused}
    )
    left = {**entry.payload, "values": {name: value for name, value in values.items() if name in refused}}
    connection.execute(
        update(outbox)
        .where(outbox.c.id == entry.id, outbox.c.state == StoredState.PARKED, outbox.c.version == entry.version)
        .values(payload=left, payload_hash=payload_hash(left))
    )


def _note_task(connection: Connection, entry: Entry, outcome: Outcome) -> None:
    context = TaskContext.from_json(entry.context)
    row = {
        "destination": entry.destination,
        "key": entry.key,
        "task_id": outcome.record_id or "",
        "account_id": entry.account_id,
        "playbook_id": entry.playbook_id,
        "task_key": context.task_key,
        "entry": context.entry,
        "close_when_leaves": context.close_when_leaves,
        "status": "open",
        "owner_id": entry.payload["owner_id"],
        "completed_at": None,
        "day": context.day,
    }
    upsert(connection, crm_tasks, [row])


def _forget_record(connection: Connection, entry: Entry) -> None:
    """The record is gone in the CRM: the next run matches its account again, and the task waits until then."""
    connection.execute(
        update(crm_records)
        .where(crm_records.c.destination == entry.destination, crm_records.c.record_id == entry.record_id)
        .values(
            status="missing",
            record_id=None,
            matched_by=GONE,
            candidates=[entry.record_id],
            owner_id=None,
            values={},
            object="",
        )
    )
    if entry.kind == "task_create":
        waits = {"state": StoredState.PARKED, "record_id": None, "last_code": NO_RECORD}
        connection.execute(update(outbox).where(outbox.c.id == entry.id).values(**waits))
    else:
        # The record may come back: then its fields are compared again, and none counts as rejected before.
        connection.execute(delete(outbox).where(outbox.c.id == entry.id))
