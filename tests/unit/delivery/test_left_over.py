"""What a run says that it could not finish: rows that were due or are held by somebody, and no others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from connectors.base import AccessDenied, CallFailed, QuotaExhausted, Unavailable
from tests.unit.delivery.scripted import ScriptedConnector, always
from tests.unit.delivery.test_outbox import fields, make_due, now, put_fields, put_tasks, task
from worker.delivery.leases import claim
from worker.delivery.left_over import LeftOver, left_over
from worker.delivery.record_outcomes import MOST_ATTEMPTS
from worker.delivery.row_state import RowState
from worker.delivery.send import Delivery, deliver
from worker.store.engine import database_time
from worker.store.tables import outbox


def deliver_and_look(engine: Engine, crm: ScriptedConnector) -> list[LeftOver]:
    """One delivery, and what it leaves over."""
    with engine.begin() as connection:
        since = database_time(connection)
    delivery = deliver(engine, crm, now=now)
    with engine.begin() as connection:
        return left_over(connection, since, [delivery])


HOLDS: dict[str, tuple[CallFailed, RowState, str]] = {
    "401": (AccessDenied("token expired"), RowState.DENIED, "access denied: token expired"),
    "quota": (
        QuotaExhausted("used up", until=now() + timedelta(hours=5)),
        RowState.QUOTA,
        "waiting for quota until 2026-07-01 05:00 UTC: used up",
    ),
    "outage": (Unavailable("maintenance", 300), RowState.WAITING, "unavailable: maintenance"),
}


@pytest.mark.parametrize(("failure", "state", "why"), HOLDS.values(), ids=HOLDS)
def test_rows_that_a_crm_holds_count_in_every_run_until_it_lets_them_go(
    store: Engine, crm: ScriptedConnector, failure: CallFailed, state: RowState, why: str
) -> None:
    crm.batch = 2
    put_fields(store, *(fields(f"001{place}", Health=40) for place in range(5)))
    crm.script = always(failure)
    held = deliver_and_look(store, crm)
    assert [(one.rows, one.why) for one in held] == [(5, why)], "those of the first batch, and those behind it"
    with store.begin() as connection:
        connection.execute(update(outbox).values(due_at=database_time(connection) + 50, last_code=_code(failure)))
        connection.execute(update(outbox).values(last_reason=str(failure)))
    (again,) = deliver_and_look(store, crm)
    assert (again.rows, again.row_state) == (5, state), "nothing was due, and they are held all the same"
    crm.script = always("applied")
    make_due(store)
    assert deliver_and_look(store, crm) == []


def _code(failure: CallFailed) -> str:
    return {AccessDenied: "ACCESS_DENIED", QuotaExhausted: "QUOTA"}.get(type(failure), "UNAVAILABLE")


def test_rejected_and_dead_rows_count_in_the_run_that_parked_them(store: Engine, crm: ScriptedConnector) -> None:
    put_fields(store, fields("001A", Health=40), fields("001B", Health=41), fields("001C", Health=42))
    with store.begin() as connection:
        connection.execute(update(outbox).where(outbox.c.record_id == "001B").values(attempts=MOST_ATTEMPTS - 1))
    answers = {"001A": "rejected", "001B": "unknown", "001C": "applied"}
    crm.script = lambda operation: answers[operation.record_id]  # type: ignore[union-attr]
    found = deliver_and_look(store, crm)
    assert {(one.row_state, one.rows) for one in found} == {(RowState.PARKED, 1), (RowState.DEAD, 1)}
    assert deliver_and_look(store, crm) == [], "from the next run on they are what plgsync status says"


def test_a_back_off_counts_in_the_run_that_tried_it_and_not_before_its_time(
    store: Engine, crm: ScriptedConnector
) -> None:
    put_fields(store, fields("001A", Health=40))
    crm.script = always("retry")
    (tried,) = deliver_and_look(store, crm)
    assert (tried.row_state, tried.rows) == (RowState.WAITING, 1)
    with store.begin() as connection:
        connection.execute(update(outbox).values(due_at=database_time(connection) + 60))
    assert deliver_and_look(store, crm) == []


def test_tasks_without_a_record_or_owner_and_rows_that_others_send_do_not_count(
    store: Engine, crm: ScriptedConnector
) -> None:
    put_tasks(store, task("k1", record_id=None))
    put_fields(store, fields("001A", Health=40))
    assert claim(store, "crm", "fields", 10)
    assert deliver_and_look(store, crm) == []


def test_rows_of_a_destination_that_the_settings_lost_say_how_to_give_them_up(store: Engine) -> None:
    put_fields(store, fields("001A", Health=40))
    with store.begin() as connection:
        (lost,) = left_over(connection, database_time(connection), [Delivery("another")])
    assert lost.rows == 1
    assert lost.why.endswith("plgsync outbox drop --destination crm --all-matching")
