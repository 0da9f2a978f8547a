"""A connector asks its budget before every call, reports every answer to it, and sends nothing beyond it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from connectors.base import Bucket, Connector, Permit, QuotaExhausted, RateLimitStatus
from connectors.clock import now
from connectors.rate_limiter import RateLimiter
from connectors.registry import connect
from tests.contract.connectors.drive import companies, task, update, values
from tests.contract.connectors.harness import Crm
from worker.delivery.budgets.budget import open_budget
from worker.settings.crm import Quota
from worker.store.calls import calls_spent


class RecordingLimiter(RateLimiter):
    """The connector's own rate limiter, which records its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.statuses: list[RateLimitStatus] = []
        self.closed = False

    def acquire(self, bucket: Bucket) -> Permit:
        self.asked.append(bucket.name)
        return super().acquire(bucket)

    def observe(self, permit: Permit, status: RateLimitStatus) -> None:
        self.statuses.append(status)
        super().observe(permit, status)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def engine(sqlite_store: Engine) -> Engine:
    return sqlite_store


def use(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    connector.describe("account")
    connector.write([update(crm, record, score=2) for record in records])
    connector.write([task(records[0])])
    connector.owners()


def test_every_call_is_acquired_and_every_answer_observed(crm: Crm) -> None:
    budget = RecordingLimiter()
    connector = connect(crm.destination(), budget=budget)
    assert connector.server_time() is None, "no answer yet"
    use(crm, connector)
    at = connector.server_time()
    assert at is not None, "by the Date of the answers"
    assert abs(now() - at) < timedelta(minutes=1)
    assert len(budget.asked) == connector.usage().calls == len(budget.statuses)
    assert all(status.day_used and status.day_limit for status in budget.statuses)
    connector.close()
    assert budget.closed


def test_beyond_our_share_of_the_day_nothing_is_sent(crm: Crm, engine: Engine) -> None:
    records = companies(crm, 2)
    connector = connect(crm.destination(), budget=open_budget(engine, crm.kind, Quota(share=0.00001), None))
    with suppress(QuotaExhausted):
        connector.owners()  # its answer carries the count of the day
    crm.forget_calls()
    with pytest.raises(QuotaExhausted) as stopped:
        connector.write([update(crm, record, score=2) for record in records])
    assert stopped.value.until > datetime.now(UTC)
    assert crm.calls() == []
    assert values(crm, records, "score") == [None] * 2
    connector.close()


def test_the_calls_of_a_day_can_be_looked_up(crm: Crm, engine: Engine) -> None:
    crm.forget_calls()
    connector = connect(crm.destination(), budget=open_budget(engine, crm.kind, Quota(), None))
    use(crm, connector)
    connector.close()
    with engine.begin() as connection:
        (spent,) = calls_spent(connection)
    assert spent.total == connector.usage().calls
    assert spent.used is not None
    assert spent.limit is not None
    assert spent.total <= spent.used < spent.limit
