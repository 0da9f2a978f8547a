"""Removes old rows that are not needed, in short transactions, so that no delivery waits for it.

Each table has its own time (``retention:`` in config/schedule.yaml). Whatever its age, these stay:

* What keeps a CRM task from being made twice: every row of ``crm_tasks``; an outbox row of a task until its task
  stands in ``crm_tasks``, or, when it was dropped, until its account has entered the playbook again, for then its key
  never comes back; an outbox row that closes a task until that task is closed.
* What keeps a record from being made twice: every outbox row of kind ``record_create``. A record that a person deleted
  stays deleted.
* What may still reach a CRM, or be there without our knowing: every outbox row that is not finished, and one with
  ``attempted`` values. The values of the ledger without an answer count for a day, and a ledger is kept for a week
  at least.
* What the next run reads: the newest run, the newest volume of the source, the last 30 runs of each playbook,
  enrollments, score memories and snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, exists, func, not_, or_, select, tuple_

from worker.language.units import Duration
from worker.settings.schedule import Retention
from worker.store.calls import QUARTER_S
from worker.store.engine import database_moment, transact
from worker.store.tables import (
    alert_messages,
    alerts,
    call_counts,
    crm_tasks,
    decisions,
    enrollments,
    ledger,
    outbox,
    playbook_runs,
    refused_reports,
    runs,
    score_values,
    source_volumes,
)
from worker.store.tables.outbox import operation_key_in_sql

AFTER_NEWEST_RUN = timedelta(days=7)
"""A clock that is further ahead of the newest run than this is taken to be wrong."""
ROWS_AT_ONCE = 500
"""Rows of one transaction: 2 to 20 ms on SQLite, where a delivery waits for them."""
PLAYBOOK_RUNS_KEPT = 30
_FINISHED = ("done", "dropped")

Rows = Sequence[Any]


@dataclass(frozen=True, slots=True)
class _Old:
    """The old rows of one table, in the order of ``by``, which are columns without NULL that name a row.

    ``surplus`` says of rows that are old which of them may go, where SQL alone cannot.
    """

    table: Table
    condition: ColumnElement[bool]
    by: tuple[str, ...]
    surplus: Callable[[Connection, Rows], Rows] = lambda _, rows: rows


def prune(engine: Engine, retention: Retention, goes_on: Callable[[], bool] = lambda: True) -> dict[str, int]:
    """Remove what is older than ``retention`` allows; returns how many rows of which table.

    Age counts up to the present moment, but at most to `AFTER_NEWEST_RUN` after the newest run, so that one wrong
    clock does not remove the whole history. Without any run, nothing is removed.

    ``goes_on`` is called between two transactions: it waits a moment, so that others can write, and ends the work
    when it returns False. What is left then goes the next time.
    """
    with engine.begin() as connection:
        newest_run = connection.execute(select(func.max(runs.c.committed_at))).scalar()
        if newest_run is None:
            return {}
        bound = datetime.fromtimestamp(newest_run, UTC) + AFTER_NEWEST_RUN
        stale = _old_rows(connection, retention, min(database_moment(connection), bound))
    removed: dict[str, int] = {}
    for old in stale:
        for count in _remove(engine, old):
            removed[old.table.name] = removed.get(old.table.name, 0) + count
            if not goes_on():
                return removed
    return removed


def _remove(engine: Engine, old: _Old) -> Iterator[int]:
    """Delete the rows batch by batch; a row that is not old any more when its turn comes stays."""
    columns = [old.table.c[name] for name in old.by]
    after: Any = None
    while True:

        def batch(connection: Connection, after: Any = after) -> tuple[Any, int]:
            beyond = [] if after is None else [tuple_(*columns) > tuple_(*after)]
            seen = select(*columns).where(old.condition, *beyond).order_by(*columns).limit(ROWS_AT_ONCE)
            rows = [tuple(row) for row in connection.execute(seen)]
            surplus = old.surplus(connection, rows)
            if not surplus:
                return (rows[-1] if rows else None), 0
            gone = connection.execute(delete(old.table).where(tuple_(*columns).in_(surplus), old.condition))
            return rows[-1], gone.rowcount

        after, count = transact(engine, batch)
        if after is None:
            return
        yield count


def _old_rows(connection: Connection, retention: Retention, now: datetime) -> tuple[_Old, ...]:
    """In this order: a decision is as old as its run, which stays while they do; a message is as old as its alert."""

    def first(kept: Duration) -> datetime:
        return now - kept.span

    def since(kept: Duration) -> float:
        return first(kept).timestamp()

    def day(kept: Duration) -> str:
        return f"{first(kept):%Y-%m-%d}"

    newest_run = select(func.max(runs.c.as_of)).scalar_subquery()
    kept_run = min(since(retention.runs), since(retention.decisions))
    old_run = and_(runs.c.committed_at < kept_run, runs.c.as_of < newest_run)
    newest_volume = select(func.max(source_volumes.c.as_of)).scalar_subquery()
    return (
        _Old(ledger, ledger.c.at < since(retention.ledger), ("at", "id")),
        _Old(outbox, _finished(since(retention.outbox)), ("id",), _never_again),
        _Old(decisions, _decided_before(connection, since(retention.decisions)), ("id",)),
        _Old(score_values, score_values.c.day < day(retention.history), ("day", "account_id", "name")),
        _Old(playbook_runs, _counted_before(day(retention.runs)), ("playbook_id", "as_of")),
        _Old(
            source_volumes,
            and_(source_volumes.c.as_of < day(retention.runs), source_volumes.c.as_of < newest_volume),
            ("as_of",),
        ),
        _Old(refused_reports, refused_reports.c.as_of < day(retention.runs), ("as_of",)),
        _Old(runs, old_run, ("id",)),
        _Old(
            call_counts,
            call_counts.c.quarter < int(since(retention.calls) // QUARTER_S),
            ("destination", "quarter", "kind", "playbook_id"),
        ),
        *_old_alerts(since(retention.alerts)),
    )


def _old_alerts(before: float) -> tuple[_Old, ...]:
    """Alerts that ended before, without those of which a message still waits, and their messages."""
    over = select(alerts.c.id).where(alerts.c.recovered_at < before)
    sent = and_(alert_messages.c.state == "sent", alert_messages.c.alert_id.in_(over))
    waits = exists().where(alert_messages.c.alert_id == alerts.c.id, alert_messages.c.state != "sent")
    return (
        _Old(alert_messages, sent, ("alert_id", "channel", "phase")),
        _Old(alerts, and_(alerts.c.recovered_at < before, not_(waits)), ("id",)),
    )


def _finished(before: float) -> ColumnElement[bool]:
    """Outbox rows whose work is over: what they wrote is in the snapshot, and a task they made in ``crm_tasks``."""
    task = exists().where(crm_tasks.c.destination == outbox.c.destination, crm_tasks.c.key == operation_key_in_sql())
    closed = task.where(crm_tasks.c.status.in_(["completed", "deleted"]))
    over = or_(
        and_(outbox.c.kind == "fields", outbox.c.state == "done"),
        and_(outbox.c.kind == "task_create", outbox.c.state == "done", task),
        and_(outbox.c.kind == "task_create", outbox.c.state == "dropped"),
        outbox.c.kind == "task_update",
        and_(outbox.c.kind == "task_close", closed),
    )
    return and_(outbox.c.state.in_(_FINISHED), outbox.c.due_at < before, outbox.c.attempted.is_(None), over)


def _never_again(connection: Connection, rows: Rows) -> Rows:
    """Without dropped tasks of the newest entry of their account: only their row says that they are not wanted."""
    ids = [row_id for (row_id,) in rows]
    of_dropped = (
        select(outbox.c.id, outbox.c.context, enrollments.c.state)
        .outerjoin(
            enrollments,
            and_(enrollments.c.playbook_id == outbox.c.playbook_id, enrollments.c.account_id == outbox.c.account_id),
        )
        .where(outbox.c.id.in_(ids), outbox.c.kind == "task_create", outbox.c.state == "dropped")
    )
    needed = {
        row_id
        for row_id, context, enrollment in connection.execute(of_dropped)
        if (enrollment or {}).get("entry", 0) <= context.get("entry", 0)
    }
    return [row for row in rows if row[0] not in needed]


def _decided_before(connection: Connection, before: float) -> ColumnElement[bool]:
    """Decisions of old runs; their ids rise with the runs. None of them while no run is newer."""
    kept = select(runs.c.id).where(runs.c.committed_at >= before)
    first_kept = select(decisions.c.id).where(decisions.c.run_id.in_(kept)).order_by(decisions.c.id).limit(1)
    return decisions.c.id < (connection.execute(first_kept).scalar() or 0)


def _counted_before(day: str) -> ColumnElement[bool]:
    """Counts of old runs, without the newest ones of each playbook, to which the next run compares its own."""
    newer = playbook_runs.alias("newer")
    later = (
        select(func.count())
        .where(newer.c.playbook_id == playbook_runs.c.playbook_id, newer.c.as_of > playbook_runs.c.as_of)
        .scalar_subquery()
    )
    return and_(playbook_runs.c.as_of < day, later >= PLAYBOOK_RUNS_KEPT)
