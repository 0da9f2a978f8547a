"""Who wrote this and why: every effect is found by whatever a person has of it, with its reasons and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, update

from connectors.base import CreateRecord
from tests.unit.delivery.scripted import ScriptedConnector
from worker.delivery.leases import CRASHES_BEFORE_DEAD, claim
from worker.delivery.outbox import NewFields, NewTask, queue_fields, queue_tasks
from worker.delivery.record_outbox import queue_records
from worker.delivery.send import deliver
from worker.delivery.task_context import TaskContext
from worker.store.ledger import effects_of
from worker.store.state import save_decisions, start_run
from worker.store.subjects import subject_of
from worker.store.tables import outbox

TASK: Mapping[str, Any] = {"subject": "Call", "body": "", "due": "2026-07-01", "priority": "high", "owner_id": None}
CONTEXT = TaskContext(task_key="t", entry=1, close_when_leaves=True)
K1: dict[str, Any] = {"destination": "crm", "key": "k1", "account_id": "a", "playbook_id": "pql"}
REASONS = {"fields": {"Health__c": {"name": "health", "by": "health.score", "old": 40, "because": "no logins"}}}


def now() -> datetime:
    return datetime(2026, 7, 1, tzinfo=UTC)


def find(store: Engine, text: str, *fields: str, limit: int = 50) -> list[Mapping[str, Any]]:
    with store.begin() as connection:
        return list(effects_of(connection, subject_of(text, ["crm"]), fields, limit))


@pytest.fixture
def written(store: Engine, crm: ScriptedConnector) -> Engine:
    """Two accounts: one got two fields writes and a task that was closed later, the other a record and a field."""
    with store.begin() as connection:
        start_run(connection, "r1", "2026-07-01T00:00:00Z", "c1")
        decision = {"playbook_id": "pql", "account_id": "a", "event": "entered", "because": "pql.score >= 70"}
        save_decisions(connection, "r1", [decision])
        queue_fields(connection, [NewFields("crm", "a", "001A", "Account", {"Health__c": 55}, REASONS)], "r1")
        queue_records(
            connection, "crm", [("b", CreateRecord("b", "Account", {"Id__c": "b"}), {"because": "new"})], "r1"
        )
        task = NewTask(kind="task_create", record_id="001A", payload=TASK, rank=1.0, context=CONTEXT, **K1)
        queue_tasks(connection, [task], "r1")
    deliver(store, crm, now=now)
    with store.begin() as connection:
        queue_fields(connection, [NewFields("crm", "a", "001A", "Account", {"Band__c": "red"})], "r2")
        queue_fields(connection, [NewFields("crm", "b", "T-b", "Account", {"Health__c": 1}, REASONS)], "r2")
        close = NewTask(kind="task_close", record_id="T-k1", payload={"task_id": "T-k1"}, rank=0.0, **K1)
        queue_tasks(connection, [close], "r2")
    crm.script = lambda operation: "rejected" if getattr(operation, "record_id", "") == "T-b" else "applied"
    deliver(store, crm, now=now)
    return store


@pytest.fixture
def crm() -> ScriptedConnector:
    return ScriptedConnector()


OF_A = ["fields", "fields", "task_close", "task_create"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("001A", OF_A),
        ("a", OF_A),
        ("https://acme.lightning.force.com/lightning/r/Account/001A/view", OF_A),
        ("https://app.hubspot.com/contacts/1/record/0-2/001A", OF_A),
        ("k1", ["task_close", "task_create"]),
        ("T-k1", ["task_close", "task_create"]),
        ("b", ["fields", "record_create"]),
        ("T-b", ["fields", "record_create"]),
        ("nobody", []),
    ],
)
def test_effects_are_found_by_whatever_a_person_has(written: Engine, text: str, kinds: list[str]) -> None:
    assert sorted(row["kind"] for row in find(written, text)) == kinds


def test_each_effect_has_its_run_its_reasons_and_the_answer(written: Engine) -> None:
    made = next(row for row in find(written, "001A") if row["kind"] == "task_create")
    assert (made["run_id"], made["as_of"], made["config_version"]) == ("r1", "2026-07-01T00:00:00Z", "c1")
    assert (made["event"], made["because"], made["crm_id"]) == ("entered", "pql.score >= 70", "T-k1")
    (first,) = find(written, "001A", "Health__c")
    assert (first["reasons"], first["operation"]["values"], first["status"]) == (REASONS, {"Health__c": 55}, "applied")
    (refused,) = find(written, "b", "Health__c")
    assert (refused["status"], refused["run_id"], refused["as_of"]) == ("rejected", "r2", None)


def test_the_newest_come_first_and_only_as_many_as_asked_for(written: Engine) -> None:
    ids = [row["id"] for row in find(written, "a")]
    assert ids == sorted(ids, reverse=True)
    assert [row["id"] for row in find(written, "a", limit=2)] == ids[:2]


def test_an_answer_carries_the_reasons_of_what_was_sent_not_of_what_waits(
    store: Engine, crm: ScriptedConnector
) -> None:
    def newer(_operation: object) -> str:
        other = {"fields": {"Health__c": {"because": "newer"}}}
        with store.begin() as connection:
            queue_fields(connection, [NewFields("crm", "a", "001A", "Account", {"Health__c": 60}, other)], "r2")
        crm.script = lambda _operation: "applied"
        return "applied"

    with store.begin() as connection:
        queue_fields(connection, [NewFields("crm", "a", "001A", "Account", {"Health__c": 55}, REASONS)], "r1")
    crm.script = newer
    deliver(store, crm, now=now)
    because = [row["reasons"]["fields"]["Health__c"]["because"] for row in find(store, "a")]
    assert because == ["newer", "no logins"]


def test_what_may_be_in_the_crm_though_its_workers_died_is_in_the_ledger_too(store: Engine) -> None:
    with store.begin() as connection:
        queue_fields(connection, [NewFields("crm", "a", "001A", "Account", {"Health__c": 55}, REASONS)], "r1")
    for _ in range(CRASHES_BEFORE_DEAD):
        assert claim(store, "crm", "fields", 1)
        with store.begin() as connection:
            connection.execute(update(outbox).values(due_at=0.0))
    assert claim(store, "crm", "fields", 1) == []
    effects = find(store, "001A", "Health__c")
    assert [effect["code"] for effect in effects] == ["CRASHED", "LEASE_ENDED"], "not once for every death"
    assert [(effect["status"], effect["reasons"], effect["run_id"]) for effect in effects] == [
        ("unknown", REASONS, "r1")
    ] * 2


def test_what_a_dead_worker_sent_does_not_go_by_the_reasons_of_what_replaced_it(store: Engine) -> None:
    newer = {"fields": {"Health__c": {"name": "health", "by": "health.score", "because": "newer"}}}
    for value, reasons, run_id in ((55, REASONS, "r1"), (60, newer, "r2")):
        with store.begin() as connection:
            queue_fields(connection, [NewFields("crm", "a", "001A", "Account", {"Health__c": value}, reasons)], run_id)
            connection.execute(update(outbox).values(due_at=0.0))
        assert claim(store, "crm", "fields", 1)
    (effect,) = find(store, "001A", "Health__c")
    assert (effect["status"], effect["operation"]["values"], effect["run_id"]) == ("unknown", {"Health__c": 55}, "")
    assert effect["reasons"] == {"fields": {"Health__c": {"name": "health"}}}


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("0010i0000046cD3", "0010i0000046cD3AAI"),
        (" 0019000000B98deAAB ", "0019000000B98deAAB"),
        ("https://acme.my.salesforce.com/0019000000B98de", "0019000000B98deAAB"),
    ],
)
def test_a_short_salesforce_id_means_the_long_one(pasted: str, meant: str) -> None:
    assert meant in subject_of(pasted, []).ids
