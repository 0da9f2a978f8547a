"""Delivery to all destinations at once, one thread each: a slow or rejecting CRM delays no other."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent import futures
from contextvars import copy_context
from datetime import datetime
from functools import partial

from sqlalchemy import Engine
from structlog.contextvars import bound_contextvars

from connectors.base import Connector
from connectors.clock import stopwatch
from worker.delivery.send import Delivery, deliver_patiently
from worker.delivery.stop import CancelToken
from worker.telemetry.tracing import span

_PATIENCE_S = 20.0
_POLL_EVERY_S = 1.0
_NOTICE_WITHIN_S = 0.1


def deliver_all(
    engine: Engine,
    connectors: Mapping[str, Connector],
    *,
    now: Callable[[], datetime],
    stop: CancelToken,
    owner: str = "",
    at_most_s: float = math.inf,
    wait: Callable[[float], None] | None = None,
) -> list[Delivery]:
    """Deliver to every destination, in parallel.

    A destination that is done checks the outbox again while another one bridges an outage, so that rows queued
    meanwhile are sent. After ``stop`` is cancelled, after ``at_most_s`` and after Ctrl-C no batch starts; the next
    delivery sends the rest. ``wait`` sleeps during pauses; by default they end early when ``stop`` is cancelled.
    """
    started, outages = stopwatch(), _Outages(connectors)

    def may_continue() -> bool:
        return not stop.cancelled and stopwatch() - started < at_most_s

    deliver = partial(
        deliver_patiently,
        engine,
        now=now,
        wait=wait or stop.wait,
        patience_s=_PATIENCE_S,
        owner=owner,
        may_continue=may_continue,
    )

    deliver_one = partial(
        _deliver_one, deliver=deliver, outages=outages, may_continue=may_continue, wait=wait or outages.wait
    )
    return _in_threads(deliver_one, connectors.values(), stop)


class _Outages:
    """The destinations whose first delivery has not ended: they may be bridging an outage."""

    def __init__(self, names: Collection[str]) -> None:
        self._names, self._none_left = set(names), threading.Event()

    def any(self) -> bool:
        return bool(self._names)

    def over(self, name: str) -> None:
        self._names.discard(name)
        if not self._names:
            self._none_left.set()

    def wait(self, seconds: float) -> None:
        """Sleep, at most until none is left."""
        self._none_left.wait(seconds)


def _deliver_one(
    connector: Connector,
    *,
    deliver: Callable[..., Delivery],
    outages: _Outages,
    may_continue: Callable[[], bool],
    wait: Callable[[float], None],
) -> Delivery:
    with bound_contextvars(destination=connector.name), span("deliver") as delivering:
        try:
            delivery = deliver(connector)
        finally:
            outages.over(connector.name)
        while outages.any() and may_continue():
            wait(_POLL_EVERY_S)
            delivery = deliver(connector, total=delivery)
        delivering.set_attributes(**delivery.outcomes)
        if delivery.stopped and not delivery.underway:
            delivering.fail(delivery.stopped_by)
        return delivery


def _in_threads(
    deliver_one: Callable[[Connector], Delivery], connectors: Collection[Connector], stop: CancelToken
) -> list[Delivery]:
    if not connectors:
        return []
    pool = futures.ThreadPoolExecutor(max_workers=len(connectors))
    deliveries: list[futures.Future[Delivery]] = []
    try:
        deliveries.extend(pool.submit(copy_context().run, deliver_one, connector) for connector in connectors)
        while futures.wait(deliveries, _NOTICE_WITHIN_S).not_done:
            pass  # a signal that another thread got wakes no wait without a limit
    except KeyboardInterrupt:
        stop.cancel()
        futures.wait(deliveries)
        raise
    finally:
        pool.shutdown(wait=False)  # a process that must end at once leaves unanswered rows to the next lease
    return [delivery.result() for delivery in deliveries]
