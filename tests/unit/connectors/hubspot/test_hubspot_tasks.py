"""CRM tasks in HubSpot: the key, the tie to the company, the due hour, and hands off what people touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.base import CloseTask, Connector, CreateTask, UpdateTask
from connectors.hubspot.associations import associate, associated
from connectors.hubspot.tasks import due_stamp, rich_text
from connectors.hubspot.transport import HttpResponse
from connectors.registry import connect
from tests.contract.connectors.drive import record_ids
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm
from tests.unit.connectors.hubspot.scripted import Sent, answer, client, done


def task(record_id: str, n: int = 0, body: str = "Why: seats\nSeats 14 of 15") -> CreateTask:
    return CreateTask(
        key=f"key-{record_id}-{n}",
        record_id=record_id,
        subject=f"Call Ann {n}",
        body=body,
        due=date(2026, 11, 27),
        priority="high",
        owner_id=None,
    )


def add(portal: HubSpotCrm, count: int) -> list[str]:
    return portal.add_companies([Company(f"C {n}", f"c{n}.example", f"a{n}") for n in range(count)])


def stored(portal: HubSpotCrm, task_id: str | None) -> dict[str, str]:
    return next(one["properties"] for one in portal.records("tasks") if one["id"] == task_id)


@pytest.mark.parametrize(
    ("due", "zone", "stamp"),
    [
        (date(2026, 11, 27), "US/Eastern", "2026-11-27T14:00:00Z"),
        (date(2026, 7, 1), "US/Eastern", "2026-07-01T13:00:00Z"),
        (date(2026, 11, 27), "Asia/Tokyo", "2026-11-27T00:00:00Z"),
        (date(2026, 3, 29), "Europe/Berlin", "2026-03-29T07:00:00Z"),
    ],
)
def test_a_task_is_due_at_nine_in_the_portals_day(due: Any, zone: Any, stamp: str) -> None:
    assert due_stamp(due, 9, ZoneInfo(zone)) == stamp


def test_text_is_shown_as_written_although_hubspot_shows_html() -> None:
    assert rich_text('Seats 14 < 15 & "full"\nCall') == 'Seats 14 &lt; 15 &amp; "full"<br>Call'


def test_what_a_rep_sees(portal: HubSpotCrm, hubspot: Connector) -> None:
    [outcome] = hubspot.write([task(add(portal, 1)[0])])
    seen = stored(portal, outcome.record_id)
    assert datetime.fromisoformat(seen["hs_timestamp"]) == datetime(2026, 11, 27, 14, tzinfo=UTC)
    assert (seen["hs_task_priority"], seen["hs_task_type"], seen["hs_task_status"]) == ("HIGH", "TODO", "NOT_STARTED")
    assert "hubspot_owner_id" not in seen


def test_a_hundred_tasks_take_two_write_calls(portal: HubSpotCrm, hubspot: Connector) -> None:
    records = add(portal, 100)
    portal.forget_calls()
    outcomes = hubspot.write([task(record) for record in records])
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert sum(call.write for call in portal.calls()) == hubspot.usage().write_calls == 2
    assert {seen.record_id for seen in portal.tasks()} == set(records)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_tie_that_was_lost_is_made_good_by_the_next_attempt(
    portal: HubSpotCrm, hubspot: Connector, kind: str
) -> None:
    operations = [task(record) for record in add(portal, 3)]
    portal.control("faults", {"kind": kind, "match": {"path_regex": "associate/default"}})
    assert {outcome.status for outcome in hubspot.write(operations)} == {"unknown"}
    outcomes = hubspot.write(operations)
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert {(seen.key, seen.record_id) for seen in portal.tasks()} == {(op.key, op.record_id) for op in operations}


def test_a_refused_tie_is_tried_again_and_never_makes_a_second_task(portal: HubSpotCrm, hubspot: Connector) -> None:
    operations = [task(record) for record in add(portal, 2)]
    rejection = {"kind": "status", "args": {"status": 403}, "match": {"path_regex": "associate/default"}}
    portal.control("faults", rejection)
    assert {(outcome.status, outcome.code) for outcome in hubspot.write(operations)} == {("retry", "not_associated")}
    assert {outcome.status for outcome in hubspot.write(operations)} == {"applied"}
    assert len(portal.tasks()) == 2


def test_a_task_somebody_moved_to_another_company_stays_there(portal: HubSpotCrm, hubspot: Connector) -> None:
    first, second = add(portal, 2)
    [outcome] = hubspot.write([task(first)])
    base = f"{portal.url}/crm/objects/2026-03/tasks/{outcome.record_id}/associations"
    headers = {"Authorization": f"Bearer {portal._token}"}
    assert portal.http.delete(f"{base}/companies/{first}", headers=headers, timeout=5).ok
    default = base.replace("associations", "associations/default")
    assert portal.http.put(f"{default}/companies/{second}", headers=headers, timeout=5).ok
    assert hubspot.write([task(first)])[0].status == "applied"
    assert [seen.record_id for seen in portal.tasks()] == [second]


def test_setup_by_another_process_is_noticed(empty_portal: HubSpotCrm) -> None:
    hubspot = empty_portal.connect()
    assert "crm setup" in hubspot.write([task("1")])[0].reason
    empty_portal.connect().setup(empty_portal.needs(), dry_run=False)
    [record] = add(empty_portal, 1)
    assert hubspot.write([task(record)])[0].status == "applied"


def test_without_tasks_in_the_settings_none_are_made(portal: HubSpotCrm) -> None:
    [outcome] = connect(replace(portal.destination(), tasks=None)).write([task("1")])
    assert (outcome.status, "not configured" in outcome.reason) == ("rejected", True)


def test_a_text_somebody_changed_is_not_overwritten(portal: HubSpotCrm, hubspot: Connector) -> None:
    [ours, theirs] = record_ids(hubspot.write([task(record) for record in add(portal, 2)]))
    portal.human_retitles_task(theirs, "Ann: Tuesday instead")
    outcomes = hubspot.write([UpdateTask("u1", ours, "New", "Body"), UpdateTask("u2", theirs, "New", "Body")])
    assert [outcome.code for outcome in outcomes] == ["", "left_alone"]
    assert [stored(portal, id_)["hs_task_subject"] for id_ in (ours, theirs)] == ["New", "Ann: Tuesday instead"]


@pytest.mark.parametrize(
    "touch", [{"hubspot_owner_id": "@"}, {"hs_timestamp": "2026-12-24T09:00:00Z"}, {"hs_task_body": "mine now"}]
)
def test_a_task_somebody_touched_is_not_closed(portal: HubSpotCrm, hubspot: Connector, touch: Any) -> None:
    ours, theirs = record_ids(hubspot.write([task(record) for record in add(portal, 2)]))
    owner = portal.add_owner("bob@example.com")
    portal._edit("tasks", theirs, {name: owner if value == "@" else value for name, value in touch.items()})
    outcomes = hubspot.write([CloseTask("c1", ours), CloseTask("c2", theirs)])
    assert [outcome.code for outcome in outcomes] == ["", "left_alone"]
    assert [stored(portal, id_)["hs_task_status"] for id_ in (ours, theirs)] == ["COMPLETED", "NOT_STARTED"]


def test_our_own_new_text_does_not_make_a_task_foreign(portal: HubSpotCrm, hubspot: Connector) -> None:
    [made] = hubspot.write([task(add(portal, 1)[0])])
    hubspot.write([UpdateTask("u", made.record_id or "", "New", "Body")])
    [closed] = hubspot.write([CloseTask("c", made.record_id or "")])
    assert (closed.status, closed.code) == ("applied", "")
    assert stored(portal, made.record_id)["hs_task_status"] == "COMPLETED"


def test_a_task_for_a_merged_company_goes_to_the_survivor(portal: HubSpotCrm, hubspot: Connector) -> None:
    survivor, loser = add(portal, 2)
    portal.human_merges(survivor, loser)
    assert hubspot.write([task(loser)])[0].status == "applied"
    assert [seen.record_id for seen in portal.tasks()] == [survivor]


def test_a_tie_hubspot_did_not_confirm_is_to_be_made_again() -> None:
    confirmed = {"from": {"id": "1"}, "to": {"id": "10"}}
    error = {"category": "OBJECT_NOT_FOUND", "context": {"toObjectId": ["20"]}}
    hubspot, _ = client(done(confirmed, errors=[error]))
    outcomes = associate(hubspot, "tasks", "companies", {"a": ("1", "10"), "b": ("2", "20")})
    assert {key: outcome.status for key, outcome in outcomes.items()} == {"a": "applied", "b": "retry"}


def contact(portal: HubSpotCrm, email: str) -> str:
    return str(portal.mutate(action="create", type="contacts", properties={"email": email})["id"])


def people_of(portal: HubSpotCrm) -> dict[str, set[str]]:
    """The contacts of every task, by task id."""
    found: dict[str, set[str]] = {}
    for one in portal.http.get(f"{portal.url}/__sim/state", timeout=30).json()["associations"]:
        if (one["from"]["type"], one["to"]["type"]) == ("tasks", "contacts"):
            assert one["typeIds"] == [204]
            found.setdefault(one["from"]["id"], set()).add(one["to"]["id"])
    return found


def test_a_task_names_its_person_beside_the_company_in_one_call_for_all(portal: HubSpotCrm, hubspot: Connector) -> None:
    records, ann = add(portal, 100), contact(portal, "ann@acme.example")
    portal.forget_calls()
    outcomes = hubspot.write([replace(task(record), person_id=ann) for record in records])
    assert sum(call.write for call in portal.calls()) == 3
    assert people_of(portal) == {outcome.record_id: {ann} for outcome in outcomes}
    assert {seen.record_id for seen in portal.tasks()} == set(records)


@pytest.mark.parametrize("task_unique", [True, False])
def test_a_person_who_is_gone_does_not_cost_the_task(empty_portal: HubSpotCrm, task_unique: bool) -> None:
    portal = empty_portal
    portal.control("config", {"task_unique": task_unique})
    hubspot = portal.connect()
    hubspot.setup(portal.needs(), dry_run=False)
    ann, gone = contact(portal, "ann@acme.example"), contact(portal, "gone@acme.example")
    portal.mutate(action="archive", type="contacts", id=gone)
    people = [ann, gone, "99", None]
    operations = [replace(task(r), person_id=p) for r, p in zip(add(portal, 4), people, strict=True)]
    outcomes = hubspot.write(operations)
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert people_of(portal) == {outcomes[0].record_id: {ann}}
    assert {seen.record_id for seen in portal.tasks()} == {one.record_id for one in operations}
    assert [one.record_id for one in hubspot.write(operations)] == [one.record_id for one in outcomes]
    assert len(portal.tasks()) == 4


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_lost_tie_to_a_person_is_made_good_by_the_next_attempt(
    portal: HubSpotCrm, hubspot: Connector, kind: str
) -> None:
    ann = contact(portal, "ann@acme.example")
    operations = [replace(task(record), person_id=ann) for record in add(portal, 3)]
    portal.control("faults", {"kind": kind, "match": {"path_regex": "contacts/batch/associate/default"}})
    assert {outcome.status for outcome in hubspot.write(operations)} == {"unknown"}
    assert {outcome.status for outcome in hubspot.write(operations)} == {"applied"}
    assert set(map(frozenset, people_of(portal).values())) == {frozenset({ann})}
    assert len(people_of(portal)) == len(portal.tasks()) == 3


def test_a_task_whose_person_somebody_changed_keeps_theirs(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record], ann, bob = add(portal, 1), contact(portal, "ann@acme.example"), contact(portal, "bob@acme.example")
    [made] = hubspot.write([replace(task(record), person_id=ann)])
    base = f"{portal.url}/crm/objects/2026-03/tasks/{made.record_id}/associations"
    headers = {"Authorization": f"Bearer {portal._token}"}
    assert portal.http.delete(f"{base}/contacts/{ann}", headers=headers, timeout=5).ok
    assert portal.http.put(f"{base}/default/contacts/{bob}", headers=headers, timeout=5).ok
    assert hubspot.write([replace(task(record), person_id=ann)])[0].status == "applied"
    assert people_of(portal) == {made.record_id: {bob}}


def test_people_hubspot_refuses_as_a_whole_are_halved_until_the_bad_one_stands_alone() -> None:
    def reply(sent: Sent) -> HttpResponse:
        pairs = [(one["from"]["id"], one["to"]["id"]) for one in sent.body["inputs"]]
        if any(person == "bad" for _, person in pairs):
            return answer(400, {"category": "VALIDATION_ERROR", "message": "Invalid id"})
        return done(*({"from": {"id": task}, "to": {"id": person}} for task, person in pairs))

    hubspot, wire = client(reply)
    pairs = {f"k{n}": (str(n), "bad" if n == 5 else "7") for n in range(8)}
    outcomes = associate(hubspot, "tasks", "contacts", pairs, optional=True)
    assert {outcome.status for outcome in outcomes.values()} == {"applied"}
    assert {key: outcome.record_id for key, outcome in outcomes.items()} == {
        key: one for key, (one, _) in pairs.items()
    }
    tied = [one["from"]["id"] for sent in wire.sent for one in sent.body["inputs"] if len(sent.body["inputs"]) <= 4]
    assert set("01234567") <= set(tied)


def test_ties_that_come_in_pages_are_read_to_the_end() -> None:
    first = {"from": {"id": "1"}, "to": [{"toObjectId": 10}], "paging": {"next": {"after": "x"}}}
    hubspot, wire = client(done(first, {"from": {"id": "2"}, "to": [{"toObjectId": 20}]}), done(first | {"paging": {}}))
    assert associated(hubspot, "companies", "tasks", ["1", "2"]) == {"1": ["10", "10"], "2": ["20"]}
    assert wire.sent[1].body == {"inputs": [{"id": "1", "after": "x"}]}


def test_a_key_somebody_made_at_the_same_moment_is_found_next_time(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = add(portal, 1)
    message = "Cannot set PropertyValueCoordinates{value=k} on 5. 6 already has that value."
    error = {"category": "VALIDATION_ERROR", "message": message, "context": {"objectWriteTraceId": ["0"]}}
    body = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}
    fault = {"kind": "status", "args": {"status": 207, "body": body}, "match": {"path_regex": "tasks/batch/upsert"}}
    portal.control("faults", fault)
    assert [(one.status, one.code) for one in hubspot.write([task(record)])] == [("retry", "UNIQUE_VALUE")]
    assert hubspot.write([task(record)])[0].status == "applied"
