"""The book of alerts: what is open, what has been told to whom, and what has still to be told.

Workers share it: opening and closing happen under one lock, and a message is leased before it is sent, so that one
of them sends it. A message whose sending failed, or whose sender died, is due again later.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select, text, update

from worker.alerts.conditions import Condition
from worker.store.engine import database_time, db_now
from worker.store.tables import alert_messages, alerts
from worker.store.upsert import insert_missing

Phase = Literal["start", "recovery"]

LEASE_S = 120.0
QUIET_S = 3600.0
"""What comes back within an hour of its recovery is told only once that hour is over, if it is still there."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 60.0, 3600.0
_LOCK = 7_352_190_116  # any constant: the Postgres advisory lock under which alerts open and close


@dataclass(frozen=True, slots=True)
class Message:
    """One message, leased to be sent. Times are seconds since 1970 on the database's clock."""

    alert_id: int
    channel: str
    phase: Phase
    kind: str
    subject: str
    text: str
    opened_at: float
    recovered_at: float | None
    attempts: int
    lease_token: str


def lock(connection: Connection) -> None:
    """Only one worker at a time compares what is with what is open; SQLite's transactions do that by themselves."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def update_book(connection: Connection, found: Iterable[Condition], channels: Mapping[str, Sequence[str]]) -> None:
    """Open what is new, close what is over, and queue a message of each for every channel that wants its kind.

    ``channels`` holds the kinds each wants; none means all. Call it under `lock`.
    """
    at = database_time(connection)
    now_wrong = {condition.key: condition for condition in found}
    rows = connection.execute(select(alerts).where(alerts.c.open_key.is_not(None)).order_by(alerts.c.id)).mappings()
    known = {row["open_key"]: row for row in rows}
    for key, row in known.items():
        if key not in now_wrong:
            _close(connection, row["id"], at)
        elif row["text"] != now_wrong[key].text:
            connection.execute(update(alerts).where(alerts.c.id == row["id"]).values(text=now_wrong[key].text))
    for key in sorted(now_wrong.keys() - known.keys()):
        _open(connection, now_wrong[key], at, channels)


def _open(connection: Connection, condition: Condition, at: float, channels: Mapping[str, Sequence[str]]) -> None:
    same = (alerts.c.kind == condition.kind) & (alerts.c.subject == condition.subject)
    last = connection.execute(select(alerts.c.recovered_at).where(same).order_by(alerts.c.id.desc()).limit(1)).scalar()
    row = {"kind": condition.kind, "subject": condition.subject, "text": condition.text, "opened_at": at}
    insert_missing(connection, alerts, [{**row, "open_key": condition.key}], unique="open_key")
    alert_id = connection.execute(select(alerts.c.id).where(alerts.c.open_key == condition.key)).scalar_one()
    due_at = max(at, last + QUIET_S) if last else at
    wanting = [name for name, kinds in channels.items() if not kinds or condition.kind in kinds]
    _queue(connection, alert_id, wanting, "start", due_at)


def _close(connection: Connection, alert_id: int, at: float) -> None:
    """Over. Whoever has not been told of the start need not hear of its end, unless telling was tried and failed."""
    connection.execute(update(alerts).where(alerts.c.id == alert_id).values(open_key=None, recovered_at=at))
    starts = (alert_messages.c.alert_id == alert_id) & (alert_messages.c.phase == "start")
    untold = starts & (alert_messages.c.state == "pending")
    never_tried = untold & (alert_messages.c.attempts == 0) & alert_messages.c.lease_token.is_(None)
    connection.execute(delete(alert_messages).where(never_tried))
    told = connection.execute(select(alert_messages.c.channel).where(starts).order_by(alert_messages.c.channel))
    channels = list(told.scalars())
    # One message then says from when until when it was: the recovery, which comes last.
    connection.execute(delete(alert_messages).where(untold, alert_messages.c.lease_token.is_(None)))
    _queue(connection, alert_id, channels, "recovery", at)


def _queue(connection: Connection, alert_id: int, channels: Iterable[str], phase: Phase, due_at: float) -> None:
    rows = [
        {"alert_id": alert_id, "channel": name, "phase": phase, "state": "pending", "due_at": due_at}
        for name in sorted(channels)
    ]
    if rows:
        connection.execute(insert(alert_messages), rows)


def claim_message(connection: Connection, channels: Iterable[str]) -> Message | None:
    """Lease the message that is due longest, for one of these channels, or None.

    A recovery waits while its start is being sent by another; a start that did not go out by then never does.
    """
    token = secrets.token_hex(12)
    _drop_late_starts(connection)
    start = alert_messages.alias("start")
    start_under_way = (
        select(start.c.alert_id)
        .where(
            start.c.alert_id == alert_messages.c.alert_id,
            start.c.channel == alert_messages.c.channel,
            start.c.phase == "start",
            start.c.state == "pending",
        )
        .exists()
    )
    due = (
        select(alert_messages.c.alert_id, alert_messages.c.channel, alert_messages.c.phase)
        .where(
            alert_messages.c.state == "pending",
            alert_messages.c.due_at <= db_now(),
            alert_messages.c.channel.in_(list(channels)),
            (alert_messages.c.phase == "start") | ~start_under_way,
        )
        .order_by(alert_messages.c.due_at, alert_messages.c.alert_id, alert_messages.c.channel)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(due).one_or_none()
    if found is None:
        return None
    here = _is(found.alert_id, found.channel, found.phase)
    connection.execute(update(alert_messages).where(here).values(lease_token=token, due_at=db_now() + LEASE_S))
    row = connection.execute(
        select(
            alerts.c.kind,
            alerts.c.subject,
            alerts.c.text,
            alerts.c.opened_at,
            alerts.c.recovered_at,
            alert_messages.c.attempts,
        )
        .join(alerts, alerts.c.id == alert_messages.c.alert_id)
        .where(here)
    ).mappings()
    return Message(found.alert_id, found.channel, found.phase, lease_token=token, **row.one())


def _drop_late_starts(connection: Connection) -> None:
    """Starts that are not out although it is over, and that nobody is sending: the recovery says it all."""
    over = select(alerts.c.id).where(alerts.c.recovered_at.is_not(None))
    at_rest = alert_messages.c.lease_token.is_(None) | (alert_messages.c.due_at <= db_now())
    connection.execute(
        delete(alert_messages).where(
            alert_messages.c.phase == "start",
            alert_messages.c.state == "pending",
            at_rest,
            alert_messages.c.alert_id.in_(over),
        )
    )


def note_sent(connection: Connection, message: Message) -> None:
    """The message is out; it is never sent again."""
    _settle(connection, message, state="sent", last_error="")


def note_failed(connection: Connection, message: Message, error: str) -> None:
    """The message did not go out: it is due again in a minute, then in two, up to an hour."""
    wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**message.attempts)
    _settle(connection, message, attempts=message.attempts + 1, due_at=db_now() + wait_s, last_error=error)


def _settle(connection: Connection, message: Message, **values: Any) -> None:
    mine = _is(message.alert_id, message.channel, message.phase) & (alert_messages.c.lease_token == message.lease_token)
    connection.execute(update(alert_messages).where(mine).values(**values, lease_token=None))


def _is(alert_id: int, channel: str, phase: str) -> Any:
    return (
        (alert_messages.c.alert_id == alert_id)
        & (alert_messages.c.channel == channel)
        & (alert_messages.c.phase == phase)
    )


def open_alerts(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """What is open now, oldest first."""
    rows = select(alerts).where(alerts.c.open_key.is_not(None)).order_by(alerts.c.id)
    return [dict(row) for row in connection.execute(rows).mappings()]


def untold(connection: Connection) -> int:
    """How many messages were tried and could not be sent so far."""
    waiting = select(alert_messages.c.alert_id).where(
        alert_messages.c.state == "pending", alert_messages.c.attempts > 0
    )
    return len(connection.execute(waiting).all())
