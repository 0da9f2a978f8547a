"""All workers together use at most our share of a CRM's daily quota; tasks are the last to wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete

from connectors.base import Bucket, QuotaExhausted, RateLimitStatus
from connectors.rate_limiter import RateLimiter
from worker.delivery.budgets.budget import SharedBudget
from worker.delivery.budgets.day import Day
from worker.delivery.budgets.purpose import spending_on
from worker.settings.crm import Quota
from worker.store.calls import CallsSpent, DailyQuota, calls_spent, record_daily_quota
from worker.store.tables import quotas

CALLS = Bucket("calls")
TONIGHT = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)


@dataclass
class Worker:
    """One worker's budget, on a clock that a test moves."""

    store: Engine
    quota: Quota
    passed_s: float = 0.0
    budget: SharedBudget = field(init=False)

    def __post_init__(self) -> None:
        day = Day(self.store, "crm", self.quota, self.now, lambda: 1000.0 + self.passed_s)
        self.budget = SharedBudget(RateLimiter(), day)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.passed_s)

    def call(self, kind: str, status: RateLimitStatus | None = None, playbooks: tuple[str, ...] = ()) -> None:
        with spending_on(kind, playbooks):
            self.budget.observe(self.budget.acquire(CALLS), status or RateLimitStatus())

    def may(self, kind: str) -> bool:
        try:
            self.call(kind)
        except QuotaExhausted:
            return False
        return True


def day(used: int, limit: int = 1000, ends: datetime | None = TONIGHT) -> RateLimitStatus:
    return RateLimitStatus(day_limit=limit, day_used=used, day_ends=ends)


@pytest.fixture
def worker(store: Engine) -> Worker:
    return Worker(store, Quota())


def spent(store: Engine) -> CallsSpent:
    with store.begin() as connection:
        (found,) = calls_spent(connection)
    return found


def test_our_share_of_the_day_counts_what_others_used(worker: Worker) -> None:
    worker.call("task_create", day(799))
    assert worker.may("task_create")
    worker.call("task_create", day(800))
    with pytest.raises(QuotaExhausted, match=r"800 of the CRM's 1,000 daily calls are used.*80%") as stopped:
        worker.call("task_create")
    assert stopped.value.until == TONIGHT


def test_fields_stop_while_tasks_and_reading_go_on(worker: Worker) -> None:
    worker.call("fields", day(720))
    with pytest.raises(QuotaExhausted, match="the rest is reserved for tasks"):
        worker.call("fields")
    assert [worker.may(kind) for kind in ("record_create", "task_create", "task_update", "read")] == [True] * 4
    worker.budget.observe(worker.budget.acquire(CALLS), day(800))
    with pytest.raises(QuotaExhausted):
        worker.budget.acquire(CALLS)


def test_an_operation_that_started_may_complete(worker: Worker) -> None:
    worker.call("task_create", day(799))
    with spending_on("task_create", ["renewal"]):
        worker.budget.observe(worker.budget.acquire(CALLS), day(800))
        worker.budget.acquire(CALLS)  # the task exists: this call associates it with its company
    assert not worker.may("task_create")


def test_the_next_day_starts_with_the_full_quota(worker: Worker) -> None:
    worker.call("fields", day(1000))
    assert not worker.may("fields")
    worker.passed_s = 5 * 3600 + 1
    assert worker.may("fields")


def test_of_a_rolling_day_the_highest_recent_reading_counts(worker: Worker) -> None:
    worker.call("task_create", day(801, ends=None))
    worker.budget.observe(worker.budget._rate_limiter.acquire(CALLS), day(790, ends=None))
    with pytest.raises(QuotaExhausted) as stopped:
        worker.call("task_create")
    assert timedelta(minutes=10) < stopped.value.until - worker.now() <= timedelta(minutes=15)
    worker.passed_s = 15 * 60
    assert worker.may("task_create"), "then one call reads the count again"


def test_our_own_daily_limit_counts_all_workers(store: Engine) -> None:
    one, other = (Worker(store, Quota(daily=40)) for _ in range(2))
    for _ in range(20):
        one.call("task_create")
        other.call("task_create")
    one.budget.close()
    other.passed_s = one.passed_s = 6.0
    assert not other.may("task_create")
    one.passed_s = 12.0
    assert not one.may("task_create")


def test_workers_share_a_reading(store: Engine) -> None:
    one, other = Worker(store, Quota()), Worker(store, Quota())
    assert other.may("fields")
    one.call("fields", day(900))
    one.budget.close()
    other.passed_s = 6.0
    assert not other.may("task_create")
    assert not Worker(store, Quota()).may("task_create"), "a worker that has just started knows it too"


WITHOUT_A_COUNT = RateLimitStatus(day_ends=TONIGHT)


def test_an_answer_without_a_count_leaves_the_count_as_it_is(store: Engine) -> None:
    one, other = Worker(store, Quota()), Worker(store, Quota())
    one.call("fields", day(900))
    one.budget.observe(one.budget._rate_limiter.acquire(CALLS), WITHOUT_A_COUNT)
    assert not one.may("task_create")
    one.budget.close()
    other.budget.observe(other.budget._rate_limiter.acquire(CALLS), WITHOUT_A_COUNT)
    other.budget.close()
    assert not other.may("task_create")
    assert not Worker(store, Quota()).may("task_create")
    assert (spent(store).used, spent(store).limit) == (900, 1000)


def test_a_day_without_a_count_begins_when_its_end_is_another(worker: Worker) -> None:
    worker.call("fields", day(900))
    worker.budget.observe(
        worker.budget._rate_limiter.acquire(CALLS), RateLimitStatus(day_ends=TONIGHT + timedelta(days=1))
    )
    assert worker.may("task_create")


@pytest.mark.parametrize("counted_s_ago", [1.0, 4.0])
def test_workers_without_a_count_do_not_erase_one(store: Engine, counted_s_ago: float) -> None:
    readings = [(DailyQuota(1000, 900, TONIGHT), counted_s_ago), (DailyQuota(None, None, TONIGHT), 2.0)]
    for order in (readings, readings[::-1]):
        with store.begin() as connection:
            connection.execute(delete(quotas))
            for reading, age_s in order:
                record_daily_quota(connection, "crm", reading, age_s)
        assert spent(store).used == 900


def test_an_older_reading_does_not_replace_a_newer_one(store: Engine) -> None:
    with store.begin() as connection:
        record_daily_quota(connection, "crm", DailyQuota(1000, 30, TONIGHT), 1.0)
        record_daily_quota(connection, "crm", DailyQuota(1000, 10, TONIGHT), 4.0)
    assert spent(store).used == 30


def test_calls_are_counted_for_what_they_were_for(worker: Worker, store: Engine) -> None:
    worker.call("task_create", day(7), playbooks=("renewal", "renewal", "renewal", "expansion"))
    worker.call("fields", day(8))
    worker.budget.observe(worker.budget.acquire(CALLS), day(9))
    worker.budget.close()
    found = spent(store)
    assert found.ours == {
        ("task_create", "renewal"): 0.75,
        ("task_create", "expansion"): 0.25,
        ("fields", ""): 1.0,
        ("read", ""): 1.0,
    }
    assert (found.total, found.used, found.limit, found.day_ends) == (3, 9, 1000, TONIGHT)


def test_calls_that_were_too_fast_are_counted_over_all_workers(store: Engine) -> None:
    workers = [Worker(store, Quota()) for _ in range(2)]
    for one in workers:
        with spending_on("fields", []):
            one.budget.acquire(CALLS)
            one.budget.pause(CALLS, 0.0)
        one.budget.close()
    assert (spent(store).refused, spent(store).total) == (2, 2)


@pytest.mark.parametrize(("hours_ago", "left"), [(23, 970), (25, None)])
def test_a_reading_of_a_rolling_day_expires_after_a_day(store: Engine, hours_ago: int, left: int | None) -> None:
    with store.begin() as connection:
        record_daily_quota(connection, "crm", DailyQuota(1000, 30, None), hours_ago * 3600.0)
    assert spent(store).left == left


def test_an_unavailable_database_stops_no_call(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    import worker.delivery.budgets.day as module

    def unavailable(*_: object) -> None:
        raise OperationalError("", {}, Exception())

    with monkeypatch.context() as broken:
        broken.setattr(module, "transact", unavailable)
        for _ in range(50):
            worker.call("fields")
    worker.budget.close()
    assert spent(worker.store).total == 50
