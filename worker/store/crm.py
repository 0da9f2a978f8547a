"""What was read from the CRMs: records, deals, our tasks, read positions, and the values they confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select, update

from connectors.base import Cursor, DealFact, Match, RecordFact, Scalar, TaskFact
from worker.store.tables import crm_deals, crm_records, crm_tasks, cursors, snapshot
from worker.store.upsert import upsert

OPEN_STATUSES = ("open", "in_progress")
CLOSED = "closed"
"""The status of a task that we closed because its account left, as playbooks and scores see it."""
_CLOCKS_DIFFER_S = 300.0
_IDS_AT_ONCE = 500
CREATED = "created"
"""``matched_by`` of a record that we created and have not read yet."""
GONE = "gone"
"""``matched_by`` of an account whose record a person deleted or merged; the only candidate is that record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The record of an account in one CRM, as last read; ``record_id`` is set only when the account is matched."""

    account_id: str
    status: str
    record_id: str | None
    matched_by: str
    candidates: tuple[str, ...]
    owner_id: str | None
    values: Mapping[str, Scalar]
    object: str = ""
    """The CRM object of the record where it is not the destination's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One CRM task of ours, as last read.

    ``close_sent_at``: the database's time when we first sent a close that the CRM may have applied. ``completed_at`` is
    the CRM's ISO text. ``day`` (``YYYY-MM-DD``): the as-of day of the run that decided the task.
    """

    destination: str
    key: str
    task_id: str
    account_id: str
    playbook_id: str
    task_key: str
    entry: int
    status: str
    owner_id: str | None
    close_when_leaves: bool
    completed_at: str | None = None
    close_sent_at: float | None = None
    day: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def work_status(self) -> str:
        """The status, with `CLOSED` for a task that we completed ourselves: nobody worked on it."""
        return CLOSED if self.status == "completed" and self._completed_by_us else self.status

    @property
    def _completed_by_us(self) -> bool:
        if self.close_sent_at is None or self.completed_at is None:
            return self.close_sent_at is not None
        return datetime.fromisoformat(self.completed_at).timestamp() >= self.close_sent_at - _CLOCKS_DIFFER_S


def load_records(connection: Connection, destination: str) -> dict[str, Record]:
    """Every account that was ever searched for in this CRM, by account id."""
    rows = connection.execute(select(crm_records).where(crm_records.c.destination == destination)).mappings()
    return {
        row["account_id"]: Record(
            account_id=row["account_id"],
            status=row["status"],
            record_id=row["record_id"],
            matched_by=row["matched_by"],
            candidates=tuple(row["candidates"]),
            owner_id=row["owner_id"],
            values=row["values"],
            object=row["object"],
        )
        for row in rows
    }


def save_records(connection: Connection, destination: str, records: Iterable[Record]) -> None:
    """Store the records of accounts; replaces what was stored before."""
    rows = [
        {
            "destination": destination,
            "account_id": record.account_id,
            "status": record.status,
            "record_id": record.record_id,
            "matched_by": record.matched_by,
            "candidates": list(record.candidates),
            "owner_id": record.owner_id,
            "values": dict(record.values),
            "object": record.object,
        }
        for record in records
    ]
    upsert(connection, crm_records, rows)


def record_of(match: Match) -> Record:
    """The store's form of a connector's match."""
    return Record(
        account_id=match.account_id,
        status=match.status,
        record_id=match.record_id,
        matched_by=match.by,
        candidates=match.candidates,
        owner_id=match.owner_id,
        values=match.values,
        object=match.object,
    )


def load_snapshot(connection: Connection, destination: str) -> dict[str, dict[str, Scalar]]:
    """Record id → the newest values that this CRM confirmed or showed."""
    rows = connection.execute(
        select(snapshot.c.record_id, snapshot.c.acked).where(snapshot.c.destination == destination)
    )
    return {record_id: dict(acked) for record_id, acked in rows}


class Confirmed(NamedTuple):
    """The newest values of a record that the CRM confirmed or showed, and those that we wrote."""

    shown: Mapping[str, Scalar]
    written: Mapping[str, Scalar]


def load_confirmed(connection: Connection, destination: str, record_ids: Iterable[str]) -> dict[str, Confirmed]:
    """What is stored of some records of a CRM."""
    found, ids = {}, list(record_ids)
    for start in range(0, len(ids), _IDS_AT_ONCE):
        wanted = snapshot.c.record_id.in_(ids[start : start + _IDS_AT_ONCE])
        columns = select(snapshot.c.record_id, snapshot.c.acked, snapshot.c.written)
        for record_id, acked, written in connection.execute(
            columns.where(snapshot.c.destination == destination, wanted)
        ):
            found[record_id] = Confirmed(acked, written)
    return found


def load_written(connection: Connection, destination: str) -> dict[str, dict[str, Scalar]]:
    """Record id → the newest values that we wrote and this CRM confirmed, whatever it shows now."""
    rows = connection.execute(
        select(snapshot.c.record_id, snapshot.c.written).where(snapshot.c.destination == destination)
    )
    return {record_id: dict(written) for record_id, written in rows}


def confirm_written(connection: Connection, destination: str, record_id: str, values: Mapping[str, Scalar]) -> None:
    """Store values that we wrote and the CRM confirmed."""
    here = (snapshot.c.destination == destination) & (snapshot.c.record_id == record_id)
    known = connection.execute(select(snapshot.c.acked, snapshot.c.written).where(here)).one_or_none()
    row = {
        "destination": destination,
        "record_id": record_id,
        "acked": {**(known.acked if known else {}), **values},
        "written": {**(known.written if known else {}), **values},
    }
    upsert(connection, snapshot, [row])


def save_written(connection: Connection, destination: str, values: Mapping[str, Mapping[str, Scalar]]) -> None:
    """Store what we wrote of whole records that have a snapshot."""
    for record_id, written in sorted(values.items()):
        here = (snapshot.c.destination == destination) & (snapshot.c.record_id == record_id)
        connection.execute(update(snapshot).where(here).values(written=dict(written)))


def save_snapshot(connection: Connection, destination: str, values: Mapping[str, Mapping[str, Scalar]]) -> None:
    """Store what the CRM shows of these fields; the other fields of the records stay as they are."""
    known = load_confirmed(connection, destination, values)
    rows = [
        {
            "destination": destination,
            "record_id": record_id,
            "acked": {**(known[record_id].shown if record_id in known else {}), **acked},
        }
        for record_id, acked in values.items()
    ]
    upsert(connection, snapshot, rows)


def load_tasks(connection: Connection) -> list[TaskRow]:
    """Every CRM task of ours in every CRM."""
    columns = [crm_tasks.c[name] for name in TaskRow.__dataclass_fields__]
    rows = connection.execute(select(*columns).order_by(crm_tasks.c.key)).mappings()
    return [TaskRow(**row) for row in rows]


def ownerless_tasks(connection: Connection) -> dict[str, int]:
    """By CRM, how many of our open tasks belong to nobody."""
    rows = connection.execute(
        select(crm_tasks.c.destination, func.count())
        .where(crm_tasks.c.status.in_(OPEN_STATUSES), crm_tasks.c.owner_id.is_(None))
        .group_by(crm_tasks.c.destination)
        .order_by(crm_tasks.c.destination)
    )
    return {row[0]: row[1] for row in rows}


def save_task_facts(connection: Connection, destination: str, facts: Iterable[TaskFact]) -> None:
    """Store the state of our tasks as the CRM shows it. Facts with unknown keys are ignored."""
    for fact in facts:
        connection.execute(
            update(crm_tasks)
            .where(crm_tasks.c.destination == destination, crm_tasks.c.key == fact.key)
            .values(
                task_id=fact.task_id,
                status=fact.status,
                owner_id=fact.owner_id,
                completed_at=fact.completed_at.isoformat() if fact.completed_at else None,
            )
        )


def load_deals(connection: Connection, destination: str) -> list[DealFact]:
    """Every deal read so far that still exists."""
    rows = connection.execute(select(crm_deals).where(crm_deals.c.destination == destination)).mappings()
    return [DealFact(row["deal_id"], row["record_id"], row["open"], row["won"], row["amount"]) for row in rows]


def save_deals(connection: Connection, destination: str, facts: Sequence[DealFact]) -> None:
    """Store changed deals and forget deleted ones."""
    gone = [fact.id for fact in facts if fact.deleted]
    connection.execute(delete(crm_deals).where(crm_deals.c.destination == destination, crm_deals.c.deal_id.in_(gone)))
    rows = [
        {
            "destination": destination,
            "deal_id": fact.id,
            "record_id": fact.record_id,
            "open": fact.open,
            "won": fact.won,
            "amount": fact.amount,
        }
        for fact in facts
        if not fact.deleted
    ]
    upsert(connection, crm_deals, rows)


def load_cursor(connection: Connection, destination: str) -> Cursor:
    """Where reading back continues; empty at first."""
    return connection.execute(select(cursors.c.cursor).where(cursors.c.destination == destination)).scalar() or {}


def save_cursor(connection: Connection, destination: str, cursor: Cursor) -> None:
    """Remember where reading back continues, in the transaction that stores what was read."""
    upsert(connection, cursors, [{"destination": destination, "cursor": dict(cursor)}])


def unmatched(account_id: str) -> Record:
    """The record of an account that has to be matched."""
    return Record(
        account_id=account_id, status="missing", record_id=None, matched_by="", candidates=(), owner_id=None, values={}
    )


def apply_record_fact(record: Record, fact: RecordFact) -> Record:
    """A matched record after a change in the CRM; the account of a deleted one has to be matched again."""
    if fact.deleted:
        return replace(unmatched(record.account_id), matched_by=GONE, candidates=(fact.record_id,))
    return replace(record, owner_id=fact.owner_id, values={**record.values, **fact.values})
