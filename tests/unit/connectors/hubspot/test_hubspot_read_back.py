"""Reading back where HubSpot's search is slow, paged and blind to what was deleted."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from connectors.base import Connector, CreateTask, DealFact, RecordFact, TaskFact, UpdateFields
from connectors.hubspot.associations import associated
from connectors.hubspot.describe import Schema
from connectors.hubspot.read_back import _Stream, read_back
from connectors.hubspot.transport import HttpResponse
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm
from tests.unit.connectors.hubspot.scripted import Sent, answer, client, destination, done

LATE_MS = int(datetime(2026, 11, 23, 9, 59, 30, tzinfo=UTC).timestamp() * 1000)


def add(portal: HubSpotCrm, count: int) -> list[str]:
    return portal.add_companies([Company(f"C {n}", f"c{n}.example", f"a{n}") for n in range(count)])


def deals(facts: Any) -> list[DealFact]:
    return [fact for fact in facts if isinstance(fact, DealFact)]


def test_a_position_is_read_and_written_as_0_1_0_stored_it() -> None:
    stored = (
        '{"at":"2026-11-23T06:00:00.000Z","open":{"900":"101"},"told":{"101":"2026-11-23T05:59:30.000Z"}}'  # by 0.1.0
    )
    stream = _Stream("2026-11-23T06:00:00.000Z", {"101": "2026-11-23T05:59:30.000Z"}, {"900": "101"})
    assert _Stream.from_json({"companies": stored}, "companies") == stream
    assert stream.to_json() == stored


def test_a_deal_somebody_deleted_is_reported_once(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = add(portal, 1)
    deal = portal.add_deal(record)
    portal.pass_time(600)
    cursor = hubspot.read_back({}, [], {}).cursor
    portal.mutate(action="archive", type="deals", id=deal)
    read = hubspot.read_back(cursor, [], {})
    assert [(fact.id, fact.record_id, fact.open, fact.deleted) for fact in deals(read.facts)] == [
        (deal, record, False, True)
    ]
    assert deals(hubspot.read_back(read.cursor, [], {}).facts) == []


def test_a_won_deal_is_reported_before_search_knows_it(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = add(portal, 1)
    deal = portal.add_deal(record)
    portal.pass_time(600)
    cursor = hubspot.read_back({}, [], {}).cursor
    portal.human_wins_deal(deal)
    assert [(fact.id, fact.won) for fact in deals(hubspot.read_back(cursor, [], {}).facts)] == [(deal, True)]


def test_a_lost_deal_is_closed_and_not_won(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = add(portal, 1)
    deal = portal.add_deal(record)
    portal.pass_time(600)
    cursor = hubspot.read_back({}, [], {}).cursor
    portal.mutate(action="lose_deal", id=deal)
    [fact] = deals(hubspot.read_back(cursor, [], {}).facts)
    assert (fact.open, fact.won) == (False, False)


def test_more_changes_than_a_page_are_all_reported(portal: HubSpotCrm, hubspot: Connector) -> None:
    records = add(portal, 450)
    portal.pass_time(600)
    cursor = hubspot.read_back({}, ["plgsync_score"], {}).cursor
    portal.pass_time(600)
    portal.control(
        "mutate",
        [
            {"action": "edit", "type": "companies", "id": record, "properties": {"plgsync_score": "1"}}
            for record in records
        ],
    )
    portal.pass_time(60)
    facts = hubspot.read_back(cursor, ["plgsync_score"], {}).facts
    assert {fact.record_id for fact in facts if isinstance(fact, RecordFact)} == set(records)


def test_nothing_new_is_not_reported_although_readings_overlap(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = add(portal, 1)
    portal.add_deal(record)
    portal.pass_time(600)
    cursor = hubspot.read_back({}, ["plgsync_score"], {}).cursor
    portal.human_edits(record, "score", 3)
    portal.pass_time(10)
    read = hubspot.read_back(cursor, ["plgsync_score"], {})
    assert len(read.facts) == 1
    again = hubspot.read_back(read.cursor, ["plgsync_score"], {})
    assert list(again.facts) == []


def test_an_edit_of_a_field_nobody_asked_for_is_not_reported(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = add(portal, 1)
    portal.pass_time(600)
    cursor = hubspot.read_back({}, ["plgsync_score"], {}).cursor
    portal.human_edits(record, "band", "high")
    portal.pass_time(60)
    assert list(hubspot.read_back(cursor, ["plgsync_score"], {}).facts) == []


def test_a_persons_edit_is_reported_although_we_wrote_another_field_later(
    portal: HubSpotCrm, hubspot: Connector
) -> None:
    [record] = add(portal, 1)
    portal.pass_time(600)
    cursor = hubspot.read_back({}, ["plgsync_score", "plgsync_band"], {}).cursor
    portal.human_edits(record, "band", "mine")
    portal.pass_time(1)
    hubspot.write([UpdateFields("k", "account", record, {"plgsync_score": 5})])
    portal.pass_time(60)
    [fact] = hubspot.read_back(cursor, ["plgsync_score", "plgsync_band"], {}).facts
    assert isinstance(fact, RecordFact)
    assert fact.values == {"plgsync_score": 5, "plgsync_band": "mine"}


def test_the_cursor_is_the_crms_time_and_plain_text(portal: HubSpotCrm, hubspot: Connector) -> None:
    add(portal, 1)
    portal.pass_time(10_000_000)
    cursor = hubspot.read_back({}, [], {}).cursor
    assert set(cursor) == {"companies", "deals"}
    assert all(isinstance(json.loads(text), dict) for text in cursor.values())


def test_a_change_that_search_learnt_late_is_still_reported() -> None:
    def company(record_id: str, at: str) -> dict[str, Any]:
        return {"id": record_id, "properties": {"hs_lastmodifieddate": at}}

    def reply(sent: Sent) -> HttpResponse:
        if sent.path.endswith("companies/search"):
            since = [one["value"] for group in sent.body["filterGroups"] for one in group["filters"]]
            late = [company("2", "2026-11-23T09:59:30Z")] if since and int(since[0]) <= LATE_MS else []
            found = [company("1", "2026-11-23T10:00:00Z"), *late]
            return answer(200, {"total": len(found), "results": found})
        if sent.path.endswith("companies/batch/read"):
            history = {"score": [{"timestamp": "2026-11-23T09:59:30Z", "sourceType": "CRM_UI", "sourceId": "u"}]}
            return done(*(one | {"properties": {}, "propertiesWithHistory": history} for one in sent.body["inputs"]))
        return answer(200, {"total": 0, "results": []})

    portal_client, _ = client(reply)
    settings, schema = destination(), Schema(portal_client)
    cursor = read_back(portal_client, schema, settings, {}, [], {}).cursor
    facts = read_back(portal_client, schema, settings, cursor, ["score"], {}).facts
    assert [fact.record_id for fact in facts if isinstance(fact, RecordFact)] == ["2"]


def test_an_open_tasks_due_date_is_not_taken_for_its_completion(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = add(portal, 1)
    [made] = hubspot.write(
        [
            CreateTask(
                key="k",
                record_id=record,
                subject="Call",
                body="Body",
                due=date(2026, 11, 27),
                priority="low",
                owner_id=None,
            )
        ]
    )
    assert portal.records("tasks")[0]["properties"]["hs_task_completion_date"]
    [fact] = hubspot.read_back({}, [], {"k": made.record_id or ""}).facts
    assert fact == TaskFact("k", made.record_id or "", "open", None, None)


def test_a_deal_belongs_to_its_primary_company() -> None:
    ties = [
        {"toObjectId": 1, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 341}]},
        {"toObjectId": 2, "associationTypes": [{"typeId": 341}, {"typeId": 5}]},
    ]
    portal_client, _ = client(done({"from": {"id": "9"}, "to": ties}))
    assert associated(portal_client, "deals", "companies", ["9"]) == {"9": ["2", "1"]}
