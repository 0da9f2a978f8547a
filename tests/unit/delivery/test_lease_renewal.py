"""A batch stays leased by the worker that sends it, however many calls it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select, update

from tests.unit.delivery.scripted import ScriptedConnector
from worker.delivery.lease_renewal import lease_renewal
from worker.delivery.leases import claim
from worker.delivery.outbox import NewFields, queue_fields
from worker.delivery.send import deliver
from worker.store.tables import outbox


@pytest.fixture(autouse=True)
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLGSYNC_LEASE_S", "1")


def put(engine: Engine, *records: str) -> None:
    with engine.begin() as connection:
        queue_fields(connection, [NewFields("crm", one, one, "Account", {"Health": 40}) for one in records], "r1")


def lease_end(engine: Engine, record_id: str) -> float:
    with engine.begin() as connection:
        return float(connection.execute(select(outbox.c.due_at).where(outbox.c.record_id == record_id)).scalar_one())


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_batch_under_way_keeps_its_lease(store: Engine) -> None:
    crm = ScriptedConnector()
    put(store, "001A")

    def answer(_operation: object) -> str:
        first = lease_end(store, "001A")
        until(lambda: lease_end(store, "001A") > first + 1.0)
        return "applied"

    crm.script = answer
    deliver(store, crm, now=lambda: datetime(2026, 7, 1, tzinfo=UTC))
    assert set(crm.records) == {"001A"}


def test_what_somebody_else_has_taken_over_is_not_taken_back(store: Engine) -> None:
    put(store, "001A", "001B")
    entries = claim(store, "crm", "fields", 2)
    with store.begin() as connection:
        taken = update(outbox).where(outbox.c.record_id == "001B").values(lease_token="another's", due_at=7.0)
        connection.execute(taken)
    first = lease_end(store, "001A")
    with lease_renewal(store, entries):
        until(lambda: lease_end(store, "001A") > first)
    assert lease_end(store, "001B") == 7.0


def test_what_is_left_is_not_held_any_longer(store: Engine) -> None:
    put(store, "001A")
    with lease_renewal(store, claim(store, "crm", "fields", 1)):
        pass
    with store.begin() as connection:
        connection.execute(update(outbox).values(due_at=0.0))
    assert [entry.record_id for entry in claim(store, "crm", "fields", 1)] == ["001A"]
