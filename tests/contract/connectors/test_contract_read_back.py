"""Reading back: what people changed, and nothing that only we did.

Cursors overlap, so a fact may be reported again as long as it still holds.
"""

from __future__ import annotations

from connectors.base import Connector, DealFact, RecordFact, TaskFact
from tests.contract.connectors.drive import companies, match_key, task, update
from tests.contract.connectors.harness import Company, Crm


def test_the_first_read_has_every_open_deal_and_no_company(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    deals = [crm.add_deal(record, 1200.0) for record in records]
    crm.human_wins_deal(deals[2])
    crm.pass_time(60)
    read = connector.read_back({}, [crm.field("score")], {})
    found = {fact.id: fact for fact in read.facts if isinstance(fact, DealFact)}
    assert {fact.record_id for fact in found.values() if fact.open} == set(records[:2])
    assert found[deals[0]].amount == 1200.0
    assert not any(isinstance(fact, RecordFact) for fact in read.facts)
    assert read.cursor


def test_a_deal_won_since_then_is_reported(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    deal = crm.add_deal(record)
    crm.pass_time(600)
    cursor = connector.read_back({}, [], {}).cursor
    crm.pass_time(600)
    crm.human_wins_deal(deal)
    crm.pass_time(60)
    [won] = [fact for fact in connector.read_back(cursor, [], {}).facts if isinstance(fact, DealFact)]
    assert (won.id, won.record_id, won.won, won.open) == (deal, record, True, False)


def test_a_deal_opened_after_an_empty_first_read_is_reported(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    crm.pass_time(600)
    cursor = connector.read_back({}, [], {}).cursor
    crm.pass_time(600)
    deal = crm.add_deal(record)
    crm.pass_time(60)
    facts = connector.read_back(cursor, [], {}).facts
    assert [fact.id for fact in facts if isinstance(fact, DealFact) and fact.open] == [deal]


def test_a_new_owner_and_an_edited_field_are_reported(crm: Crm, connector: Connector) -> None:
    [untouched] = crm.add_companies([Company("Untouched")])
    crm.pass_time(600)
    records = companies(crm, 2, score=10)
    ann = crm.add_owner("ann@example.com")
    crm.pass_time(600)
    cursor = connector.read_back({}, [crm.field("score")], {}).cursor
    crm.pass_time(600)
    crm.human_reassigns(records[0], ann)
    crm.human_edits(records[1], "score", 99)
    crm.pass_time(60)
    facts = connector.read_back(cursor, [crm.field("score")], {}).facts
    told = {fact.record_id: fact for fact in facts if isinstance(fact, RecordFact)}
    assert told[records[0]].owner_id == ann
    assert told[records[1]].values == {crm.field("score"): 99}
    assert untouched not in told


def test_what_only_we_wrote_is_not_reported(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 2, score=10)
    crm.pass_time(600)
    cursor = connector.read_back({}, [crm.field("score")], {}).cursor
    crm.pass_time(600)
    connector.match([match_key(f"a{n}") for n in range(2)], [crm.field("score")])
    connector.write([update(crm, record, score=55) for record in records])
    crm.human_edits(records[1], "score", 1)
    crm.pass_time(60)
    facts = connector.read_back(cursor, [crm.field("score")], {}).facts
    told = {fact.record_id: fact.values for fact in facts if isinstance(fact, RecordFact)}
    assert told == {records[1]: {crm.field("score"): 1}}


def test_the_fate_of_our_tasks_is_reported(crm: Crm, connector: Connector) -> None:
    operations = [task(record) for record in companies(crm, 4)]
    ids = [outcome.record_id or "" for outcome in connector.write(operations)]
    tasks = {op.key: task_id for op, task_id in zip(operations, ids, strict=True)}
    cursor = connector.read_back({}, [], tasks).cursor
    crm.pass_time(600)
    crm.human_completes_task(ids[0])
    crm.human_starts_task(ids[1])
    crm.human_deletes_task(ids[2])
    crm.pass_time(60)
    told = {f.key: f for f in connector.read_back(cursor, [], tasks).facts if isinstance(f, TaskFact)}
    assert [told[op.key].status for op in operations[:3]] == ["completed", "in_progress", "deleted"]
    assert told[operations[0].key].completed_at is not None
    assert operations[3].key not in told or told[operations[3].key].status == "open"


def test_a_deleted_company_is_reported(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 2)
    crm.pass_time(600)
    cursor = connector.read_back({}, [], {}).cursor
    crm.pass_time(600)
    crm.human_deletes_company(records[0])
    crm.human_edits(records[1], "score", 5)
    crm.pass_time(60)
    facts = connector.read_back(cursor, [crm.field("score")], {}).facts
    gone = [fact.record_id for fact in facts if isinstance(fact, RecordFact) and fact.deleted]
    assert gone in ([records[0]], [])  # HubSpot's search does not show archived companies
    assert any(isinstance(fact, RecordFact) and fact.record_id == records[1] for fact in facts)


def test_reading_again_with_the_new_cursor_loses_nothing(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 2)
    crm.pass_time(600)
    cursor = connector.read_back({}, [], {}).cursor
    for score in (1, 2, 3):
        crm.pass_time(600)
        crm.human_edits(records[0], "score", score)
        crm.pass_time(60)
        read = connector.read_back(cursor, [crm.field("score")], {})
        cursor = read.cursor
        told = {fact.record_id: fact.values for fact in read.facts if isinstance(fact, RecordFact)}
        assert told[records[0]] == {crm.field("score"): score}


def test_reading_back_changes_nothing(crm: Crm, connector: Connector) -> None:
    companies(crm, 2)
    crm.forget_calls()
    connector.read_back({}, [crm.field("score")], {})
    assert not any(call.write for call in crm.calls())
