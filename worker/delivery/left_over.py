"""What still waits when a delivery ends although it was due, or because somebody holds it: how many rows, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, func, or_, select

from worker.delivery.outbox import NO_OWNER, NO_RECORD
from worker.delivery.row_state import TO_SEND, RowState, StoredState
from worker.delivery.selection import ACCESS_DENIED, QUOTA, row_state
from worker.delivery.send import CALL_FAILED, UNAVAILABLE, UNDERWAY, Delivery
from worker.store.engine import db_now
from worker.store.tables import ledger, outbox

_ON_HOLD = {ACCESS_DENIED: "access denied: ", UNAVAILABLE: "unavailable: ", UNDERWAY: "under way: "}
"""Codes of rows that the CRM holds, and the words before its own in `Delivery.stopped`."""
_NO_DESTINATION = "config/crm.yaml has no such destination; give up on them with plgsync outbox drop --destination"


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Rows of one destination that wait for the same reason, in the CRM's words or ours."""

    destination: str
    row_state: RowState
    rows: int
    why: str


def left_over(connection: Connection, since: float, deliveries: Sequence[Delivery]) -> list[LeftOver]:
    """The rows that a run leaves although they were due, or that somebody holds; ``since`` is when it began to send.

    A row counts when it is due, was tried since then, waits for the CRM as a whole (access, quota, outage), or was
    rejected or given up since then. Rows whose time has not come do not count, nor do tasks that wait for a record or
    an owner, nor rows that another worker sends.
    """
    tried = exists().where(ledger.c.idem_key == outbox.c.idem_key, ledger.c.at >= since)
    held = outbox.c.last_code.in_([*_ON_HOLD, QUOTA, CALL_FAILED])
    waits = and_(
        outbox.c.state.in_(TO_SEND),
        row_state() != RowState.SENDING,
        or_(outbox.c.due_at <= db_now(), held, tried),
    )
    return _grouped(connection, or_(waits, _ended_since(since)), {one.destination: one.stopped for one in deliveries})


def _ended_since(since: float) -> ColumnElement[bool]:
    """Parked by the CRM or dead since then: ``due_at`` is when that was."""
    return and_(
        outbox.c.state.in_([StoredState.PARKED, StoredState.DEAD]),
        outbox.c.last_code.not_in([NO_RECORD, NO_OWNER]),
        outbox.c.due_at >= since,
    )


def _grouped(connection: Connection, which: ColumnElement[bool], stopped: Mapping[str, str]) -> list[LeftOver]:
    state = row_state().label("row_state")
    rows = connection.execute(
        select(
            outbox.c.destination,
            state,
            outbox.c.last_code,
            func.count().label("rows"),
            func.min(outbox.c.last_reason).label("reason"),
        )
        .where(which)
        .group_by(outbox.c.destination, state, outbox.c.last_code)
        .order_by(outbox.c.destination, state, outbox.c.last_code)
    ).mappings()
    return _merged(
        LeftOver(row["destination"], RowState(row["row_state"]), row["rows"], _why(row, stopped)) for row in rows
    )


def _why(row: RowMapping, stopped: Mapping[str, str]) -> str:
    """The words of the row itself, or why its delivery stopped before it."""
    if row["destination"] not in stopped:
        return f"{_NO_DESTINATION} {row['destination']} --all-matching"
    if row["last_code"]:
        return _ON_HOLD.get(row["last_code"], "") + str(row["reason"] or row["last_code"])
    return stopped[row["destination"]] or "not sent yet"


def _merged(found: Iterable[LeftOver]) -> list[LeftOver]:
    """Rows behind the ones that stopped a delivery wait for the same reason as those."""
    merged: dict[tuple[str, RowState | None, str], LeftOver] = {}
    for one in found:
        ended = one.row_state if one.row_state in {RowState.PARKED, RowState.DEAD} else None
        key = (one.destination, ended, one.why)
        before = merged.get(key)
        merged[key] = LeftOver(one.destination, one.row_state, one.rows + (before.rows if before else 0), one.why)
    return list(merged.values())
