"""Destinations are delivered to side by side: what one of them does to us is not felt by the others."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select, update

from connectors.base import CallFailed, Unavailable
from tests.unit.delivery.scripted import ScriptedConnector
from worker.delivery.outbox import NewFields, queue_fields
from worker.delivery.side_by_side import deliver_all
from worker.delivery.stop import CancelToken
from worker.store.tables import outbox


def now() -> datetime:
    return datetime(2026, 7, 1, tzinfo=UTC)


def put(engine: Engine, destination: str, record_id: str) -> None:
    with engine.begin() as connection:
        queue_fields(connection, [NewFields(destination, record_id, record_id, "Account", {"Health": 40})], "r1")


def make_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(outbox).where(outbox.c.state == "pending").values(due_at=0.0))


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_what_is_queued_while_one_is_away_reaches_the_other_before_it_is_back(store: Engine) -> None:
    away, healthy = ScriptedConnector("away"), ScriptedConnector("healthy")
    put(store, "away", "001A")
    put(store, "healthy", "501")
    seen: list[bool] = []

    def answer(_operation: object) -> str | CallFailed:
        """Away at first, and then busy until the other has got what it should, or for 20 seconds."""
        wanted = "501" if not seen else "502"
        until(lambda: wanted in healthy.records)
        seen.append(wanted in healthy.records)
        return Unavailable("restarting", 2) if len(seen) == 1 else "applied"

    healthys: set[int] = set()

    def applied(_operation: object) -> str:
        healthys.add(threading.get_ident())
        return "applied"

    def wait(_seconds: float) -> None:
        """No time passes, but something is queued as soon as the healthy one has nothing left to do."""
        if threading.get_ident() in healthys and "502" not in healthy.records:
            put(store, "healthy", "502")
        make_due(store)

    away.script, healthy.script = answer, applied
    ended = deliver_all(store, {"away": away, "healthy": healthy}, now=now, stop=CancelToken(), wait=wait)
    assert seen == [True, True]
    assert set(away.records) == {"001A"}
    assert [(one.destination, one.stopped) for one in ended] == [("away", ""), ("healthy", "")]


def test_one_that_breaks_is_no_reason_to_look_again_for_ever(store: Engine) -> None:
    broken, healthy = ScriptedConnector("broken"), ScriptedConnector("healthy")
    put(store, "broken", "001A")
    put(store, "healthy", "501")
    broken.script = lambda _operation: 1 / 0  # type: ignore[assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        deliver_all(store, {"broken": broken, "healthy": healthy}, now=now, stop=CancelToken(), wait=lambda _s: None)
    assert set(healthy.records) == {"501"}


SENT_TO = {
    "the process": lambda number: os.kill(os.getpid(), number),
    "another thread": lambda number: signal.pthread_kill(threading.get_ident(), number),
}
"""The operating system gives a signal of the process to any of its threads; Python handles it in the main thread."""


@pytest.mark.parametrize("send", SENT_TO.values(), ids=SENT_TO)
def test_ctrl_c_ends_with_the_batch_under_way(sqlite_store: Engine, send: Callable[[int], None]) -> None:
    crm, stop = ScriptedConnector("crm", batch=1), CancelToken()
    put(sqlite_store, "crm", "001A")
    put(sqlite_store, "crm", "001B")

    def answer(_operation: object) -> str:
        send(signal.SIGINT)
        until(lambda: stop.cancelled)
        return "applied"

    crm.script = answer
    with pytest.raises(KeyboardInterrupt):
        deliver_all(sqlite_store, {"crm": crm}, now=now, stop=stop)
    with sqlite_store.begin() as connection:
        states = connection.execute(select(outbox.c.record_id, outbox.c.state).order_by(outbox.c.id)).all()
    assert [tuple(row) for row in states] == [("001A", "done"), ("001B", "pending")]
    assert set(crm.records) == {"001A"}


def test_who_is_told_to_end_at_once_does_not_wait_for_an_answer(sqlite_store: Engine) -> None:
    slow, answered = ScriptedConnector("slow"), threading.Event()
    put(sqlite_store, "slow", "001A")

    def answer(_operation: object) -> str:
        os.kill(os.getpid(), signal.SIGUSR2)
        answered.wait()
        return "applied"

    slow.script = answer
    before = signal.signal(signal.SIGUSR2, lambda *_: sys.exit(0))
    try:
        with pytest.raises(SystemExit):
            deliver_all(sqlite_store, {"slow": slow}, now=now, stop=CancelToken())
    finally:
        answered.set()
        signal.signal(signal.SIGUSR2, before)
