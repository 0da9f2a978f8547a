"""Sending what is due: claim a batch, hand it to the connector, write down every answer.

Delivery can die at any point: what was claimed becomes due again when its lease ends, and every
operation is safe to send again (updates by record id, CRM tasks by their key in the CRM).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Engine
from structlog.contextvars import bound_contextvars

from connectors.base import AccessDenied, Connector, Outcome, QuotaExhausted, Unavailable
from worker.delivery.counting import counted
from worker.delivery.outbox import Entry, claim, count_due, seconds_to_next
from worker.delivery.payload import KINDS, OPERATIONS, to_operation
from worker.delivery.settle import put_back, settle

log = structlog.get_logger()

_DENIED_WAIT_S = 60.0


@dataclass(slots=True)
class Delivery:
    """What one delivery to one destination did: outcomes by status, and why it stopped early, if it did."""

    destination: str
    outcomes: dict[str, int] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=dict)
    stopped: str = ""


def _always() -> bool:
    return True


def deliver(
    engine: Engine,
    connector: Connector,
    *,
    now: Callable[[], datetime],
    owner: str = "",
    go_on: Callable[[], bool] = _always,
) -> Delivery:
    """Send everything that is due for this connector's destination, tasks before fields, then return.

    An exhausted quota or an unreachable CRM ends this delivery, a refusal only the kind of operation that was
    refused: the rows wait and the reason is in `Delivery.stopped`. Other destinations are not concerned.
    ``go_on`` is asked before each batch; a no leaves the rest for the next delivery.
    """
    delivery = Delivery(connector.name)
    for kind in KINDS:
        if not _deliver_kind(engine, connector, kind, delivery, now=now, owner=owner, go_on=go_on):
            break
    if delivery.stopped:
        log.warning("delivery stopped", destination=connector.name, reason=delivery.stopped)
    return delivery


def _deliver_kind(
    engine: Engine,
    connector: Connector,
    kind: str,
    delivery: Delivery,
    *,
    now: Callable[[], datetime],
    owner: str,
    go_on: Callable[[], bool],
) -> bool:
    """Send all due operations of one kind; answers whether other kinds may be tried."""
    while go_on():
        limit = connector.batch_size(OPERATIONS[kind], count_due(engine, connector.name, kind))
        entries = claim(engine, connector.name, kind, limit, owner=owner)
        if not entries:
            return True
        operations = [to_operation(e.kind, e.key, e.record_id, e.payload) for e in entries]
        try:
            with counted(engine, connector, kind):
                outcomes = connector.write(operations)
        except AccessDenied as error:
            delivery.stopped = f"access denied: {error}"
            put_back(engine, entries, "ACCESS_DENIED", str(error), _DENIED_WAIT_S)
            return True
        except QuotaExhausted as error:
            delivery.stopped = f"quota exhausted until {error.until:%Y-%m-%d %H:%M} UTC"
            put_back(engine, entries, "QUOTA", str(error), max(1.0, (error.until - now()).total_seconds()))
            return False
        except Unavailable as error:
            delivery.stopped = f"unavailable: {error}"
            put_back(engine, entries, "UNAVAILABLE", str(error), error.retry_after)
            return False
        counts = settle(engine, entries, outcomes)
        _add(delivery, kind, counts)
        _say(connector.name, kind, entries, outcomes)
    return False


def _say(destination: str, kind: str, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> None:
    """One line per run and playbook whose operations were in the batch; a batch may hold what several runs queued."""
    statuses = {outcome.key: outcome.status for outcome in outcomes}
    groups: dict[tuple[str, str], dict[str, int]] = {}
    for entry in entries:
        counts = groups.setdefault((entry.run_id, entry.playbook_id), {})
        status = statuses.get(entry.key, "unknown")
        counts[status] = counts.get(status, 0) + 1
    for (run_id, playbook_id), counts in sorted(groups.items()):
        of_playbook = {"playbook": playbook_id} if playbook_id else {}
        with bound_contextvars(run_id=run_id, destination=destination, **of_playbook):
            log.info("delivered", kind=kind, **counts)


def deliver_patiently(
    engine: Engine,
    connector: Connector,
    *,
    now: Callable[[], datetime],
    wait: Callable[[float], None],
    patience_s: float,
    owner: str = "",
    go_on: Callable[[], bool] = _always,
) -> Delivery:
    """`deliver`, and again after short waits for what the CRM asked to retry, ``patience_s`` in all.

    `Delivery.stopped` says why rows still wait; it is empty when none does.
    """
    total = deliver(engine, connector, now=now, owner=owner, go_on=go_on)
    waited = 0.0
    while (due_in := seconds_to_next(engine, connector.name)) is not None:
        if waited + due_in > patience_s or not go_on():
            return total
        pause = max(due_in, 0.05)
        wait(pause)
        waited += pause
        again = deliver(engine, connector, now=now, owner=owner, go_on=go_on)
        for kind, count in again.applied.items():
            total.applied[kind] = total.applied.get(kind, 0) + count
        for status, count in again.outcomes.items():
            total.outcomes[status] = total.outcomes.get(status, 0) + count
        total.stopped = again.stopped or total.stopped
    total.stopped = ""
    return total


def _add(delivery: Delivery, kind: str, counts: dict[str, int]) -> None:
    for status, count in counts.items():
        delivery.outcomes[status] = delivery.outcomes.get(status, 0) + count
    if "applied" in counts:
        delivery.applied[kind] = delivery.applied.get(kind, 0) + counts["applied"]


def fewest_write_calls(connector: Connector, applied: Mapping[str, int]) -> int:
    """The fewest calls that can write so many operations of each kind: full batches, nothing sent twice."""
    return sum(connector.fewest_calls(OPERATIONS[kind], count) for kind, count in applied.items())
