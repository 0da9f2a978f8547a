"""The outbox's promises: once per key, newest value wins, answers only under their own lease."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, Update, delete, event, update

from connectors.base import ALREADY_CLOSED, AccessDenied, CallFailed, Outcome, QuotaExhausted, Unavailable, Underway
from tests.conftest import some_of
from tests.unit.delivery.scripted import ScriptedConnector, always
from worker.delivery.backlog import attempted_fields, drop_rows, parked_fields, retry_rows
from worker.delivery.leases import CRASHES_BEFORE_ALONE, CRASHES_BEFORE_DEAD, claim, effect_of, reclaim_leases
from worker.delivery.outbox import (
    NO_RECORD,
    NewFields,
    NewTask,
    operation_key,
    queue_fields,
    queue_tasks,
    withdraw_tasks,
)
from worker.delivery.record_outcomes import MOST_ATTEMPTS, record_outcomes, release
from worker.delivery.send import Delivery, deliver, deliver_patiently
from worker.delivery.task_context import TaskContext
from worker.store.crm import GONE, load_records, load_snapshot, load_tasks, load_written, save_records, unmatched
from worker.store.ledger import record_effects
from worker.store.tables import crm_tasks, ledger, outbox, snapshot


def now() -> datetime:
    return datetime(2026, 7, 1, tzinfo=UTC)


Rows = Callable[[], dict[str, dict[str, Any]]]

TASK: Mapping[str, Any] = {
    "subject": "PQL 82: Acme",
    "body": "Why now",
    "due": "2026-07-01",
    "priority": "high",
    "owner_id": "005A",
}
CONTEXT = TaskContext(task_key="first-touch", entry=1, close_when_leaves=True)


def fields(record_id: str, **values: Any) -> NewFields:
    return NewFields("crm", f"account-{record_id}", record_id, "Account", values)


def task(key: str, rank: float = 0.0, record_id: str | None = "001A") -> NewTask:
    return NewTask(
        destination="crm",
        kind="task_create",
        key=key,
        account_id="a1",
        record_id=record_id,
        playbook_id="pql-to-task",
        payload=TASK,
        rank=rank,
        context=CONTEXT,
    )


def put_fields(engine: Engine, *changes: NewFields, run_id: str = "r1") -> None:
    with engine.begin() as connection:
        queue_fields(connection, changes, run_id)


def put_tasks(engine: Engine, *tasks: NewTask, run_id: str = "r1") -> None:
    with engine.begin() as connection:
        queue_tasks(connection, tasks, run_id)


def make_due(engine: Engine) -> None:
    """Let every back-off and every lease run out, without waiting for it."""
    with engine.begin() as connection:
        connection.execute(update(outbox).values(due_at=0.0))


def test_a_task_key_is_queued_once_for_ever(store: Engine, crm: ScriptedConnector, rows: Rows) -> None:
    put_tasks(store, task("k1"))
    deliver(store, crm, now=now)
    put_tasks(store, task("k1"), run_id="r2")
    deliver(store, crm, now=now)

    assert list(crm.tasks) == ["k1"]
    assert len(crm.calls) == 1
    assert rows()["task_create:crm:k1"]["run_id"] == "r1"


def test_an_applied_task_is_noted_with_its_crm_id(store: Engine, crm: ScriptedConnector) -> None:
    put_tasks(store, task("k1"))
    deliver(store, crm, now=now)

    with store.begin() as connection:
        (noted,) = load_tasks(connection)
    assert (noted.key, noted.task_id, noted.status, noted.task_key) == ("k1", "T-k1", "open", "first-touch")


def test_the_newest_fields_win_and_the_same_fields_again_change_nothing(
    store: Engine, crm: ScriptedConnector, rows: Rows
) -> None:
    put_fields(store, fields("001A", Health=40))
    put_fields(store, fields("001A", Health=55))
    before = rows()["fields:crm:001A"]
    put_fields(store, fields("001A", Health=55), run_id="r2")
    assert rows()["fields:crm:001A"] == before

    deliver(store, crm, now=now)
    assert crm.records == {"001A": {"Health": 55}}
    with store.begin() as connection:
        assert load_snapshot(connection, "crm") == {"001A": {"Health": 55}}


def test_an_answer_to_an_older_payload_leaves_the_newer_one_waiting(
    store: Engine, crm: ScriptedConnector, rows: Rows
) -> None:
    put_fields(store, fields("001A", Health=40))
    entries = claim(store, "crm", "fields", 100)
    put_fields(store, fields("001A", Health=55))
    record_outcomes(store, entries, [Outcome(key=entries[0].key, status="applied")])

    assert rows()["fields:crm:001A"]["state"] == "pending"
    with store.begin() as connection:
        assert load_snapshot(connection, "crm") == {"001A": {"Health": 40}}
    deliver(store, crm, now=now)
    assert crm.records == {"001A": {"Health": 55}}


def test_a_late_answer_under_a_lost_lease_changes_nothing(store: Engine, rows: Rows) -> None:
    put_fields(store, fields("001A", Health=40))
    frozen = claim(store, "crm", "fields", 100)
    make_due(store)
    taken_over = claim(store, "crm", "fields", 100)
    assert [entry.id for entry in taken_over] == [entry.id for entry in frozen]
    held = rows()

    assert record_outcomes(store, frozen, [Outcome(key=frozen[0].key, status="rejected")]) == {frozen[0].key: "fenced"}
    assert rows() == held


def test_values_that_a_late_worker_may_have_put_back_are_replaced_by_the_newest_once_more(
    store: Engine, crm: ScriptedConnector
) -> None:
    put_fields(store, fields("001A", Health=40))
    frozen = claim(store, "crm", "fields", 100)
    put_fields(store, fields("001A", Health=55), run_id="r2")
    make_due(store)
    deliver(store, crm, now=now)
    assert crm.records == {"001A": {"Health": 55}}

    crm.records["001A"]["Health"] = 40  # the frozen worker's request arrives at last
    assert record_outcomes(store, frozen, [Outcome(key=frozen[0].key, status="applied")]) == {frozen[0].key: "fenced"}
    deliver(store, crm, now=now)
    assert crm.records == {"001A": {"Health": 55}}


def test_a_late_answer_is_made_good_even_while_the_newer_values_are_under_way(
    store: Engine, crm: ScriptedConnector
) -> None:
    put_fields(store, fields("001A", Health=40))
    frozen = claim(store, "crm", "fields", 100)
    put_fields(store, fields("001A", Health=55), run_id="r2")
    make_due(store)
    newer = claim(store, "crm", "fields", 100)
    assert record_outcomes(store, frozen, [Outcome(key=frozen[0].key, status="applied")]) == {frozen[0].key: "fenced"}
    assert record_outcomes(store, newer, [Outcome(key=newer[0].key, status="applied")]) == {newer[0].key: "applied"}
    deliver(store, crm, now=now)
    assert crm.records == {"001A": {"Health": 55}}
    deliver(store, crm, now=now)
    assert len(crm.calls) == 1, "once more is enough"


def test_nothing_is_leased_twice_at_the_same_time(store: Engine) -> None:
    put_tasks(store, *(task(f"k{n}") for n in range(200)))
    taken: list[int] = []

    def work() -> None:
        while entries := claim(store, "crm", "task_create", 7):
            taken.extend(entry.id for entry in entries)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == len(set(taken)) == 200


def test_the_higher_rank_goes_first(store: Engine) -> None:
    put_tasks(store, task("cold", 10.0), task("hot", 90.0), task("warm", 50.0))
    assert {entry.key for entry in claim(store, "crm", "task_create", 2)} == {"hot", "warm"}


def test_a_rejected_record_is_parked_until_its_values_change(store: Engine, crm: ScriptedConnector, rows: Rows) -> None:
    crm.script = lambda operation: "rejected" if operation.key == "bad" else "applied"
    put_fields(store, fields("bad", Health=40), fields("good", Health=41))
    deliver(store, crm, now=now)
    assert (rows()["fields:crm:bad"]["state"], rows()["fields:crm:good"]["state"]) == ("parked", "done")
    with store.begin() as connection:
        assert parked_fields(connection, "crm") == {"bad": {"Health": 40}}

    put_fields(store, fields("bad", Health=40))
    deliver(store, crm, now=now)
    assert len(crm.calls) == 1, "the same values are not sent again"

    crm.script = lambda _operation: "applied"
    put_fields(store, fields("bad", Health=42))
    deliver(store, crm, now=now)
    assert crm.records["bad"] == {"Health": 42}


STEP_BACK = Outcome(
    key="001A", status="rejected", record_id="001A", code="LIFECYCLE_BACKWARD", rejected_fields=("stage",)
)


def test_of_a_record_whose_field_is_refused_the_written_ones_are_ours_and_only_that_one_is_parked(
    store: Engine, crm: ScriptedConnector, rows: Rows
) -> None:
    crm.script = lambda _operation: "applied_unheard"
    put_fields(store, fields("001A", score=70, stage="lead"))
    deliver(store, crm, now=now)
    put_fields(store, fields("001A", score=75, stage="subscriber"))
    make_due(store)
    record_outcomes(store, claim(store, "crm", "fields", 1), [STEP_BACK])
    with store.begin() as connection:
        assert load_written(connection, "crm") == {"001A": {"score": 75}}
        assert attempted_fields(connection, "crm") == {"001A": {"stage": ["lead"]}}
        assert parked_fields(connection, "crm") == {"001A": {"stage": "subscriber"}}

    put_fields(store, fields("001A", stage="subscriber"))
    assert rows()["fields:crm:001A"]["state"] == "parked", "what is left to wish for is not sent again"
    put_fields(store, fields("001A", score=80, stage="subscriber"))
    assert rows()["fields:crm:001A"]["state"] == "pending"


def test_a_field_refused_while_newer_values_wait_leaves_those_as_they_are(store: Engine, rows: Rows) -> None:
    put_fields(store, fields("001A", score=75, stage="subscriber"))
    entries = claim(store, "crm", "fields", 1)
    put_fields(store, fields("001A", score=80, stage="subscriber"))
    record_outcomes(store, entries, [STEP_BACK])
    row = rows()["fields:crm:001A"]
    assert (row["state"], row["payload"]["values"]) == ("pending", {"score": 80, "stage": "subscriber"})
    with store.begin() as connection:
        assert load_written(connection, "crm") == {"001A": {"score": 75}}


def test_values_that_a_late_worker_wrote_beside_a_refused_one_are_replaced_too(store: Engine, rows: Rows) -> None:
    put_fields(store, fields("001A", score=75, stage="subscriber"))
    late = claim(store, "crm", "fields", 1)
    put_fields(store, fields("001A", score=80))
    make_due(store)
    record_outcomes(store, claim(store, "crm", "fields", 1), [Outcome(key="001A", status="applied")])
    assert record_outcomes(store, late, [STEP_BACK]) == {"001A": "fenced"}
    assert rows()["fields:crm:001A"]["state"] == "pending"


def test_fields_sent_without_an_answer_are_attempted_until_answered(store: Engine, crm: ScriptedConnector) -> None:
    crm.script = lambda _operation: "applied_unheard"
    put_fields(store, fields("001A", Health=40, Band="red"))
    entries = claim(store, "crm", "fields", 1)
    record_outcomes(store, entries, [Outcome(key="001A", status="unknown")])
    with store.begin() as connection:
        assert attempted_fields(connection, "crm") == {"001A": {"Health": [40], "Band": ["red"]}}
        assert load_snapshot(connection, "crm") == {}

    crm.script = lambda _operation: "applied"
    make_due(store)
    deliver(store, crm, now=now)
    with store.begin() as connection:
        assert attempted_fields(connection, "crm") == {}


@pytest.mark.parametrize(
    ("failure", "code"),
    [(AccessDenied("no permission to edit tasks"), "ACCESS_DENIED"), (Unavailable("maintenance", 30), "UNAVAILABLE")],
)
def test_a_failed_call_costs_no_attempt_and_stops_this_destination(
    store: Engine, crm: ScriptedConnector, rows: Rows, failure: AccessDenied | Unavailable, code: str
) -> None:
    crm.script = lambda _operation: failure
    put_tasks(store, task("k1"), task("k2"))
    delivery = deliver(store, crm, now=now)

    assert str(failure) in delivery.stopped
    assert len(crm.calls) == 1
    for row in rows().values():
        assert (row["state"], row["attempts"], row["claims"], row["last_code"]) == ("pending", 0, 0, code)


def test_what_the_crm_still_works_on_waits_as_if_it_were_there_and_the_rest_goes_on(
    store: Engine, crm: ScriptedConnector, rows: Rows
) -> None:
    put_tasks(store, task("k1"))
    put_fields(store, fields("r1", Health=5))
    crm.script = lambda operation: Underway("a job runs", 30) if operation.key == "k1" else "applied"
    delivery = deliver(store, crm, now=now)
    waiting = rows()["task_create:crm:k1"]
    assert "a job runs" in delivery.stopped
    assert (waiting["state"], waiting["attempts"], waiting["claims"], waiting["last_code"]) == (
        "pending",
        0,
        0,
        "UNDERWAY",
    )
    assert waiting["attempted"] is not None
    assert crm.records["r1"] == {"Health": 5}
    assert deliver(store, crm, now=now).outcomes == {}
    make_due(store)
    crm.script = lambda _operation: "applied"
    assert deliver(store, crm, now=now).outcomes == {"applied": 1}


def test_a_row_that_kills_its_worker_is_tried_alone_then_buried(
    store: Engine, crm: ScriptedConnector, rows: Rows
) -> None:
    put_tasks(store, task("poison"), *(task(f"fine{n}") for n in range(5)))

    class Killed(BaseException):
        pass

    def script(operation: Any) -> str:
        if operation.key == "poison":
            raise Killed
        return "applied"

    crm.script = script
    for _ in range(CRASHES_BEFORE_DEAD + 2):
        try:
            deliver(store, crm, now=now)
        except Killed:
            make_due(store)
    assert rows()["task_create:crm:poison"]["state"] == "dead"
    assert set(crm.tasks) == {f"fine{n}" for n in range(5)}
    crashed = [call for call in crm.calls if "poison" in call]
    assert len(crashed) == CRASHES_BEFORE_DEAD
    assert all(call == ["poison"] for call in crashed[CRASHES_BEFORE_ALONE:])


def test_a_last_lease_that_ends_within_a_claim_is_not_leased_once_more(store: Engine, rows: Rows) -> None:
    put_tasks(store, task("poison"))
    with store.begin() as connection:
        connection.execute(update(outbox).values(state="leased", claims=CRASHES_BEFORE_DEAD, due_at=4e9))

    def end_the_lease(connection: Connection, statement: object, *_: object) -> None:
        """After the claim looked for dead letters, before it leases."""
        if isinstance(statement, Update):
            connection.exec_driver_sql("update outbox set due_at = 0")

    event.listen(store, "after_execute", end_the_lease)
    try:
        leased = claim(store, "crm", "task_create", 1)
    finally:
        event.remove(store, "after_execute", end_the_lease)
    assert leased == []
    assert claim(store, "crm", "task_create", 1) == []
    row = rows()["task_create:crm:poison"]
    assert (row["state"], row["claims"]) == ("dead", CRASHES_BEFORE_DEAD)


def test_leases_of_a_dead_inline_run_end_at_once_and_nobody_elses(store: Engine, rows: Rows) -> None:
    put_tasks(store, task("ours"), task("theirs"))
    claim(store, "crm", "task_create", 1, owner="inline:")
    claim(store, "crm", "task_create", 1)
    assert reclaim_leases(store, "inline:") == 1
    assert sorted(row["state"] for row in rows().values()) == ["leased", "pending"]


def test_a_task_whose_account_left_is_withdrawn_unless_it_may_exist(
    store: Engine, rows: Rows, crm: ScriptedConnector
) -> None:
    put_tasks(store, task("maybe-sent"))
    entries = claim(store, "crm", "task_create", 1)
    record_outcomes(store, entries, [Outcome(key="maybe-sent", status="unknown")])
    put_tasks(store, task("never-sent"), task("unmatched", record_id=None))
    withdraw(store)

    states = {key.rsplit(":", 1)[1]: row["state"] for key, row in rows().items()}
    assert states == {"maybe-sent": "pending", "never-sent": "dropped", "unmatched": "dropped"}
    assert rows()["task_create:crm:never-sent"]["last_reason"] == "the account left"


def test_a_task_that_was_made_and_not_linked_yet_is_not_withdrawn(store: Engine, rows: Rows) -> None:
    put_tasks(store, task("k1"))
    record_outcomes(store, claim(store, "crm", "task_create", 1), [Outcome(key="k1", status="retry", record_id="t1")])
    withdraw(store)
    assert rows()["task_create:crm:k1"]["state"] == "pending"


def test_a_task_that_was_withdrawn_unsent_is_queued_again_when_its_account_enters_again_that_day(
    store: Engine, rows: Rows, crm: ScriptedConnector
) -> None:
    put_tasks(store, task("unsent"), task("dropped"))
    withdraw(store)
    with store.begin() as connection:
        of_person = outbox.c.idem_key == "task_create:crm:dropped"
        connection.execute(update(outbox).where(of_person).values(last_code="DROPPED"))
    put_tasks(store, *(replace(task(key), payload={**TASK, "subject": "again"}) for key in ("unsent", "dropped")))
    assert {operation_key(key): row["state"] for key, row in rows().items()} == {
        "unsent": "pending",
        "dropped": "dropped",
    }
    deliver(store, crm, now=now)
    assert {key: made.subject for key, made in crm.tasks.items()} == {"unsent": "again"}


@pytest.mark.parametrize("before", ["never sent", "answer lost", "answered long ago"])
def test_a_finished_task_is_an_answer_only_to_a_row_that_may_have_made_it(
    store: Engine, rows: Rows, crm: ScriptedConnector, before: str
) -> None:
    put_tasks(store, task("k1"))
    [entry] = claim(store, "crm", "task_create", 1)
    release(store, [entry], "", "", 0)
    if before == "answer lost":
        crm.script = always("applied_unheard")
        deliver(store, crm, now=now)
        make_due(store)
    elif before == "answered long ago":
        with store.begin() as connection:
            record_effects(connection, [effect_of(entry, "applied", "", "")])
    entries = claim(store, "crm", "task_create", 1)
    closed = Outcome(key="k1", status="applied", record_id="t1", code=ALREADY_CLOSED)
    made = before != "never sent"
    assert record_outcomes(store, entries, [closed]) == {"k1": "applied" if made else "rejected"}
    row = rows()["task_create:crm:k1"]
    assert (row["state"], row["last_code"]) == (("done", ALREADY_CLOSED) if made else ("parked", "STRANGE_TASK"))
    with store.begin() as connection:
        assert len(load_tasks(connection)) == made


def test_withdrawing_asks_by_playbook_and_account_and_spares_what_is_still_wanted(store: Engine, rows: Rows) -> None:
    put_tasks(store, task("k1"))
    with store.begin() as connection:
        withdraw_tasks(connection, lambda *who: "" if who == ("pql-to-task", "a1") else "gone")
    assert rows()["task_create:crm:k1"]["state"] == "pending"


@pytest.mark.parametrize(
    "failure", [QuotaExhausted("the day is used up", now()), Unavailable("maintenance", 30), AccessDenied("no")]
)
def test_a_task_that_waited_for_the_quota_is_withdrawn_like_one_never_sent(
    store: Engine, crm: ScriptedConnector, rows: Rows, failure: CallFailed
) -> None:
    put_tasks(store, task("k1"))
    crm.script = lambda _operation: failure
    deliver(store, crm, now=now)
    withdraw(store)
    assert rows()["task_create:crm:k1"]["state"] == "dropped"


@pytest.mark.parametrize("answer", ["retry", Unavailable("maintenance", 30)])
def test_a_task_that_may_exist_is_not_withdrawn_because_a_later_try_came_to_nothing(
    store: Engine, crm: ScriptedConnector, rows: Rows, answer: str | CallFailed
) -> None:
    put_tasks(store, task("k1"))
    for script in ("applied_unheard", answer):
        crm.script = always(script)
        deliver(store, crm, now=now)
        make_due(store)
    withdraw(store)
    assert rows()["task_create:crm:k1"]["state"] == "pending"
    crm.script = lambda _operation: "applied"
    deliver(store, crm, now=now)
    with store.begin() as connection:
        assert [noted.key for noted in load_tasks(connection)] == ["k1"]


def withdraw(engine: Engine) -> None:
    with engine.begin() as connection:
        withdraw_tasks(connection, lambda *_: "the account left")


def attempted(engine: Engine) -> dict[str, set[str]]:
    with engine.begin() as connection:
        return {record: set(names) for record, names in attempted_fields(connection, "crm").items()}


@pytest.mark.parametrize("answer", ["retry", "rejected", Unavailable("maintenance", 30)])
def test_fields_in_doubt_stay_in_doubt_whatever_happens_to_a_newer_payload(
    store: Engine, crm: ScriptedConnector, answer: str | CallFailed
) -> None:
    put_fields(store, fields("001A", Health=40, Band="red"))
    crm.script = lambda _operation: "applied_unheard"
    deliver(store, crm, now=now)
    put_fields(store, fields("001A", Health=41))
    crm.script = lambda _operation: answer
    make_due(store)
    deliver(store, crm, now=now)
    assert attempted(store) == {"001A": {"Health", "Band"}}

    put_fields(store, fields("001A", Health=42))
    crm.script = lambda _operation: "unknown"
    make_due(store)
    deliver(store, crm, now=now)
    with store.begin() as connection:
        assert attempted_fields(connection, "crm") == {"001A": {"Health": [40, 42], "Band": ["red"]}}

    crm.script = lambda _operation: "applied"
    make_due(store)
    deliver(store, crm, now=now)
    assert attempted(store) == {"001A": {"Band"}}, "the answer for Health says nothing of Band"


def test_fields_withdrawn_without_an_answer_are_still_attempted(store: Engine, crm: ScriptedConnector) -> None:
    put_fields(store, fields("001A", Health=40))
    crm.script = lambda _operation: "applied_unheard"
    deliver(store, crm, now=now)
    put_fields(store, NewFields("crm", "", "001A", "Account", {}))
    assert attempted(store) == {"001A": {"Health"}}


def test_a_record_that_comes_back_gets_the_same_fields_again(store: Engine, crm: ScriptedConnector, rows: Rows) -> None:
    put_fields(store, fields("001A", Health=40))
    record_outcomes(
        store,
        claim(store, "crm", "fields", 1),
        [Outcome(key="001A", status="rejected", code="GONE", stale_record=True)],
    )
    assert rows() == {}
    put_fields(store, fields("001A", Health=40))
    deliver(store, crm, now=now)
    assert crm.records == {"001A": {"Health": 40}}


def test_a_record_that_a_write_finds_gone_is_still_the_one_to_ask_for_its_survivor(store: Engine) -> None:
    put_fields(store, fields("001A", Health=40))
    known = replace(unmatched("a1"), status="matched", record_id="001A", matched_by="id", owner_id="7")
    with store.begin() as connection:
        save_records(connection, "crm", [known])
    gone = Outcome(key="001A", status="rejected", code="GONE", stale_record=True)
    record_outcomes(store, claim(store, "crm", "fields", 1), [gone])
    with store.begin() as connection:
        found = load_records(connection, "crm")["a1"]
    assert found == replace(unmatched("a1"), matched_by=GONE, candidates=("001A",))


def test_a_task_whose_record_is_gone_waits_for_the_account_to_be_matched(store: Engine, rows: Rows) -> None:
    put_tasks(store, task("k1"))
    record_outcomes(
        store,
        claim(store, "crm", "task_create", 1),
        [Outcome(key="k1", status="rejected", code="GONE", stale_record=True)],
    )
    row = rows()["task_create:crm:k1"]
    assert (row["state"], row["record_id"], row["last_code"]) == ("parked", None, NO_RECORD)


def test_a_delivery_told_to_stop_leaves_the_rest_for_the_next(
    store: Engine, crm: ScriptedConnector, rows: Rows
) -> None:
    crm.batch = 2
    put_tasks(store, *(task(f"k{n}") for n in range(5)))
    deliver(store, crm, now=now, may_continue=lambda: len(crm.tasks) < 4)
    assert len(crm.tasks) == 4
    assert sorted(row["state"] for row in rows().values()) == ["done"] * 4 + ["pending"]
    deliver(store, crm, now=now)
    assert len(crm.tasks) == 5


def patiently(store: Engine, crm: ScriptedConnector, *answers: str | CallFailed) -> Delivery:
    """Deliver with these answers, call by call, the last one for good; time passes without waiting."""
    script = iter(answers)
    last: list[str | CallFailed] = []

    def answer(_operation: Any) -> str | CallFailed:
        last[:] = [next(script, *last)]
        return last[0]

    crm.script = answer
    return deliver_patiently(store, crm, now=now, wait=lambda _s: make_due(store), patience_s=20)


def test_a_crm_that_recovered_in_time_stopped_nothing(store: Engine, crm: ScriptedConnector) -> None:
    put_tasks(store, task("k1"))
    delivery = patiently(store, crm, Unavailable("restarting", 2), "applied")
    assert (delivery.stopped, delivery.applied) == ("", {"task_create": 1})


def test_why_rows_still_wait_is_not_forgotten_by_a_quiet_second_try(store: Engine, crm: ScriptedConnector) -> None:
    put_tasks(store, task("k1"))
    put_fields(store, fields("001A", Health=40))

    def script(operation: Any) -> str | CallFailed:
        if operation.key == "k1":
            return AccessDenied("no permission to edit tasks")
        return "retry" if len(crm.calls) < 3 else "applied"

    crm.script = script
    delivery = deliver_patiently(store, crm, now=now, wait=lambda _s: make_fields_due(store), patience_s=20)
    assert crm.records == {"001A": {"Health": 40}}
    assert "no permission to edit tasks" in delivery.stopped


def make_fields_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(outbox).where(outbox.c.kind == "fields").values(due_at=0.0))


def test_fields_that_match_again_are_withdrawn(store: Engine, crm: ScriptedConnector, rows: Rows) -> None:
    put_fields(store, fields("001A", Health=40))
    put_fields(store, NewFields("crm", "", "001A", "Account", {}))
    deliver(store, crm, now=now)
    assert crm.calls == []
    assert rows()["fields:crm:001A"]["state"] == "done"


def test_an_operator_retries_and_drops(store: Engine, crm: ScriptedConnector, rows: Rows) -> None:
    crm.script = lambda _operation: "rejected"
    put_tasks(store, task("again"), task("never"))
    deliver(store, crm, now=now)
    ids = {row["idem_key"].rsplit(":", 1)[1]: row["id"] for row in rows().values()}
    crm.script = lambda _operation: "applied"
    with store.begin() as connection:
        assert retry_rows(connection, [ids["again"]]) == 1
        assert drop_rows(connection, [ids["never"]]) == 1
    deliver(store, crm, now=now)
    assert list(crm.tasks) == ["again"]


answers = st.sampled_from(["applied", "applied_unheard", "retry", "unknown", "rejected"])


SCHEDULES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100), answers, st.booleans()), min_size=1, max_size=25)
EXAMPLES = {"sqlite": 40, "postgresql": 8}
"""The same statements run on both, and PostgreSQL takes five times as long."""


def test_any_schedule_of_values_and_faults_that_ends_quiet_leaves_the_newest_values(store: Engine) -> None:
    @settings(max_examples=some_of(EXAMPLES[store.dialect.name]), deadline=None)
    @given(SCHEDULES)
    def holds(schedule: list[tuple[int, int, str, bool]]) -> None:
        leaves_the_newest_values(store, schedule)

    holds()


def leaves_the_newest_values(store: Engine, schedule: list[tuple[int, int, str, bool]]) -> None:
    with store.begin() as connection:
        for table in (outbox, ledger, snapshot, crm_tasks):
            connection.execute(delete(table))
    crm = ScriptedConnector(batch=3)
    newest: dict[str, int] = {}
    for record, value, answer, crash in schedule:
        newest[f"r{record}"] = value
        put_fields(store, fields(f"r{record}", Health=value))
        put_tasks(store, task(f"t{record}"))
        if crash:
            claim(store, "crm", "fields", 3)
        crm.script = always(answer)
        deliver(store, crm, now=now)
        make_due(store)
    with store.begin() as connection:
        retry_rows(connection, range(1, 1000))
    crm.script = lambda _operation: "applied"
    deliver(store, crm, now=now)

    assert {record: values["Health"] for record, values in crm.records.items()} == newest
    assert set(crm.tasks) == {f"t{record}" for record, *_ in schedule}
    with store.begin() as connection:
        assert load_snapshot(connection, "crm") == {record: {"Health": value} for record, value in newest.items()}


def test_what_the_crm_is_at_work_on_is_in_doubt_and_asked_for_again_later(
    store: Engine, crm: ScriptedConnector, rows: Rows
) -> None:
    put_fields(store, fields("001A", Health=40))
    put_tasks(store, task("k1"))
    crm.script = lambda operation: "applied" if operation.key == "k1" else Underway("job 750x", 5)
    delivery = deliver(store, crm, now=now)
    assert (delivery.stopped, delivery.applied) == ("under way: job 750x", {"task_create": 1})
    waiting = rows()["fields:crm:001A"]
    assert (waiting["state"], waiting["attempts"], waiting["last_code"]) == ("pending", 0, "UNDERWAY")
    assert attempted(store) == {"001A": {"Health"}}


def test_a_bulk_job_is_waited_for_much_longer_than_a_crm_that_is_away(store: Engine, crm: ScriptedConnector) -> None:
    put_fields(store, fields("001A", Health=40))
    assert patiently(store, crm, *[Underway("job 750x", 5)] * 60, "applied").stopped == ""
    assert len(crm.calls) == 61
    put_fields(store, fields("001A", Health=41))
    assert "unavailable" in patiently(store, crm, Unavailable("maintenance", 30)).stopped
    assert len(crm.calls) == 62


def test_rows_outlast_a_crm_that_is_down_but_not_a_crm_that_takes_everything_else(
    store: Engine, crm: ScriptedConnector, rows: Rows
) -> None:
    put_fields(store, fields("001A", Health=40))
    put_tasks(store, task("k1"))
    crm.script = lambda _operation: "unknown"
    for _ in range(3 * MOST_ATTEMPTS):
        make_due(store)
        deliver(store, crm, now=now)
    assert {row["state"] for row in rows().values()} == {"pending"}, "nothing gets through: nobody is to blame"

    crm.script = lambda operation: "applied" if operation.key == "k1" else "unknown"
    make_due(store)
    deliver(store, crm, now=now)
    assert {key: row["state"] for key, row in rows().items()} == {
        "task_create:crm:k1": "done",
        "fields:crm:001A": "dead",
    }
