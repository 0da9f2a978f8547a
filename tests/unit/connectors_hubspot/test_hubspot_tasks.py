"""CRM tasks in HubSpot: the key, the tie to the company, the due hour, and hands off what people touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from harness import Company
from harness_hubspot import KEY_FIELD, HubSpotCrm
from hubspot_kit import client, done

from connectors.base import CloseTask, Connector, CreateTask, UpdateFields, UpdateTask
from connectors.hubspot.associations import associate
from connectors.hubspot.tasks import due_stamp, rich_text
from connectors.registry import connect


def task(record_id: str, n: int = 0, body: str = "Why: seats\nSeats 14 of 15") -> CreateTask:
    return CreateTask(f"key-{record_id}-{n}", record_id, f"Call Ann {n}", body, date(2026, 11, 27), "high", None)


def add(portal: HubSpotCrm, count: int) -> list[str]:
    return portal.add_companies([Company(f"C {n}", f"c{n}.example", f"a{n}") for n in range(count)])


def stored(portal: HubSpotCrm, task_id: str | None) -> dict[str, str]:
    return next(one["properties"] for one in portal._records("tasks") if one["id"] == task_id)


@pytest.mark.parametrize(
    ("due", "zone", "stamp"),
    [
        (date(2026, 11, 27), "US/Eastern", "2026-11-27T14:00:00Z"),
        (date(2026, 7, 1), "US/Eastern", "2026-07-01T13:00:00Z"),
        (date(2026, 11, 27), "Asia/Tokyo", "2026-11-27T00:00:00Z"),
        (date(2026, 3, 29), "Europe/Berlin", "2026-03-29T07:00:00Z"),
    ],
)
def test_a_task_is_due_at_nine_in_the_portals_day(due, zone, stamp):
    assert due_stamp(due, 9, ZoneInfo(zone)) == stamp


def test_text_is_shown_as_written_although_hubspot_shows_html():
    assert rich_text('Seats 14 < 15 & "full"\nCall') == 'Seats 14 &lt; 15 &amp; "full"<br>Call'


def test_what_a_rep_sees(portal, hubspot: Connector):
    [outcome] = hubspot.write([task(add(portal, 1)[0])])
    seen = stored(portal, outcome.record_id)
    assert datetime.fromisoformat(seen["hs_timestamp"]) == datetime(2026, 11, 27, 14, tzinfo=UTC)
    assert (seen["hs_task_priority"], seen["hs_task_type"], seen["hs_task_status"]) == ("HIGH", "TODO", "NOT_STARTED")
    assert "hubspot_owner_id" not in seen


def test_a_hundred_tasks_take_two_write_calls(portal, hubspot: Connector):
    records = add(portal, 100)
    portal.forget_calls()
    outcomes = hubspot.write([task(record) for record in records])
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert sum(call.write for call in portal.calls()) == hubspot.usage().write_calls == 2
    assert {seen.record_id for seen in portal.tasks()} == set(records)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_tie_that_was_lost_is_made_good_by_the_next_attempt(portal, hubspot: Connector, kind):
    operations = [task(record) for record in add(portal, 3)]
    portal._control("faults", {"kind": kind, "match": {"path_regex": "associate/default"}})
    assert {outcome.status for outcome in hubspot.write(operations)} == {"unknown"}
    outcomes = hubspot.write(operations)
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert {(seen.key, seen.record_id) for seen in portal.tasks()} == {(op.key, op.record_id) for op in operations}


def test_a_refused_tie_is_tried_again_and_never_makes_a_second_task(portal, hubspot: Connector):
    operations = [task(record) for record in add(portal, 2)]
    refusal = {"kind": "status", "args": {"status": 403}, "match": {"path_regex": "associate/default"}}
    portal._control("faults", refusal)
    assert {(outcome.status, outcome.code) for outcome in hubspot.write(operations)} == {("retry", "not_tied")}
    assert {outcome.status for outcome in hubspot.write(operations)} == {"applied"}
    assert len(portal.tasks()) == 2


def test_a_task_somebody_moved_to_another_company_stays_there(portal, hubspot: Connector):
    first, second = add(portal, 2)
    [outcome] = hubspot.write([task(first)])
    base = f"{portal._url}/crm/objects/2026-03/tasks/{outcome.record_id}/associations"
    headers = {"Authorization": f"Bearer {portal._token}"}
    assert portal._session.delete(f"{base}/companies/{first}", headers=headers, timeout=5).ok
    default = base.replace("associations", "associations/default")
    assert portal._session.put(f"{default}/companies/{second}", headers=headers, timeout=5).ok
    assert hubspot.write([task(first)])[0].status == "applied"
    assert [seen.record_id for seen in portal.tasks()] == [second]


def test_a_key_property_that_is_not_unique_makes_no_task(empty_portal):
    empty_portal._control("config", {"task_unique": True})
    needs = [replace(need, unique=need.unique and need.object == "account") for need in empty_portal.needs()]
    hubspot = empty_portal.connect()
    hubspot.setup(needs, dry_run=False)
    [record] = add(empty_portal, 1)
    [outcome] = hubspot.write([task(record)])
    assert (outcome.status, outcome.code) == ("rejected", "NO_TASK_KEY")
    assert KEY_FIELD in outcome.reason
    fields = UpdateFields("f", "account", record, {"plgsync_score": 1})
    assert hubspot.write([fields])[0].status == "applied"
    assert any(KEY_FIELD in problem for problem in hubspot.check().problems)
    assert empty_portal.tasks() == []


def test_a_portal_that_takes_no_unique_task_property_is_a_todo_for_a_person(empty_portal):
    empty_portal._control("config", {"task_unique": False})
    steps = empty_portal.connect().setup(empty_portal.needs(), dry_run=False)
    [step] = [step for step in steps if step.need.object == "task"]
    assert step.status in ("todo", "wrong")
    assert {step.status for step in steps if step.need.object == "account"} == {"created"}


def test_setup_by_another_process_is_noticed(empty_portal):
    hubspot = empty_portal.connect()
    assert "crm setup" in hubspot.write([task("1")])[0].reason
    empty_portal.connect().setup(empty_portal.needs(), dry_run=False)
    [record] = add(empty_portal, 1)
    assert hubspot.write([task(record)])[0].status == "applied"


def test_without_tasks_in_the_settings_none_are_made(portal):
    [outcome] = connect(replace(portal.destination(), tasks=None)).write([task("1")])
    assert (outcome.status, "not configured" in outcome.reason) == ("rejected", True)


def test_a_text_somebody_changed_is_not_overwritten(portal, hubspot: Connector):
    [ours, theirs] = [outcome.record_id for outcome in hubspot.write([task(record) for record in add(portal, 2)])]
    portal.human_retitles_task(theirs, "Ann: Tuesday instead")
    outcomes = hubspot.write([UpdateTask("u1", ours, "New", "Body"), UpdateTask("u2", theirs, "New", "Body")])
    assert [outcome.code for outcome in outcomes] == ["", "left_alone"]
    assert [stored(portal, id_)["hs_task_subject"] for id_ in (ours, theirs)] == ["New", "Ann: Tuesday instead"]


@pytest.mark.parametrize(
    "touch", [{"hubspot_owner_id": "@"}, {"hs_timestamp": "2026-12-24T09:00:00Z"}, {"hs_task_body": "mine now"}]
)
def test_a_task_somebody_touched_is_not_closed(portal, hubspot: Connector, touch):
    ours, theirs = [outcome.record_id for outcome in hubspot.write([task(record) for record in add(portal, 2)])]
    owner = portal.add_owner("bob@example.com")
    portal._edit("tasks", theirs, {name: owner if value == "@" else value for name, value in touch.items()})
    outcomes = hubspot.write([CloseTask("c1", ours), CloseTask("c2", theirs)])
    assert [outcome.code for outcome in outcomes] == ["", "left_alone"]
    assert [stored(portal, id_)["hs_task_status"] for id_ in (ours, theirs)] == ["COMPLETED", "NOT_STARTED"]


def test_our_own_new_text_does_not_make_a_task_foreign(portal, hubspot: Connector):
    [made] = hubspot.write([task(add(portal, 1)[0])])
    hubspot.write([UpdateTask("u", made.record_id or "", "New", "Body")])
    [closed] = hubspot.write([CloseTask("c", made.record_id or "")])
    assert (closed.status, closed.code) == ("applied", "")
    assert stored(portal, made.record_id)["hs_task_status"] == "COMPLETED"


def test_a_task_for_a_merged_company_goes_to_the_survivor(portal, hubspot: Connector):
    survivor, loser = add(portal, 2)
    portal.human_merges(survivor, loser)
    assert hubspot.write([task(loser)])[0].status == "applied"
    assert [seen.record_id for seen in portal.tasks()] == [survivor]


def test_a_tie_hubspot_did_not_confirm_is_to_be_made_again():
    confirmed = {"from": {"id": "1"}, "to": {"id": "10"}}
    error = {"category": "OBJECT_NOT_FOUND", "context": {"toObjectId": ["20"]}}
    hubspot, _ = client(done(confirmed, errors=[error]))
    outcomes = associate(hubspot, "tasks", "companies", {"a": ("1", "10"), "b": ("2", "20")})
    assert {key: outcome.status for key, outcome in outcomes.items()} == {"a": "applied", "b": "retry"}


def test_a_key_somebody_made_at_the_same_moment_is_found_next_time(portal, hubspot: Connector):
    [record] = add(portal, 1)
    message = "Cannot set PropertyValueCoordinates{value=k} on 5. 6 already has that value."
    error = {"category": "VALIDATION_ERROR", "message": message, "context": {"objectWriteTraceId": ["0"]}}
    body = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}
    fault = {"kind": "status", "args": {"status": 207, "body": body}, "match": {"path_regex": "tasks/batch/upsert"}}
    portal._control("faults", fault)
    assert [(one.status, one.code) for one in hubspot.write([task(record)])] == [("retry", "UNIQUE_VALUE")]
    assert hubspot.write([task(record)])[0].status == "applied"
