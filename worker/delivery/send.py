"""Sends due rows: claims a batch, hands it to the connector, stores every outcome.

Delivery can die at any point: claimed rows become due again when their lease ends, and every operation is safe to send
again (updates by record id, CRM tasks by their key in the CRM).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Engine
from structlog.contextvars import bound_contextvars

from connectors.base import AccessDenied, CallFailed, Connector, Outcome, QuotaExhausted, Unavailable, Underway
from worker.delivery.budgets.purpose import spending_on
from worker.delivery.lease_renewal import lease_renewal
from worker.delivery.leases import Entry, claim, count_due, seconds_to_next
from worker.delivery.payload import KINDS, NAMES, OPERATIONS, Kind, to_operation
from worker.delivery.record_outcomes import defer, record_outcomes, release
from worker.delivery.selection import ACCESS_DENIED, QUOTA
from worker.telemetry.steps import report_step
from worker.telemetry.tracing import span

log = structlog.get_logger()

UNAVAILABLE = "UNAVAILABLE"
UNDERWAY = "UNDERWAY"
CALL_FAILED = "CALL_FAILED"
"""Codes of rows that wait for a CRM as a whole, beside `ACCESS_DENIED` and `QUOTA`."""
_DENIED_WAIT_S = 60.0
_UNDERWAY_S = 900.0
"""How long an inline run waits for a bulk job that the CRM is processing."""


@dataclass(slots=True)
class Delivery:
    """The result of one delivery to one destination: outcomes by status, and applied operations by kind.

    ``stopped`` says why it stopped early, ``stopped_by`` is the code of that; both are empty when it did not.
    ``underway``: it stopped because the CRM has accepted the rows and is still processing them.
    """

    destination: str
    outcomes: dict[str, int] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=dict)
    stopped: str = ""
    stopped_by: str = ""
    underway: bool = False

    def add(self, more: Delivery) -> None:
        """Add the counts of a further attempt, and keep the reason of the last attempt that stopped."""
        for mine, others in ((self.outcomes, more.outcomes), (self.applied, more.applied)):
            for name, count in others.items():
                mine[name] = mine.get(name, 0) + count
        self.stopped, self.underway = more.stopped or self.stopped, more.underway
        self.stopped_by = more.stopped_by or self.stopped_by


def _always() -> bool:
    return True


def deliver(
    engine: Engine,
    connector: Connector,
    *,
    now: Callable[[], datetime],
    owner: str = "",
    may_continue: Callable[[], bool] = _always,
) -> Delivery:
    """Send every due row of this connector's destination, tasks before fields.

    An exhausted quota or an unreachable CRM ends the delivery. Denied access, or a CRM that is still processing rows,
    ends only that kind of operation. The rows wait, and `Delivery.stopped` has the reason. Other destinations are not
    affected. When ``may_continue`` answers false before a batch, the next delivery sends the rest.
    """
    delivery = Delivery(connector.name)
    for kind in KINDS:
        if not _deliver_kind(engine, connector, kind, delivery, now=now, owner=owner, may_continue=may_continue):
            break
    if delivery.stopped:
        log.warning("delivery stopped", destination=connector.name, reason=delivery.stopped)
    return delivery


def _deliver_kind(
    engine: Engine,
    connector: Connector,
    kind: Kind,
    delivery: Delivery,
    *,
    now: Callable[[], datetime],
    owner: str,
    may_continue: Callable[[], bool],
) -> bool:
    """Send all due operations of one kind; answers whether other kinds may be sent."""
    sent = 0
    while may_continue():
        due = count_due(engine, connector.name, kind)
        if due or sent:
            report_step(f"{NAMES[kind]} to {connector.name}", sent, sent + due, lane=connector.name)
        limit = connector.batch_size(OPERATIONS[kind], due)
        entries = claim(engine, connector.name, kind, limit, owner=owner)
        if not entries:
            return True
        try:
            with lease_renewal(engine, entries):
                outcomes = _write(connector, kind, entries)
        except CallFailed as failure:
            halt = _halt(failure, now())
            delivery.stopped, delivery.underway = halt.words, isinstance(failure, Underway)
            delivery.stopped_by = halt.code
            reason = halt.words if halt.code == QUOTA else str(failure)
            release(engine, entries, halt.code, reason, halt.wait_s, sent=delivery.underway)
            if halt.code == QUOTA:
                defer(engine, connector.name, KINDS[KINDS.index(kind) :], halt.code, reason, halt.wait_s)
            return halt.others_go_on
        sent += len(entries)
        noted = record_outcomes(engine, entries, outcomes)
        _add(delivery, kind, Counter(noted.values()))
        _log_batch(connector.name, kind, entries, noted)
    return False


def _write(connector: Connector, kind: Kind, entries: Sequence[Entry]) -> Sequence[Outcome]:
    """Hand one batch to the connector. Raises `CallFailed` when it failed as a whole."""
    operations = [to_operation(e.kind, e.key, e.record_id, e.payload) for e in entries]
    playbooks = [entry.playbook_id for entry in entries]
    runs = sorted({entry.run_id for entry in entries})
    of = {"run_ids": runs, "playbooks": sorted({*playbooks} - {""})}
    before = connector.usage().calls
    with (
        spending_on(kind, playbooks),
        span(f"write {kind}", calls_out=True, runs=runs, fine=Underway, kind=kind, rows=len(entries), **of) as batch,
    ):
        try:
            outcomes = connector.write(operations)
        finally:
            batch.set_attributes(calls=connector.usage().calls - before)
        batch.set_attributes(**Counter(str(outcome.status) for outcome in outcomes))
    return outcomes


@dataclass(frozen=True, slots=True)
class _Halt:
    """The consequence of a call that failed as a whole for its delivery."""

    code: str
    words: str
    wait_s: float
    others_go_on: bool = False


def _halt(failure: CallFailed, now: datetime) -> _Halt:
    match failure:
        case AccessDenied():
            return _Halt(ACCESS_DENIED, f"access denied: {failure}", _DENIED_WAIT_S, others_go_on=True)
        case QuotaExhausted():
            words = f"waiting for quota until {failure.until:%Y-%m-%d %H:%M} UTC: {failure}"
            return _Halt(QUOTA, words, max(1.0, (failure.until - now).total_seconds()))
        case Underway():
            return _Halt(UNDERWAY, f"under way: {failure}", failure.retry_after, others_go_on=True)
        case Unavailable():
            return _Halt(UNAVAILABLE, f"unavailable: {failure}", failure.retry_after)
        case _:
            return _Halt(CALL_FAILED, str(failure), _DENIED_WAIT_S)


def _log_batch(destination: str, kind: str, entries: Sequence[Entry], noted: Mapping[str, str]) -> None:
    """Log one line per run and playbook: a batch may contain operations that several runs queued."""
    groups: dict[tuple[str, str], Counter[str]] = {}
    for entry in entries:
        groups.setdefault((entry.run_id, entry.playbook_id), Counter())[noted[entry.key]] += 1
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
    may_continue: Callable[[], bool] = _always,
    total: Delivery | None = None,
) -> Delivery:
    """`deliver`, and again after short pauses when the CRM asks to retry, for ``patience_s`` in all.

    While the CRM is processing a bulk job, the limit is 15 minutes. The results are added to ``total``.
    `Delivery.stopped` says why rows still wait; it is empty when none does.
    """
    total = total or Delivery(connector.name)
    waited = 0.0
    while True:
        total.add(deliver(engine, connector, now=now, owner=owner, may_continue=may_continue))
        due_in = seconds_to_next(engine, connector.name)
        if due_in is None:
            total.stopped = ""
            return total
        if waited + due_in > (_UNDERWAY_S if total.underway else patience_s) or not may_continue():
            return total
        pause = max(due_in, 0.05)
        report_step(f"waiting for {connector.name}", lane=connector.name)
        wait(pause)
        waited += pause


def _add(delivery: Delivery, kind: str, counts: Mapping[str, int]) -> None:
    for status, count in counts.items():
        delivery.outcomes[status] = delivery.outcomes.get(status, 0) + count
    if "applied" in counts:
        delivery.applied[kind] = delivery.applied.get(kind, 0) + counts["applied"]


def fewest_write_calls(connector: Connector, applied: Mapping[str, int]) -> int:
    """The fewest calls that can write so many operations of each kind: full batches, nothing sent twice."""
    return sum(connector.fewest_calls(OPERATIONS[kind], count) for kind, count in applied.items())
