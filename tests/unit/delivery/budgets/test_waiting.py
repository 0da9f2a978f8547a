"""Operations beyond the daily quota wait in the outbox with a reason, and the highest rank goes first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from connectors.base import Bucket, Operation, Outcome, RateLimitStatus
from connectors.rate_limiter import RateLimiter
from tests.unit.delivery.scripted import ScriptedConnector
from worker.delivery.budgets.budget import SharedBudget
from worker.delivery.budgets.day import Day
from worker.delivery.outbox import NewFields, NewTask, queue_fields, queue_tasks
from worker.delivery.send import deliver, deliver_patiently
from worker.delivery.task_context import TaskContext
from worker.settings.crm import Quota
from worker.store.calls import calls_spent
from worker.store.tables import outbox

MIDNIGHT = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
PAYLOAD = {"subject": "s", "body": "b", "due": "2026-07-01", "priority": "high", "owner_id": "005A"}


class CountingCrm(ScriptedConnector):
    """A CRM with 100 calls a day that says how many are used; one write is one call."""

    budget: SharedBudget
    used = 0

    def write(self, operations: Sequence[Operation]) -> Sequence[Outcome]:
        permit = self.budget.acquire(Bucket("calls"))
        self.used += 1
        outcomes = super().write(operations)
        self.budget.observe(permit, RateLimitStatus(day_limit=100, day_used=self.used, day_ends=MIDNIGHT))
        return outcomes


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def crm(store: Engine) -> CountingCrm:
    made = CountingCrm(batch=1)
    made.budget = SharedBudget(RateLimiter(), Day(store, "crm", Quota(share=0.5), now, lambda: 0.0))
    return made


def fill(store: Engine, tasks: int, fields: int) -> None:
    known = {"destination": "crm", "kind": "task_create", "account_id": "a", "record_id": "R", "playbook_id": "renewal"}
    context = TaskContext(task_key="t", entry=1, close_when_leaves=True)
    with store.begin() as connection:
        queue_tasks(
            connection,
            [NewTask(**known, key=f"k{n}", payload=PAYLOAD, rank=float(n), context=context) for n in range(tasks)],
            "r1",
        )
        queue_fields(
            connection, [NewFields("crm", f"a{n}", f"R{n}", "Account", {"score": n}) for n in range(fields)], "r1"
        )


def waiting(store: Engine) -> list[tuple[str, str, str, str, float]]:
    columns = (outbox.c.kind, outbox.c.state, outbox.c.last_code, outbox.c.last_reason, outbox.c.due_at)
    with store.begin() as connection:
        rows = connection.execute(select(*columns).where(outbox.c.state != "done"))
        return [tuple(row) for row in rows]


def test_tasks_go_before_fields_and_the_highest_rank_first(store: Engine, crm: CountingCrm) -> None:
    crm.used = 40
    fill(store, tasks=20, fields=5)
    deliver(store, crm, now=now)
    assert [key for (key,) in crm.calls] == [f"k{n}" for n in range(19, 9, -1)]


def test_fields_leave_the_reserve_to_tasks_that_come_later(store: Engine, crm: CountingCrm) -> None:
    crm.used = 40
    fill(store, tasks=0, fields=20)
    deliver(store, crm, now=now)
    assert len(crm.records) == 5
    fill(store, tasks=3, fields=0)
    deliver(store, crm, now=now)
    assert (len(crm.tasks), len(crm.records)) == (3, 5)


def test_a_waiting_entry_names_the_reason_and_the_time(store: Engine, crm: CountingCrm) -> None:
    crm.used = 49
    fill(store, tasks=3, fields=4)
    delivery = deliver(store, crm, now=now)
    left = waiting(store)
    assert len(left) == 6
    says = f"waiting for quota until {MIDNIGHT:%Y-%m-%d %H:%M} UTC: 50 of the CRM's 100 daily calls are used"
    assert delivery.stopped.startswith(says)
    for _kind, state, code, reason, due_at in left:
        assert (state, code, reason.startswith(says)) == ("pending", "QUOTA", True)
        assert abs(due_at - MIDNIGHT.timestamp()) < 60


def test_a_run_does_not_wait_for_quota(store: Engine, crm: CountingCrm) -> None:
    crm.used = 60
    fill(store, tasks=3, fields=4)
    waits: list[float] = []
    delivery = deliver_patiently(store, crm, now=now, wait=waits.append, patience_s=20.0)
    assert (waits, "waiting for quota" in delivery.stopped) == ([], True)


def test_calls_are_counted_for_the_playbooks_that_asked(store: Engine, crm: CountingCrm) -> None:
    fill(store, tasks=4, fields=2)
    deliver(store, crm, now=now)
    crm.budget.close()
    with store.begin() as connection:
        (spent,) = calls_spent(connection)
    assert spent.ours == {("task_create", "renewal"): 4.0, ("fields", ""): 2.0}
