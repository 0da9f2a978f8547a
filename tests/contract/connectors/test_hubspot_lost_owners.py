"""A HubSpot owner who is gone between the run and the delivery does not cost the task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.registry import connect
from tests.contract.connectors.drive import companies, keys_of_tasks, statuses, task
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start

GONE = "12"
PORTALS = {"unique key": {}, "plain key": {"task_unique": False}, "no key": None}


@pytest.fixture(scope="module")
def running_portal() -> Iterator[HubSpotCrm]:
    portal = start()
    yield portal
    portal.stop()


@pytest.fixture(params=PORTALS)
def portal(running_portal: HubSpotCrm, request: pytest.FixtureRequest) -> HubSpotCrm:
    running_portal.reset()
    options = PORTALS[request.param]
    running_portal.control("config", options or {})
    objects = {"account", "task"} if options is not None else {"account"}
    needs = [need for need in running_portal.needs() if need.object in objects]
    running_portal.connect().setup(needs, dry_run=False)
    return running_portal


def test_its_task_is_made_once_and_for_nobody_and_the_others_keep_theirs(portal: HubSpotCrm) -> None:
    ann, bob = portal.add_owner("ann@example.com"), portal.human_adds_person("bob@c1.example")
    records = companies(portal, 3)
    wanted = [task(record, owner_id=owner) for record, owner in zip(records, [ann, GONE, None], strict=True)]
    wanted[1] = replace(wanted[1], person_id=bob)
    place = portal.destination()
    assert place.tasks is not None
    hubspot = connect(replace(place, tasks=replace(place.tasks, at_least_once=True)))
    outcomes = hubspot.write(wanted)
    assert statuses(outcomes) == ["applied"] * 3
    seen = {one.id: one for one in portal.tasks()}
    assert len(seen) == 3
    tasks = [seen[outcome.record_id or ""] for outcome in outcomes]
    assert [one.owner_id for one in tasks] == [ann, None, None]
    assert [one.record_id for one in tasks] == records
    assert [one.person_id for one in tasks] == [None, bob, None]
    hubspot.close()


def test_it_costs_one_call_more_however_many_tasks_lost_their_owner(running_portal: HubSpotCrm) -> None:
    running_portal.reset()
    running_portal.connect().setup(running_portal.needs(), dry_run=False)
    wanted = [task(record, owner_id=GONE) for record in companies(running_portal, 50)]
    running_portal.forget_calls()
    hubspot = running_portal.connect()
    assert statuses(hubspot.write(wanted)) == ["applied"] * 50
    assert keys_of_tasks(running_portal) == {one.key: 1 for one in wanted}
    assert sum(call.path.endswith("tasks/batch/upsert") for call in running_portal.calls()) == 2
    hubspot.close()


def test_what_could_not_be_sent_again_is_left_for_the_next_time(running_portal: HubSpotCrm) -> None:
    running_portal.reset()
    running_portal.connect().setup(running_portal.needs(), dry_run=False)
    first, second = companies(running_portal, 2)
    wanted = [task(first), task(second, owner_id=GONE)]
    refused = {"kind": "status", "args": {"status": 403}, "match": {"path_regex": "tasks/batch/upsert", "nth": 2}}
    running_portal.control("faults", refused)
    hubspot = running_portal.connect()
    assert statuses(hubspot.write(wanted)) == ["applied", "retry"]
    assert statuses(hubspot.write(wanted)) == ["applied"] * 2
    assert keys_of_tasks(running_portal) == {one.key: 1 for one in wanted}
    hubspot.close()
