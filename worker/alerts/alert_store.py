"""The alerts and their messages in the state database: which alerts are open, which messages are sent or due.

Workers share these tables. One lock guards opening and closing. A worker leases a message before it sends it, so one
worker sends it. A message is due again later when sending failed or the sender died.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Select, delete, insert, select, text, update

from worker.alerts.conditions import Condition
from worker.store.engine import database_time, db_now
from worker.store.tables import alert_messages, alerts
from worker.store.upsert import insert_missing

Phase = Literal["start", "recovery"]

LEASE_S = 120.0
QUIET_S = 3600.0
"""An alert that opens again within an hour of its recovery sends its message when that hour is over, if still open."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 60.0, 3600.0
_LOCK = 7_352_190_116  # any constant: the Postgres advisory lock for opening and closing alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One leased message. Times are seconds since 1970 on the database's clock."""

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
    """Take the lock for updating alerts. SQLite needs none: its write transactions exclude each other."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def update_alerts(connection: Connection, found: Iterable[Condition], channels: Mapping[str, Sequence[str]]) -> None:
    """Open an alert for each new condition, close alerts whose condition is gone, and queue the messages.

    ``channels`` maps each channel to the kinds it receives; an empty list means all. Call it under `lock`.
    """
    at = database_time(connection)
    conditions = {condition.key: condition for condition in found}
    rows = connection.execute(select(alerts).where(alerts.c.open_key.is_not(None)).order_by(alerts.c.id)).mappings()
    open_rows = {row["open_key"]: row for row in rows}
    for key, row in open_rows.items():
        if key not in conditions:
            _close(connection, row["id"], at)
        elif row["text"] != conditions[key].text:
            connection.execute(update(alerts).where(alerts.c.id == row["id"]).values(text=conditions[key].text))
    for key in sorted(conditions.keys() - open_rows.keys()):
        _open(connection, conditions[key], at, channels)


def _open(connection: Connection, condition: Condition, at: float, channels: Mapping[str, Sequence[str]]) -> None:
    same = (alerts.c.kind == condition.kind) & (alerts.c.subject == condition.subject)
    last = connection.execute(select(alerts.c.recovered_at).where(same).order_by(alerts.c.id.desc()).limit(1)).scalar()
    row = {"kind": condition.kind, "subject": condition.subject, "text": condition.text, "opened_at": at}
    insert_missing(connection, alerts, [{**row, "open_key": condition.key}], unique="open_key")
    alert_id = connection.execute(select(alerts.c.id).where(alerts.c.open_key == condition.key)).scalar_one()
    due_at = max(at, min(last, at) + QUIET_S) if last else at
    wanting = [name for name, kinds in channels.items() if not kinds or condition.kind in kinds]
    _queue(connection, alert_id, wanting, "start", due_at)


def _close(connection: Connection, alert_id: int, at: float) -> None:
    """Close an alert and queue its recovery for every channel to which the start was sent or tried."""
    connection.execute(update(alerts).where(alerts.c.id == alert_id).values(open_key=None, recovered_at=at))
    starts = (alert_messages.c.alert_id == alert_id) & (alert_messages.c.phase == "start")
    unsent = starts & (alert_messages.c.state == "pending")
    never_tried = unsent & (alert_messages.c.attempts == 0) & alert_messages.c.lease_token.is_(None)
    connection.execute(delete(alert_messages).where(never_tried))
    tried = connection.execute(select(alert_messages.c.channel).where(starts).order_by(alert_messages.c.channel))
    channels = list(tried.scalars())
    # The recovery message names start and end, so a start that is still due is not needed.
    connection.execute(delete(alert_messages).where(unsent, alert_messages.c.lease_token.is_(None)))
    _queue(connection, alert_id, channels, "recovery", at)


def _queue(connection: Connection, alert_id: int, channels: Iterable[str], phase: Phase, due_at: float) -> None:
    rows = [
        {"alert_id": alert_id, "channel": name, "phase": phase, "state": "pending", "due_at": due_at}
        for name in sorted(channels)
    ]
    if rows:
        connection.execute(insert(alert_messages), rows)


def claim_message(connection: Connection, channels: Iterable[str]) -> Message | None:
    """Lease the message for one of these channels that has been due longest; None when no message is due.

    A recovery waits while another worker sends its start. A start that is still unsent at recovery is dropped.
    """
    token = secrets.token_hex(12)
    _drop_late_starts(connection)
    found = connection.execute(_next_due(channels)).one_or_none()
    if found is None:
        return None
    key = _row(found.alert_id, found.channel, found.phase)
    connection.execute(update(alert_messages).where(key).values(lease_token=token, due_at=db_now() + LEASE_S))
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
        .where(key)
    ).mappings()
    return Message(alert_id=found.alert_id, channel=found.channel, phase=found.phase, lease_token=token, **row.one())


def _next_due(channels: Iterable[str]) -> Select[tuple[int, str, str]]:
    """The key of the message that has been due longest, unless it is a recovery whose start is not sent."""
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
    return (
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


def _drop_late_starts(connection: Connection) -> None:
    """Drop unsent, unleased starts of recovered alerts: the recovery message names the start as well."""
    recovered = select(alerts.c.id).where(alerts.c.recovered_at.is_not(None))
    unleased = alert_messages.c.lease_token.is_(None) | (alert_messages.c.due_at <= db_now())
    connection.execute(
        delete(alert_messages).where(
            alert_messages.c.phase == "start",
            alert_messages.c.state == "pending",
            unleased,
            alert_messages.c.alert_id.in_(recovered),
        )
    )


def record_sent(connection: Connection, message: Message) -> None:
    """Record that the message was sent; it is never sent again."""
    _release_lease(connection, message, state="sent", last_error="")


def record_failed(connection: Connection, message: Message, error: str) -> None:
    """Record that sending failed; the message is due again in one minute, then in two, up to an hour."""
    wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**message.attempts)
    _release_lease(connection, message, attempts=message.attempts + 1, due_at=db_now() + wait_s, last_error=error)


def _release_lease(connection: Connection, message: Message, **values: Any) -> None:
    leased = _row(message.alert_id, message.channel, message.phase) & (
        alert_messages.c.lease_token == message.lease_token
    )
    connection.execute(update(alert_messages).where(leased).values(**values, lease_token=None))


def _row(alert_id: int, channel: str, phase: str) -> Any:
    return (
        (alert_messages.c.alert_id == alert_id)
        & (alert_messages.c.channel == channel)
        & (alert_messages.c.phase == phase)
    )


def open_alerts(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """The open alerts, oldest first, as rows of the table ``alerts``."""
    rows = select(alerts).where(alerts.c.open_key.is_not(None)).order_by(alerts.c.id)
    return [dict(row) for row in connection.execute(rows).mappings()]


def undelivered(connection: Connection) -> int:
    """How many due messages failed at least once."""
    waiting = select(alert_messages.c.alert_id).where(
        alert_messages.c.state == "pending", alert_messages.c.attempts > 0
    )
    return len(connection.execute(waiting).all())
