"""Opens and closes alerts and sends their messages. No failure in here stops the work that is alerted about."""

from __future__ import annotations

from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.clock import now, stopwatch
from worker.alerts.alert_store import Message, claim_message, lock, record_failed, record_sent, update_alerts
from worker.alerts.channels import NotSent, send
from worker.alerts.conditions import find_conditions
from worker.alerts.facts import load_facts
from worker.settings.alerts import AlertSettings, Channel
from worker.settings.project import Project
from worker.store.engine import transact

log = structlog.get_logger()

LONGEST_S = 30.0
"""Sending stops after this many seconds; the next job sends the rest."""


def raise_alerts(engine: Engine, settings: AlertSettings, root: Path, project: Project | None) -> None:
    """Open and close alerts by what the state database holds, and send the messages that are due.

    ``project`` is None while its settings cannot be read. Database errors are logged, not raised.
    """
    try:
        _update_alerts(engine, settings, project)
        _send_due(engine, settings, root)
    except SQLAlchemyError as error:
        log.error("alerts not updated", kind=type(error).__name__)


def _update_alerts(engine: Engine, settings: AlertSettings, project: Project | None) -> None:
    def compare(connection: Connection) -> None:
        lock(connection)
        found = find_conditions(load_facts(connection, project), settings.when)
        update_alerts(connection, found, {name: channel.only for name, channel in settings.channels.items()})

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
                record_sent(connection, message)
            else:
                record_failed(connection, message, error)
        if error is not None:  # its other messages would time out as well
            del channels[message.channel]


def _try(channel: Channel, root: Path, message: Message) -> str | None:
    """Send one message; returns the cause when it was not sent."""
    where = {"channel": message.channel, "alert": message.kind, "subject": message.subject, "phase": message.phase}
    try:
        send(channel, message, root, now())
    except NotSent as error:
        log.warning("alert not sent", reason=str(error), **where)
        return str(error)
    log.info("alert sent", **where)
    return None
