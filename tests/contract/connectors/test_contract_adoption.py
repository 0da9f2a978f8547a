"""Adoption: what in the CRM is ours, who wrote it, and what people deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.base import CloseTask, Connector, CreateRecord, CreateTask, DeletedRecord, OurTask, Scalar
from tests.contract.connectors.drive import companies, record_ids, task, update
from tests.contract.connectors.harness import Company, Crm


def make(connector: Connector, records: Sequence[str], *keys: str) -> dict[str, str]:
    """One task per key and record; the task ids by key."""
    operations: list[CreateTask] = [replace(task(one), key=key) for one, key in zip(records, keys, strict=True)]
    return dict(zip(keys, record_ids(connector.write(operations)), strict=True))


def by_key(tasks: Sequence[OurTask]) -> dict[str, OurTask]:
    assert len({one.key for one in tasks}) == len(tasks)
    return {one.key: one for one in tasks}


def test_our_tasks_show_their_state_and_who_completed_them(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 6)
    keys = ["p.open", "p.started", "p.theirs", "p.ours", "p.deleted", "p.retitled"]
    ids = make(connector, records, *keys)
    crm.pass_time(600)
    crm.human_starts_task(ids["p.started"])
    crm.human_completes_task(ids["p.theirs"])
    connector.write([CloseTask("p.ours", ids["p.ours"])])
    crm.human_deletes_task(ids["p.deleted"])
    crm.human_retitles_task(ids["p.retitled"], "Call Bob")
    crm.pass_time(600)
    found = by_key(connector.our_tasks())
    assert {key: (one.task_id, one.status, one.completed_by_us) for key, one in found.items()} == {
        "p.open": (ids["p.open"], "open", None),
        "p.started": (ids["p.started"], "in_progress", None),
        "p.theirs": (ids["p.theirs"], "completed", False),
        "p.ours": (ids["p.ours"], "completed", True),
        "p.deleted": (ids["p.deleted"], "deleted", None),
        "p.retitled": (ids["p.retitled"], "open", None),
    }
    homes = dict(zip(keys, records, strict=True))
    living = [one for one in found.values() if one.status != "deleted"]
    assert all(one.record_ids == (homes[one.key],) for one in living)
    for one in found.values():
        assert one.created_at.utcoffset() is not None
        assert (one.completed_at is not None) is (one.status == "completed")
        assert one.completed_at is None or 590 < (one.completed_at - one.created_at).total_seconds() < 1200


def test_the_start_of_a_key_is_data_and_the_last_created_come_first(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    keys = ["a_b.1", "axb.2", "a%b.3", "a_b.4", "a'b.5", "A_B.6"]
    for key in keys:
        make(connector, [record], key)
        crm.pass_time(60)
    assert [one.key for one in connector.our_tasks()] == keys[::-1]
    assert [one.key for one in connector.our_tasks("a_b.")] == ["A_B.6", "a_b.4", "a_b.1"]
    assert [one.key for one in connector.our_tasks("a%b")] == ["a%b.3"]
    assert [one.key for one in connector.our_tasks("a'b")] == ["a'b.5"]
    crm.forget_calls()
    assert [one.key for one in connector.our_tasks("a_b.", newest=2)] == ["A_B.6", "a_b.4"]
    assert len(crm.calls()) <= 2
    assert connector.our_tasks("z.") == []


def test_tasks_of_many_pages_are_all_read(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 5)
    keys = [f"p.{n}" for n in range(2_500)]
    for start in range(0, len(keys), crm.batch):
        some = keys[start : start + crm.batch]
        make(connector, [records[n % 5] for n in range(len(some))], *some)
    crm.pass_time(60)
    crm.forget_calls()
    assert {one.key for one in connector.our_tasks("p.")} == set(keys)
    assert len(crm.calls()) <= {"salesforce": 3, "hubspot": 17}[crm.kind]


def test_a_merged_record_is_named_by_its_survivor(crm: Crm, connector: Connector) -> None:
    survivor, loser = companies(crm, 2)
    ids = make(connector, [survivor, loser, loser], "p.survivor", "p.loser", "p.deleted")
    crm.human_deletes_task(ids["p.deleted"])
    crm.human_merges(survivor, loser)
    crm.pass_time(60)
    found = {one.key: one.record_ids for one in connector.our_tasks()}
    deleted = {"salesforce": (survivor,), "hubspot": ()}  # HubSpot shows no companies of a deleted task
    assert found == {"p.survivor": (survivor,), "p.loser": (survivor,), "p.deleted": deleted[crm.kind]}


def test_records_that_people_deleted_are_known_by_their_account(crm: Crm, connector: Connector) -> None:
    _, deleted, survivor, loser = companies(crm, 4)
    [stranger] = crm.add_companies([Company("No account")])
    for one in (deleted, stranger):
        crm.human_deletes_company(one)
    crm.human_merges(survivor, loser)
    found = {one.record_id: one for one in connector.deleted_records()}
    merged = found.pop(loser, None)
    assert found == {deleted: DeletedRecord(deleted, "a1")}
    # HubSpot has no merged record any more: its id finds the survivor.
    assert merged == (DeletedRecord(loser, "a3", survivor) if crm.kind == "salesforce" else None)


def test_a_field_is_ours_while_our_value_is_the_last(crm: Crm, connector: Connector) -> None:
    crm.admin_tracks_fields("score", "ratio", "band", "since", "seen_at", "flag")
    ours, theirs, ours_again, never = companies(crm, 4, score=10)
    make(connector, [ours], "p.1")
    crm.pass_time(60)
    values: dict[str, Scalar] = {
        "score": 55,
        "band": "good",
        "since": "2026-01-02",
        "seen_at": "2026-01-02T03:04:05Z",
        "flag": True,
    }
    connector.write([update(crm, one, ratio=0.25, **values) for one in (ours, theirs, ours_again)])
    [made] = record_ids(connector.write([CreateRecord("r", "account", crm.new_company("new", "New"))]))
    crm.pass_time(60)
    for one, score in ((theirs, 1), (ours_again, 56), (ours_again, 1), (never, 2)):
        crm.human_edits(one, "score", score)
    crm.pass_time(60)
    connector.write([update(crm, ours_again, score=56)])
    crm.pass_time(60)
    names = {crm.field(name): name for name in ("ratio", *values)}
    found = connector.field_writers([ours, theirs, ours_again, never, made], [*names, "no_such_field"])
    said = {one: {names[field]: wrote for field, wrote in fields.items()} for one, fields in found.items()}
    every = dict.fromkeys(names.values(), True)
    assert said[ours] == every
    assert said[theirs] == every | {"score": False}
    assert said[ours_again] == every
    assert said[never]["score"] is False
    assert True not in said[never].values()
    made_score = {"salesforce": True, "hubspot": None}  # a new record of ours; in HubSpot nobody has emptied it
    assert said[made]["score"] is made_score[crm.kind]


def test_of_a_record_that_is_gone_nothing_is_said(crm: Crm, connector: Connector) -> None:
    kept, deleted, loser = companies(crm, 3)
    crm.human_deletes_company(deleted)
    crm.human_merges(kept, loser)
    assert connector.field_writers([kept, deleted, loser], [crm.field("score")]).keys() == {kept, loser}
    assert connector.field_writers([], [crm.field("score")]) == {}


def test_who_wrote_the_fields_of_many_records_costs_few_calls(crm: Crm, connector: Connector) -> None:
    crm.admin_tracks_fields("score")
    records = companies(crm, 1_000)
    crm.pass_time(60)
    for start in range(0, 1_000, crm.batch):
        connector.write([update(crm, one, score=7) for one in records[start : start + crm.batch]])
    crm.pass_time(60)
    connector.describe("account")
    crm.forget_calls()
    found = connector.field_writers(records, [crm.field("score")])
    assert [fields[crm.field("score")] for fields in found.values()] == [True] * 1_000
    assert len(crm.calls()) <= {"salesforce": 4, "hubspot": 23}[crm.kind]
