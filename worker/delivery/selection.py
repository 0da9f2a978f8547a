"""How an outbox row stands, in words a person understands, and rows picked by that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from worker.delivery.outbox import NO_RECORD
from worker.store.engine import db_now
from worker.store.tables import outbox

QUOTA = "QUOTA"
"""The code of what waits for the CRM's quota."""
STANDINGS: Mapping[str, str] = {
    "waiting": "waiting",
    "quota": "waiting for quota",
    "denied": "waiting: the CRM denies access",
    "unmatched": "waiting for a record",
    "sending": "being sent",
    "parked": "parked: the CRM refused it",
    "dead": "dead: given up",
}
"""Each standing and what it is called."""
UNSETTLED = ("pending", "leased", "parked", "dead")
RETRIED = ("parked", "dead")
DROPPED = ("waiting", "quota", "denied", "unmatched", "parked", "dead")


def standing() -> ColumnElement[str]:
    """The standing of an unsettled row; a row whose worker died is waiting again once its lease has ended."""
    return case(
        (and_(outbox.c.state == "leased", outbox.c.due_at > db_now()), "sending"),
        (and_(outbox.c.state == "parked", outbox.c.last_code == NO_RECORD), "unmatched"),
        (outbox.c.state.in_(["parked", "dead"]), outbox.c.state),
        (and_(outbox.c.last_code == QUOTA, outbox.c.due_at > db_now()), QUOTA.lower()),
        (outbox.c.last_code == "ACCESS_DENIED", "denied"),
        else_="waiting",
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows are meant; an empty part means all. ``playbook`` picks the tasks of one."""

    states: tuple[str, ...] = ()
    destination: str | None = None
    playbook: str | None = None
    account: str | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is chosen."""
        return self == Selection()

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        """What an unsettled row must fulfil."""
        yield outbox.c.state.in_(UNSETTLED)
        if self.states:
            yield standing().in_(self.states)
        for column, wanted in (("destination", self.destination), ("playbook_id", self.playbook)):
            if wanted is not None:
                yield outbox.c[column] == wanted
        if self.account is not None:
            yield (outbox.c.account_id == self.account) | (outbox.c.record_id == self.account)


EVERYTHING = Selection()


def selected_ids(connection: Connection, selection: Selection, standings: Sequence[str]) -> list[int]:
    """Ids of the rows of a selection that stand in one of these ways."""
    rows = select(outbox.c.id).where(*selection.conditions(), standing().in_(standings)).order_by(outbox.c.id)
    return list(connection.execute(rows).scalars())


def depth(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """By destination and standing: how many rows, for how long the oldest has been due, and when the last is due.

    ``late`` is 0 when nothing is due yet; ``due_at`` is the latest moment in seconds since 1970.
    """
    stands = standing().label("standing")
    rows = connection.execute(
        select(
            outbox.c.destination,
            stands,
            func.count().label("rows"),
            func.max(db_now() - outbox.c.due_at).label("late"),
            func.max(outbox.c.due_at).label("due_at"),
        )
        .where(outbox.c.state.in_(UNSETTLED))
        .group_by(outbox.c.destination, stands)
        .order_by(outbox.c.destination, stands)
    )
    return [{**row, "late": max(0.0, float(row["late"]))} for row in rows.mappings()]
