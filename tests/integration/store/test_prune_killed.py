"""A process that prunes is killed twice in the middle of a batch; the next ends the work and loses nothing needed."""

from __future__ import annotations

import os
import signal
from multiprocessing import get_context
from typing import Any

from sqlalchemy import Engine, event, select

from tests.unit.store.test_retention import effect, left, made, queued, ran
from worker.delivery.outbox import NewTask, queue_tasks
from worker.settings.schedule import Retention
from worker.store import retention as module
from worker.store.engine import connect_store
from worker.store.retention import prune
from worker.store.sizes import sizes
from worker.store.tables import crm_tasks, ledger, outbox

BATCH = 10
OLD = 25


def prune_and_die(url: str, at: int) -> None:
    """Prune until the delete of this number is made and not committed."""
    module.ROWS_AT_ONCE = BATCH
    engine = connect_store(url)
    deletes = iter(range(1, at))

    @event.listens_for(engine, "after_cursor_execute")
    def _die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE") and next(deletes, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    prune(engine, Retention())


def killed(store: Engine, at: int) -> None:
    url = store.url.render_as_string(hide_password=False)
    process = get_context("spawn").Process(target=prune_and_die, args=(url, at))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def test_a_prune_killed_in_the_middle_of_a_batch_is_ended_by_the_next(store: Engine) -> None:
    keys = [f"k{n}" for n in range(OLD)]
    with store.begin() as connection:
        ran(connection)
        for key in keys:
            effect(connection, 401, idem_key=key)
            made(connection, key, "completed")
            queued(connection, "task_create", key)
        queued(connection, "task_create", "not seen in the CRM yet")
        queued(connection, "task_create", "waits", state="pending")
        needed = {"task_create:crm:not seen in the CRM yet", "task_create:crm:waits"}
    killed(store, at=2)
    assert len(left(store, ledger.c.idem_key)) == OLD - BATCH, "the first batch is committed, the second one whole"
    killed(store, at=4)
    assert left(store, ledger.c.idem_key) == set()
    assert len(left(store, outbox.c.idem_key)) == OLD - BATCH + len(needed)
    assert prune(store, Retention()) == {"outbox": OLD - BATCH}
    with store.begin() as connection:
        rows = sizes(connection).rows
        assert (rows["ledger"], rows["outbox"], rows["crm_tasks"]) == (0, len(needed), OLD)
        again = [*keys, "not seen in the CRM yet", "waits"]
        words: dict[str, Any] = {"destination": "crm", "kind": "task_create", "payload": {}, "rank": 0.0}
        words |= {"account_id": "a", "record_id": "R", "playbook_id": "p"}
        queue_tasks(connection, [NewTask(key=key, **words) for key in again], "r2")
        assert set(connection.execute(select(outbox.c.idem_key)).scalars()) == needed, "no task is queued again"
        assert set(connection.execute(select(crm_tasks.c.key)).scalars()) == set(keys)
