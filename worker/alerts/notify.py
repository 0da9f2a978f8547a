"""Comparing what is with what was told, and telling the difference. Nothing that goes wrong here stops the work."""

from __future__ import annotations

from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.clock import now, stopwatch
from worker.alerts.alert_store import Message, claim_message, lock, note_failed, note_sent, update_book
from worker.alerts.channels import NotSent, send
from worker.alerts.conditions import find_conditions
from worker.alerts.facts import gather
from worker.settings.alerts import AlertSettings, Channel
from worker.settings.project import Project
from worker.store.engine import transact

log = structlog.get_logger()

LONGEST_S = 30.0
"""Sending ends after so long; what is left is sent by whoever watches next."""


def raise_alerts(engine: Engine, settings: AlertSettings, root: Path, project: Project | None) -> None:
    """Open and close alerts by what the state database holds, and send what is due on every channel.

    ``project`` is None while its settings cannot be read.
    """
    try:
        _look(engine, settings, project)
        _send_due(engine, settings, root)
    except SQLAlchemyError as error:
        log.error("alerts not looked at", kind=type(error).__name__)


def _look(engine: Engine, settings: AlertSettings, project: Project | None) -> None:
    def compare(connection: Connection) -> None:
        lock(connection)
        found = find_conditions(gather(connection, project), settings.when)
        update_book(connection, found, {name: channel.only for name, channel in settings.channels.items()})

    transact(engine, compare)


def _send_due(engine: Engine, settings: AlertSettings, root: Path) -> None:
    channels, started = dict(settings.channels), stopwatch()
    while channels and stopwatch() - started < LONGEST_S:
        with engine.begin() as connection:
            message = claim_message(connection, channels)
        if message is None:
            return
        error = _try(channels[message.channel], root, message)
        with engine.begin() as connection:
            if error is None:
                note_sent(connection, message)
            else:
                note_failed(connection, message, error)
        if error is not None:  # what else waits for this channel would wait for its time-out too
            del channels[message.channel]


def _try(channel: Channel, root: Path, message: Message) -> str | None:
    """Send one message; answers why it did not go out."""
    where = {"channel": message.channel, "alert": message.kind, "subject": message.subject, "phase": message.phase}
    try:
        send(channel, message, root, now())
    except NotSent as error:
        log.warning("alert not sent", reason=str(error), **where)
        return str(error)
    log.info("alert sent", **where)
    return None
