"""One account in a CRM, from the state database: rows of the outbox, and tasks whose rows are gone."""

from __future__ import annotations

from sqlalchemy import Engine, delete

from tests.unit.planning.test_make_plan import open_row, record, view
from worker.delivery.outbox import NewTask, queue_tasks
from worker.planning.account_in_crm import QueuedEffect, account_in_crms
from worker.store.ledger import record_effects
from worker.store.tables import outbox


def effects(store: Engine) -> list[tuple[str, str, str, str]]:
    tasks = {key: open_row(key=key, status=status) for key, status in (("old", "completed"), ("new", "in_progress"))}
    of_others = {"other": open_row("b", "other")}
    (found,) = account_in_crms(store, [view(record("a"), tasks={**tasks, **of_others})], "a")
    return sorted(map(shown, found.effects))


def shown(effect: QueuedEffect) -> tuple[str, str, str, str]:
    assert (effect.kind, effect.playbook_id) == ("task_create", "pql")
    return effect.subject, effect.state, effect.words, effect.no_person


def test_a_delivered_task_is_shown_after_its_row_was_pruned(store: Engine) -> None:
    with store.begin() as connection:
        for key in ("old", "new"):
            task = NewTask(
                destination="crm",
                kind="task_create",
                key=key,
                account_id="a",
                record_id="Ra",
                playbook_id="pql",
                payload={"subject": f"Call {key}"},
                rank=1.0,
            )
            queue_tasks(connection, [task], "r")
    assert [(subject, words) for subject, _, words, _ in effects(store)] == [("Call new", ""), ("Call old", "")]

    effect = {"run_id": "r", "destination": "crm", "kind": "task_create", "idem_key": "task_create:crm:old"}
    answer = {"account_id": "a", "record_id": "Ra", "playbook_id": "pql", "status": "applied"}
    with store.begin() as connection:
        record_effects(connection, [{**effect, **answer, "operation": {"subject": "Call old"}}])
        connection.execute(delete(outbox))
    assert effects(store) == [
        ("", "done", "in progress in the CRM", ""),
        ("Call old", "done", "completed in the CRM", ""),
    ]
