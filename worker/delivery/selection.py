"""Outbox rows by their state, destination, playbook and account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from worker.delivery.outbox import NO_OWNER, NO_RECORD
from worker.delivery.row_state import UNSETTLED, RowState, StoredState
from worker.store.engine import db_now
from worker.store.tables import outbox

QUOTA = "QUOTA"
"""The code of rows that wait for the CRM's quota."""
ACCESS_DENIED = "ACCESS_DENIED"


def row_state() -> ColumnElement[str]:
    """The `RowState` of an unsettled row; a row whose worker died waits again once its lease has ended."""
    return case(
        (and_(outbox.c.state == StoredState.LEASED, outbox.c.due_at > db_now()), RowState.SENDING),
        (and_(outbox.c.state == StoredState.PARKED, outbox.c.last_code == NO_RECORD), RowState.UNMATCHED),
        (and_(outbox.c.state == StoredState.PARKED, outbox.c.last_code == NO_OWNER), RowState.NO_OWNER),
        (outbox.c.state.in_([StoredState.PARKED, StoredState.DEAD]), outbox.c.state),
        (and_(outbox.c.last_code == QUOTA, outbox.c.due_at > db_now()), RowState.QUOTA),
        (outbox.c.last_code == ACCESS_DENIED, RowState.DENIED),
        else_=RowState.WAITING,
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters on outbox rows; an empty one selects all. ``playbook`` selects the tasks of one playbook."""

    states: tuple[RowState, ...] = ()
    destination: str | None = None
    playbook: str | None = None
    account: str | None = None

    @property
    def empty(self) -> bool:
        """Whether no filter is set."""
        return self == Selection()

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        """SQL conditions of the unsettled rows that match."""
        yield outbox.c.state.in_(UNSETTLED)
        if self.states:
            yield row_state().in_(self.states)
        for column, wanted in (("destination", self.destination), ("playbook_id", self.playbook)):
            if wanted is not None:
                yield outbox.c[column] == wanted
        if self.account is not None:
            yield (outbox.c.account_id == self.account) | (outbox.c.record_id == self.account)


EVERYTHING = Selection()


def selected_ids(connection: Connection, selection: Selection, states: Sequence[RowState]) -> list[int]:
    """Ids of the rows of a selection that are in one of these states."""
    rows = select(outbox.c.id).where(*selection.conditions(), row_state().in_(states)).order_by(outbox.c.id)
    return list(connection.execute(rows).scalars())


def depth(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """Rows by destination and `RowState`: their number, ``late`` and ``due_at``.

    ``late`` is for how many seconds the oldest row has been due, 0 when none is due yet; ``due_at`` is when the last
    row is due, in seconds since 1970.
    """
    state = row_state().label("row_state")
    rows = connection.execute(
        select(
            outbox.c.destination,
            state,
            func.count().label("rows"),
            func.max(db_now() - outbox.c.due_at).label("late"),
            func.max(outbox.c.due_at).label("due_at"),
        )
        .where(outbox.c.state.in_(UNSETTLED))
        .group_by(outbox.c.destination, state)
        .order_by(outbox.c.destination, state)
    )
    return [{**row, "late": max(0.0, float(row["late"]))} for row in rows.mappings()]
