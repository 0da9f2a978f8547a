"""400 days of runs, deliveries and nightly pruning: nothing grows that may not, nothing is made twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, select, update

from worker.delivery.leases import claim
from worker.delivery.outbox import NewFields, NewTask, queue_fields, queue_tasks
from worker.settings.schedule import Retention
from worker.store import retention as module
from worker.store.engine import database_moment, database_time
from worker.store.retention import prune
from worker.store.sizes import sizes
from worker.store.state import save_decisions, save_history, save_playbook_run, save_volume
from worker.store.tables import crm_tasks, ledger, outbox, runs

DAYS = {"sqlite": 400, "postgresql": 160}
"""Long enough for two rounds of everything that is kept for 30 days or asked for again for 60."""
DAY_S = 86_400.0
ACCOUNTS = [f"a{number}" for number in range(5)]
KEPT = Retention.model_validate(
    dict.fromkeys(("ledger", "decisions", "history", "runs", "outbox", "calls", "alerts"), "30d")
)


def compute(connection: Connection, day: int, at: float, moment: str) -> None:
    """One run: history, decisions, a value for every account, and every task of the last 60 days, once more."""
    commit_run(connection, f"r{day}", at, moment)
    save_history(connection, moment[:10], {account: {"health.score": day % 100} for account in ACCOUNTS}, "c")
    save_volume(connection, moment, 5, day, {})
    save_playbook_run(connection, "p", moment, {"entered": 1})
    decided = {"playbook_id": "p", "account_id": "a0", "event": "entered", "because": "x"}
    save_decisions(connection, f"r{day}", [decided])
    changes = [NewFields("crm", account, f"R-{account}", "Account", {"score": day}) for account in ACCOUNTS]
    queue_fields(connection, changes, f"r{day}")
    lately = range(max(0, day - 60), day + 1)
    every_task = [new_task(f"k{n}") for n in lately]
    queue_tasks(connection, every_task, f"r{day}")


def commit_run(connection: Connection, run_id: str, at: float, moment: str = "2026-06-30") -> None:
    run = {"id": run_id, "as_of": moment, "config_version": "c", "committed_at": at}
    connection.execute(insert(runs).values(**run))


def new_task(key: str) -> NewTask:
    return NewTask(
        destination="crm",
        kind="task_create",
        key=key,
        account_id="a0",
        record_id="R-a0",
        playbook_id="p",
        payload={},
        rank=0.0,
    )


def deliver(engine: Engine, at: float) -> list[str]:
    """Send everything that is due; the keys of what was sent."""
    sent = []
    for kind in ("task_create", "fields"):
        for entry in claim(engine, "crm", kind, 1000):
            sent.append(entry.idem_key)
            with engine.begin() as connection:
                done = {"state": "done", "lease_token": None, "due_at": at, "attempted": None}
                connection.execute(update(outbox).where(outbox.c.id == entry.id).values(**done))
                effect = {"run_id": entry.run_id, "destination": "crm", "kind": kind, "idem_key": entry.idem_key}
                answered = {"account_id": entry.account_id, "operation": {}, "status": "applied", "at": at}
                connection.execute(insert(ledger).values(**effect, **answered))
                if kind == "task_create":
                    task: dict[str, Any] = dict.fromkeys(("task_id", "account_id", "playbook_id", "task_key"), "x")
                    task |= {"destination": "crm", "key": entry.key, "entry": 1, "status": "completed"}
                    connection.execute(insert(crm_tasks).values(**task, close_when_leaves=False))
    return sent


@pytest.mark.timeout(600)
def test_a_year_keeps_every_table_flat_and_makes_no_task_twice(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    days = DAYS[store.dialect.name]
    with store.begin() as connection:
        start = database_moment(connection).timestamp() - days * DAY_S
    sent: Counter[str] = Counter()
    seen: list[Mapping[str, int]] = []
    for day in range(days):
        at = start + day * DAY_S
        moment = datetime.fromtimestamp(at, UTC)
        with store.begin() as connection:
            compute(connection, day, at, f"{moment:%Y-%m-%dT%H:%M:%SZ}")
        sent.update(deliver(store, at))
        monkeypatch.setattr(module, "database_moment", lambda _, moment=moment: moment)
        prune(store, KEPT)
        if day % 20 == 19 and day > 60:
            with store.begin() as connection:
                seen.append(sizes(connection).rows)
    tasks = {key: count for key, count in sent.items() if key.startswith("task_create")}
    assert tasks == {f"task_create:crm:k{n}": 1 for n in range(days)}
    grown = {name for name in seen[0] if len({rows[name] for rows in seen}) > 1}
    assert grown == {"crm_tasks"}, "what keeps a task from being made twice stays, and nothing else grows"


def test_a_delivery_gets_its_turn_between_two_batches(store: Engine) -> None:
    """On SQLite there is one writer at a time; a delivery that began to wait is done before the next batch."""
    with store.begin() as connection:
        row = {"run_id": "", "destination": "", "kind": "", "idem_key": "", "account_id": "", "status": ""}
        connection.execute(insert(ledger), [row | {"at": 1.0, "operation": {}}] * (module.ROWS_AT_ONCE * 3))
        changes = [NewFields("crm", account, f"R-{account}", "Account", {"score": 1}) for account in ACCOUNTS]
        queue_fields(connection, changes, "r")
        at = database_time(connection)
        commit_run(connection, "r", at)
    delivered: list[int] = []

    def goes_on() -> bool:
        worker = threading.Thread(target=lambda: delivered.append(len(deliver(store, at))))
        worker.start()
        worker.join(60)
        return True

    assert prune(store, Retention())["ledger"] == module.ROWS_AT_ONCE * 3
    assert delivered == []
    with store.begin() as connection:
        connection.execute(insert(ledger), [row | {"at": 1.0, "operation": {}}] * (module.ROWS_AT_ONCE * 3))
    prune(store, Retention(), goes_on)
    assert delivered[0] == len(ACCOUNTS)
    assert len(delivered) >= 3


def test_on_postgres_a_delivery_does_not_even_wait_for_a_batch(postgres_store: Engine) -> None:
    """Between the deletes of a batch and its commit a worker delivers; its lock timeout is far below the test's."""
    postgres_store.dispose()

    @event.listens_for(postgres_store, "connect")
    def _wait_briefly(connection: Any, _record: Any) -> None:
        connection.execute("set lock_timeout = '5s'")
        connection.commit()

    with postgres_store.begin() as connection:
        changes = [NewFields("crm", account, f"R-{account}", "Account", {"score": 1}) for account in ACCOUNTS]
        queue_fields(connection, changes, "r")
        at = database_time(connection)
        commit_run(connection, "r", at)
        old: dict[str, Any] = {
            "run_id": "r",
            "destination": "crm",
            "kind": "fields",
            "account_id": "old",
            "payload_hash": "",
        }
        old |= {"idem_key": "fields:crm:old", "payload": {}, "context": {}, "state": "done", "due_at": 1.0}
        connection.execute(insert(outbox).values(**old, created_at=1.0))
    delivered: list[int] = []

    @event.listens_for(postgres_store, "after_cursor_execute")
    def _deliver_inside(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE FROM outbox") and not delivered:
            delivered.append(0)
            delivered[0] = len(deliver(postgres_store, at))

    assert prune(postgres_store, Retention()) == {"outbox": 1}
    assert delivered == [len(ACCOUNTS)]
    with postgres_store.begin() as connection:
        assert connection.execute(select(outbox.c.account_id).order_by(outbox.c.id)).scalars().all() == ACCOUNTS
