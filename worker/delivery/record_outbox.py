"""Records to create, in the outbox: one row per account for ever.

Until the record exists, the row takes the newest values, as fields do. A row that is done is never sent again: a record
that a person deleted afterwards stays deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select

from connectors.base import CreateRecord, Outcome, Scalar
from worker.delivery.leases import Entry
from worker.delivery.outbox import newest_wins
from worker.delivery.payload import payload_hash, to_payload
from worker.delivery.row_state import AT_REST, TO_SEND, UNSETTLED, StoredState
from worker.delivery.task_context import REASONS
from worker.store.crm import CREATED, confirm_written
from worker.store.engine import database_time
from worker.store.tables import crm_records, outbox
from worker.store.upsert import upsert

KIND = "record_create"


@dataclass(frozen=True, slots=True)
class Creation:
    """The outbox row of an account's record: its state, the values it would send, and the record that it made.

    ``attempted``: values were sent without an answer.
    """

    state: str
    values: Mapping[str, Scalar]
    record_id: str | None = None
    attempted: bool = False

    @property
    def may_exist(self) -> bool:
        """Whether the record may exist, or come to exist, without our knowing its id."""
        return self.state in TO_SEND or (self.attempted and self.state in UNSETTLED)


def load_creations(connection: Connection, destination: str) -> dict[str, Creation]:
    """Account id → the state and values of its outbox row."""
    columns = (outbox.c.account_id, outbox.c.state, outbox.c.payload, outbox.c.record_id, outbox.c.attempted)
    rows = connection.execute(select(*columns).where(outbox.c.destination == destination, outbox.c.kind == KIND))
    return {
        row.account_id: Creation(row.state, dict(row.payload["values"]), row.record_id, row.attempted is not None)
        for row in rows
    }


def forget_creations(connection: Connection, destination: str, accounts: Collection[str]) -> None:
    """Forget that records were made for these accounts: their companies have them now, and they may get another."""
    done = (outbox.c.destination == destination) & (outbox.c.kind == KIND) & (outbox.c.state == StoredState.DONE)
    for account_id in sorted(accounts):
        connection.execute(delete(outbox).where(done, outbox.c.account_id == account_id))


def queue_records(
    connection: Connection,
    destination: str,
    records: Iterable[tuple[str, CreateRecord, Mapping[str, Any]]],
    run_id: str,
) -> None:
    """Queue records to create: account id, operation, reasons. Other rows that were never sent are withdrawn."""
    at = database_time(connection)
    rows = [_row(destination, account_id, create, why, run_id, at) for account_id, create, why in records]
    _withdraw_others(connection, destination, {row["account_id"] for row in rows})
    if not rows:
        return
    newest = newest_wins(connection, once=True)
    connection.execute(newest, sorted(rows, key=lambda row: str(row["idem_key"])))


def _withdraw_others(connection: Connection, destination: str, wanted: Collection[str]) -> None:
    """Delete rows that were never sent, of accounts that need no record any more or may not have one."""
    unsent = (
        (outbox.c.destination == destination)
        & (outbox.c.kind == KIND)
        & outbox.c.state.in_(AT_REST)
        & outbox.c.attempted.is_(None)
    )
    for row_id, account_id in connection.execute(select(outbox.c.id, outbox.c.account_id).where(unsent)).all():
        if account_id not in wanted:
            connection.execute(delete(outbox).where(outbox.c.id == row_id, unsent))


def _row(
    destination: str, account_id: str, create: CreateRecord, why: Mapping[str, Any], run_id: str, at: float
) -> dict[str, Any]:
    payload = to_payload(create)
    return {
        "destination": destination,
        "kind": KIND,
        "idem_key": f"{KIND}:{destination}:{create.key}",
        "account_id": account_id,
        "record_id": None,
        "payload": payload,
        "payload_hash": payload_hash(payload),
        "context": {REASONS: dict(why)},
        "state": StoredState.PENDING,
        "due_at": at,
        "run_id": run_id,
        "created_at": at,
    }


def note_record(connection: Connection, entry: Entry, outcome: Outcome) -> None:
    """Store the record that was created. The next run reads it first, and then sends its fields and waiting tasks.

    An account that was matched to another record meanwhile keeps that one.
    """
    of_account = (crm_records.c.destination == entry.destination) & (crm_records.c.account_id == entry.account_id)
    known = connection.execute(select(crm_records.c.record_id).where(of_account)).scalar()
    if not outcome.record_id or known:
        return
    row: dict[str, Any] = {
        "destination": entry.destination,
        "account_id": entry.account_id,
        "status": "matched",
        "record_id": outcome.record_id,
        "matched_by": CREATED,
        "candidates": [],
        "owner_id": None,
        "values": {},
        "object": "",
    }
    upsert(connection, crm_records, [row])
    confirm_written(connection, entry.destination, outcome.record_id, entry.payload["values"])
