"""CRM tasks: one per key for ever, and what a person did to one is never undone."""

from __future__ import annotations

import pytest

from connectors.base import ALREADY_CLOSED, ALREADY_THERE, CloseTask, Connector, UpdateTask
from tests.contract.connectors.drive import DUE, companies, deliver, keys_of_tasks, record_ids, statuses, task
from tests.contract.connectors.harness import Crm, Fault


def test_a_task_arrives_as_a_rep_should_read_it(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    ann = crm.add_owner("ann@example.com")
    wanted = task(record, owner_id=ann)
    [outcome] = connector.write([wanted])
    [seen] = crm.tasks()
    assert outcome.status == "applied"
    assert (seen.id, seen.key, seen.record_id, seen.owner_id) == (outcome.record_id, wanted.key, record, ann)
    assert seen.subject == wanted.subject
    for line in wanted.body.splitlines():
        assert line in seen.body
    assert seen.status == "open"
    assert wanted.due == DUE


def test_many_tasks_one_outcome_each(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 130)
    operations = [task(record, n) for record in records for n in range(2)]
    outcomes = connector.write(operations)
    assert statuses(outcomes) == ["applied"] * 260
    assert [outcome.key for outcome in outcomes] == [op.key for op in operations]
    by_key = {seen.key: seen for seen in crm.tasks()}
    assert len(crm.tasks()) == 260
    for op, outcome in zip(operations, outcomes, strict=True):
        assert by_key[op.key].id == outcome.record_id
        assert by_key[op.key].record_id == op.record_id


def test_sending_the_same_tasks_again_makes_none(crm: Crm, connector: Connector) -> None:
    operations = [task(record) for record in companies(crm, 10)]
    first = connector.write(operations)
    crm.pass_time(60)
    again = connector.write(operations)
    assert statuses(again) == ["applied"] * 10
    assert [outcome.record_id for outcome in again] == [outcome.record_id for outcome in first]
    assert set(keys_of_tasks(crm).values()) == {1}


@pytest.mark.parametrize("fault", ["answer_lost", "answer_lost_midway", "garbled_answer", "connection_lost"])
def test_whatever_is_lost_there_is_one_task_per_key(crm: Crm, connector: Connector, fault: Fault) -> None:
    operations = [task(record, n) for record in companies(crm, 20) for n in range(2)]
    crm.arm(fault)
    settled = deliver(crm, operations)
    assert {outcome.status for outcome in settled.values()} == {"applied"}
    assert keys_of_tasks(crm) == {op.key: 1 for op in operations}
    assert {seen.record_id for seen in crm.tasks()} == {op.record_id for op in operations}


def test_two_clients_that_make_the_same_key_at_once_end_with_one_task(crm: Crm, connector: Connector) -> None:
    operations = [task(record) for record in companies(crm, 3)]
    crm.arm("own_key_race")
    settled = deliver(crm, operations)
    assert {outcome.status for outcome in settled.values()} == {"applied"}
    assert set(keys_of_tasks(crm).values()) == {1}


def test_a_replay_leaves_what_a_person_did(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    operations = [task(record) for record in records]
    done, started, retitled = record_ids(connector.write(operations))
    crm.human_completes_task(done)
    crm.human_starts_task(started)
    crm.human_retitles_task(retitled, "Ann: call on Tuesday instead")
    crm.pass_time(60)
    again = crm.connect().write(operations)
    assert statuses(again) == ["applied"] * 3
    assert [one.code for one in again] == [ALREADY_CLOSED, ALREADY_THERE, ALREADY_THERE]
    now = {seen.id: seen for seen in crm.tasks()}
    assert len(now) == 3
    assert now[done].status == "completed"
    assert now[started].status == "in_progress"
    assert now[retitled].subject == "Ann: call on Tuesday instead"


def test_a_task_a_person_deleted_is_not_made_again(crm: Crm, connector: Connector) -> None:
    operations = [task(record) for record in companies(crm, 2)]
    first, _ = record_ids(connector.write(operations))
    crm.human_deletes_task(first)
    crm.pass_time(60)
    again = crm.connect().write(operations)
    assert [one.code for one in again] == [ALREADY_CLOSED, ALREADY_THERE]
    assert sorted(seen.status for seen in crm.tasks()) == ["deleted", "open"]


def test_a_task_for_a_company_that_is_gone_costs_only_itself(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    crm.human_deletes_company(records[1])
    outcomes = connector.write([task(record) for record in records])
    assert statuses(outcomes) == ["applied", "rejected", "applied"]
    assert outcomes[1].stale_record
    assert {seen.record_id for seen in crm.tasks()} == {records[0], records[2]}


def test_an_open_task_gets_its_new_text_and_a_closed_one_is_left_alone(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    ids = record_ids(connector.write([task(record) for record in records]))
    crm.human_completes_task(ids[1])
    crm.human_deletes_task(ids[2])
    changes = [UpdateTask(f"u{n}", task_id, "New subject", "New body") for n, task_id in enumerate(ids)]
    assert statuses(connector.write(changes)) == ["applied"] * 3
    now = {seen.id: seen for seen in crm.tasks()}
    assert now[ids[0]].subject == "New subject"
    assert "New body" in now[ids[0]].body
    assert now[ids[1]].subject != "New subject"
    assert now[ids[1]].status == "completed"
    assert now[ids[2]].status == "deleted"


def test_closing_completes_only_what_no_person_has_started(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 4)
    ids = record_ids(connector.write([task(record) for record in records]))
    crm.human_starts_task(ids[1])
    crm.human_completes_task(ids[2])
    crm.human_deletes_task(ids[3])
    assert statuses(connector.write([CloseTask(f"c{n}", task_id) for n, task_id in enumerate(ids)])) == ["applied"] * 4
    now = {seen.id: seen.status for seen in crm.tasks()}
    assert [now[task_id] for task_id in ids] == ["completed", "in_progress", "completed", "deleted"]


def test_the_same_key_twice_in_one_call_is_refused_before_sending(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    crm.forget_calls()
    with pytest.raises(ValueError, match="twice"):
        connector.write([task(record), task(record)])
    assert crm.calls() == []


def test_words_beyond_the_crms_limits_are_cut_not_refused(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    long = task(record, subject="Call the champion about their seats. " * 20)
    assert statuses(connector.write([long])) == ["applied"]
    [seen] = crm.tasks()
    assert seen.subject.startswith("Call the champion about their seats.")
