"""Credentials, quota and bad days: the right person is notified, and calls are never wasted."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from connectors.base import AccessDenied, Connector, Outcome, QuotaExhausted, Unavailable
from tests.contract.connectors.drive import companies, deliver, match_key, statuses, task, update, values
from tests.contract.connectors.harness import Crm


def test_check_says_who_we_are_and_what_is_left(crm: Crm, connector: Connector) -> None:
    health = connector.check()
    assert health.identity
    assert health.calls_left is not None
    assert health.calls_limit is not None
    assert 0 < health.calls_left <= health.calls_limit
    assert health.problems == ()


def test_an_expired_token_is_replaced_once_and_the_call_replayed(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    assert statuses(connector.write([update(crm, record, score=1) for record in records])) == ["applied"] * 3
    crm.forget_calls()
    crm.arm("token_expired")
    assert statuses(connector.write([update(crm, record, score=2) for record in records])) == ["applied"] * 3
    assert [call.status for call in crm.calls()].count(401) == 1
    assert sum(call.write and call.status < 400 for call in crm.calls()) == 1
    assert values(crm, records, "score") == [2, 2, 2]


def test_refused_for_good_costs_three_calls_at_most(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    connector.write([update(crm, records[0], score=1)])
    crm.forget_calls()
    crm.arm("access_revoked")
    with pytest.raises(AccessDenied):
        connector.write([update(crm, record, score=2) for record in records])
    assert 1 <= len(crm.calls()) <= 3
    assert values(crm, records, "score") == [1, None, None]


def test_threads_that_meet_an_expired_token_share_one_refresh(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 8)
    connector.write([update(crm, records[0], score=1)])
    crm.arm("token_expired")
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda record=record: outcomes.extend(connector.write([update(crm, record, score=7)])))
        for record in records
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses(outcomes) == ["applied"] * 8
    assert values(crm, records, "score") == [7] * 8
    logins = [call for call in crm.calls() if "oauth" in call.path and call.method == "POST"]
    assert len(logins) <= 2


def test_a_used_up_quota_says_until_when(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    crm.arm("quota_exhausted")
    crm.forget_calls()
    with pytest.raises(QuotaExhausted) as caught:
        connector.write([update(crm, record, score=2) for record in records])
    assert caught.value.until > datetime.now(UTC)
    assert len([call for call in crm.calls() if call.write]) <= 1
    assert values(crm, records, "score") == [None] * 3


def test_reading_from_a_crm_that_is_down_is_unavailable(crm: Crm, connector: Connector) -> None:
    companies(crm, 1)
    crm.arm("unavailable_reads")
    with pytest.raises(Unavailable) as caught:
        connector.match([match_key("a0")], [])
    assert caught.value.retry_after > 0


def test_after_a_bad_day_everything_is_as_it_should_be(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 30)
    tasks = [task(record) for record in records]
    fields = [update(crm, record, score=66) for record in records]
    for fault in ("answer_lost", "unavailable", "token_expired", "answer_lost_midway", "row_locked", "connection_lost"):
        crm.arm(fault)
        deliver(crm, tasks)
        deliver(crm, fields)
    assert values(crm, records, "score") == [66] * 30
    assert sorted(seen.key for seen in crm.tasks()) == sorted(op.key for op in tasks)


def test_owners_are_people_with_their_state(crm: Crm, connector: Connector) -> None:
    ann, bob = crm.add_owner("ann@example.com"), crm.add_owner("bob@example.com", active=False)
    owners = {owner.id: owner for owner in connector.owners()}
    assert (owners[ann].email, owners[ann].active) == ("ann@example.com", True)
    assert (owners[bob].email, owners[bob].active) == ("bob@example.com", False)


def test_a_record_has_a_page_a_person_can_open(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    assert connector.record_url(record).startswith("http")
    assert record in connector.record_url(record)
