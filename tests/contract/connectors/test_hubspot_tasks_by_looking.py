"""HubSpot portals whose tasks take no unique property: one task per key all the same, or none, unless waived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import CloseTask, CreateTask, Outcome, TaskSettings, Unavailable, Underway, UpdateTask
from connectors.hubspot.connector import HubSpotConnector
from connectors.hubspot.task_keys import GIVEN_UP_AFTER_S, REQUESTED_AT
from tests.contract.connectors.drive import companies, keys_of_tasks, statuses, task
from tests.contract.connectors.faults_hubspot import KEY_FIELD
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start

CREATE = r"tasks/batch/create"
LOST: Mapping[str, Mapping[str, object]] = {
    "answer lost": {"kind": "drop_after"},
    "half made": {"kind": "partial_apply", "args": {"drop": True}},
    "timeout after half": {"kind": "partial_apply", "args": {"status": 504}},
    "never arrived": {"kind": "drop_before"},
    "answer cut": {"kind": "truncate", "args": {"bytes": 40}},
    "result missing": {"kind": "drop_result"},
}


class Notes(dict[str, str]):
    """A journal as the worker keeps one."""

    def read(self, name: str) -> str | None:
        return self.get(name)

    def write(self, name: str, text: str) -> None:
        self[name] = text

    def erase(self, name: str) -> None:
        self.pop(name, None)


class Portal(HubSpotCrm):
    """A sandbox portal, the journal and the clock of the process that delivers to it."""

    def begin(self, **options: object) -> None:
        self.reset()
        self.control("config", {"task_unique": False, **options})
        self.notes = Notes()
        self.now = 1_000_000.0

    def hubspot(self, *, at_least_once: bool = False) -> HubSpotConnector:
        destination = replace(self.destination(), tasks=TaskSettings(KEY_FIELD, at_least_once=at_least_once))
        return HubSpotConnector(destination, journal=self.notes, clock=lambda: self.now)

    def lose(self, fault: Mapping[str, object], path: str = CREATE) -> None:
        self.control("faults", {"match": {"path_regex": path}, **fault})

    def deliver(self, operations: list[CreateTask], rounds: int = 6) -> dict[str, Outcome]:
        """What the outbox does, at its quickest: at once again, unless a later time is given."""
        settled: dict[str, Outcome] = {}
        for _ in range(rounds):
            left = [op for op in operations if op.key not in settled]
            hubspot = self.hubspot()
            try:
                outcomes = hubspot.write(left) if left else []
                settled |= {one.key: one for one in outcomes if one.status in ("applied", "rejected")}
            except Underway as busy:
                self.now += busy.retry_after
                self.pass_time(busy.retry_after)
            except Unavailable as down:
                self.now += down.retry_after
            finally:
                hubspot.close()
        return settled


@pytest.fixture(scope="module")
def running_portal() -> Iterator[Portal]:
    portal = start()
    portal.__class__ = Portal
    yield portal  # type: ignore[misc]
    portal.stop()


@pytest.fixture
def portal(running_portal: Portal) -> Portal:
    running_portal.begin()
    hubspot = running_portal.hubspot()
    hubspot.setup(running_portal.needs(), dry_run=False)
    hubspot.close()
    running_portal.forget_calls()
    return running_portal


def test_setup_makes_a_plain_key_says_so_and_a_second_time_changes_nothing(running_portal: Portal) -> None:
    running_portal.begin()
    [key] = [need for need in running_portal.needs() if need.object == "task"]
    first, second = (running_portal.hubspot().setup([key], dry_run=False)[0] for _ in range(2))
    assert (first.status, second.status) == ("created", "exists")
    assert "searches for each task before it creates it" in first.detail == second.detail


def test_check_says_which_promise_holds(portal: Portal) -> None:
    health = portal.hubspot().check()
    assert health.problems == ()
    assert "one plgsync at a time" in " ".join(health.notes)


def test_a_hundred_tasks_take_one_write_call_and_stand_with_their_companies(portal: Portal) -> None:
    operations = [task(record) for record in companies(portal, 100)]
    portal.forget_calls()
    hubspot = portal.hubspot()
    assert statuses(hubspot.write(operations)) == ["applied"] * 100
    assert sum(call.write for call in portal.calls()) == 1 >= hubspot.fewest_calls(CreateTask, 100)
    assert {(seen.key, seen.record_id) for seen in portal.tasks()} == {(op.key, op.record_id) for op in operations}


@pytest.mark.parametrize("fault", LOST)
def test_whatever_is_lost_there_is_one_task_per_key(portal: Portal, fault: str) -> None:
    operations = [task(record, n) for record in companies(portal, 12) for n in range(2)]
    portal.lose(LOST[fault])
    settled = portal.deliver(operations)
    assert {outcome.status for outcome in settled.values()} == {"applied"}
    assert keys_of_tasks(portal) == {op.key: 1 for op in operations}
    assert {seen.id for seen in portal.tasks()} == {outcome.record_id for outcome in settled.values()}


def test_replays_make_none_although_search_lags(portal: Portal) -> None:
    operations = [task(record) for record in companies(portal, 10)]
    first = portal.hubspot().write(operations)
    again = portal.hubspot().write(operations)
    assert [one.record_id for one in again] == [one.record_id for one in first]
    assert len(portal.tasks()) == 10


def test_a_task_somebody_moved_to_another_company_is_found_and_stays_there(portal: Portal) -> None:
    first, second = companies(portal, 2)
    [made] = portal.hubspot().write([task(first)])
    base = f"{portal.url}/crm/objects/2026-03/tasks/{made.record_id}/associations"
    headers = {"Authorization": f"Bearer {portal._token}"}
    assert portal.http.delete(f"{base}/companies/{first}", headers=headers, timeout=5).ok
    assert portal.http.put(f"{base}/default/companies/{second}", headers=headers, timeout=5).ok
    portal.pass_time(60)
    assert portal.hubspot().write([task(first)])[0].record_id == made.record_id
    assert [seen.record_id for seen in portal.tasks()] == [second]


def test_a_task_of_a_company_that_was_merged_meanwhile_is_found(portal: Portal) -> None:
    survivor, loser = companies(portal, 2)
    [made] = portal.hubspot().write([task(loser)])
    portal.human_merges(survivor, loser)
    assert portal.hubspot().write([task(loser)])[0].record_id == made.record_id
    assert len(portal.tasks()) == 1


def test_a_task_a_person_deleted_is_not_made_again(portal: Portal) -> None:
    operations = [task(record) for record in companies(portal, 2)]
    gone, _ = portal.hubspot().write(operations)
    portal.human_deletes_task(gone.record_id or "")
    assert statuses(portal.hubspot().write(operations)) == ["applied"] * 2
    assert sorted(seen.status for seen in portal.tasks()) == ["deleted", "open"]


def test_a_bad_task_and_a_company_that_is_gone_cost_only_themselves(portal: Portal) -> None:
    records = companies(portal, 4)
    portal.human_deletes_company(records[1])
    operations = [task(record) for record in records]
    portal.lose({"kind": "poison", "args": {"ids": [operations[2].key]}})
    assert statuses(portal.hubspot().write(operations)) == ["applied", "rejected", "rejected", "applied"]
    assert {seen.record_id for seen in portal.tasks()} == {records[0], records[3]}


def test_nothing_is_made_again_before_hubspot_has_given_up_even_after_a_crash(portal: Portal) -> None:
    operations = [task(record) for record in companies(portal, 3)]
    portal.lose({"kind": "drop_before"})
    assert set(statuses(portal.hubspot().write(operations))) == {"unknown"}
    portal.forget_calls()
    with pytest.raises(Underway) as busy:
        portal.hubspot().write(operations)
    assert busy.value.retry_after == GIVEN_UP_AFTER_S
    assert not any(call.write for call in portal.calls())
    portal.now += GIVEN_UP_AFTER_S
    assert statuses(portal.hubspot().write(operations)) == ["applied"] * 3
    assert REQUESTED_AT not in portal.notes
    assert len(portal.tasks()) == 3


def test_an_answered_write_leaves_nothing_to_wait_for(portal: Portal) -> None:
    first, second = companies(portal, 2)
    portal.lose({"kind": "status", "args": {"status": 423}})
    assert statuses(portal.hubspot().write([task(first)])) == ["retry"]
    assert statuses(portal.hubspot().write([task(first), task(second)])) == ["applied"] * 2


def test_what_a_person_touched_is_left_alone(portal: Portal) -> None:
    hubspot = portal.hubspot()
    ours, theirs = (one.record_id or "" for one in hubspot.write([task(record) for record in companies(portal, 2)]))
    portal.human_retitles_task(theirs, "Mine now")
    changed = hubspot.write([UpdateTask("u1", ours, "New", "Body"), UpdateTask("u2", theirs, "New", "Body")])
    assert [one.code for one in changed] == ["", "left_alone"]
    assert [one.code for one in hubspot.write([CloseTask("c1", ours), CloseTask("c2", theirs)])] == ["", "left_alone"]


DAYS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*sorted(LOST), "quiet"]), st.integers(0, 2)),
        st.tuples(st.sampled_from(["completes", "deletes", "retitles"]), st.integers(0, 3)),
    ),
    max_size=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DAYS)
def test_any_run_of_bad_days_people_and_replays_ends_with_one_task_per_key(
    portal: Portal, days: list[tuple[str, int]]
) -> None:
    portal.begin()
    portal.hubspot().setup(portal.needs(), dry_run=False)
    records = portal.add_companies([Company(f"C {n}", f"c{n}.example", f"a{n}") for n in range(4)])
    wanted: set[str] = set()
    people: dict[str, str] = {}
    for what, n in days:
        if what in ("completes", "deletes", "retitles"):
            _person(portal, what, n, people)
            continue
        operations = [task(record, n) for record in records]
        if what != "quiet":
            portal.lose(LOST[what])
        assert {one.status for one in portal.deliver(operations).values()} == {"applied"}
        wanted |= {op.key for op in operations}
        portal.control("reset", {"only": ["faults"]})
    assert keys_of_tasks(portal) == dict.fromkeys(wanted, 1)
    now = {seen.id: seen for seen in portal.tasks()}
    for task_id, did in people.items():
        expected = {"completes": now[task_id].status == "completed", "deletes": now[task_id].status == "deleted"}
        assert expected.get(did, now[task_id].subject == "Mine now")


def _person(portal: Portal, what: str, n: int, people: dict[str, str]) -> None:
    """A person does one thing to an unchanged task."""
    tasks = [seen for seen in portal.tasks() if seen.status == "open" and seen.id not in people]
    if n >= len(tasks):
        return
    match what:
        case "completes":
            portal.human_completes_task(tasks[n].id)
        case "deletes":
            portal.human_deletes_task(tasks[n].id)
        case _:
            portal.human_retitles_task(tasks[n].id, "Mine now")
    people[tasks[n].id] = what


# ---------------------------------------------------------------------------- no property at all


def test_without_any_property_no_task_is_made_and_it_says_what_to_do(running_portal: Portal) -> None:
    running_portal.begin()
    [record] = companies_without_setup(running_portal)
    [outcome] = running_portal.hubspot().write([task(record)])
    assert (outcome.status, outcome.code) == ("rejected", "NO_TASK_KEY")
    assert "crm setup" in outcome.reason
    assert "tasks.at_least_once" in outcome.reason
    assert any(KEY_FIELD in problem for problem in running_portal.hubspot().check().problems)
    assert running_portal.tasks() == []


def test_the_operators_word_makes_tasks_without_a_key_and_check_repeats_it(running_portal: Portal) -> None:
    running_portal.begin()
    [record] = companies_without_setup(running_portal)
    hubspot = running_portal.hubspot(at_least_once=True)
    made = hubspot.write([task(record, n) for n in range(3)])
    assert statuses(made) == ["applied"] * 3
    assert {(seen.id, seen.record_id) for seen in running_portal.tasks()} == {(one.record_id, record) for one in made}
    assert "created again" in " ".join(hubspot.check().notes)


def test_at_least_once_is_what_it_says(running_portal: Portal) -> None:
    running_portal.begin()
    [record] = companies_without_setup(running_portal)
    running_portal.lose({"kind": "drop_after"})
    hubspot = running_portal.hubspot(at_least_once=True)
    assert statuses(hubspot.write([task(record)])) == ["unknown"]
    assert statuses(hubspot.write([task(record)])) == ["applied"]
    assert len(running_portal.tasks()) == 2


def test_without_a_key_too_what_a_person_rewrote_is_left_alone(running_portal: Portal) -> None:
    running_portal.begin()
    [record] = companies_without_setup(running_portal)
    hubspot = running_portal.hubspot(at_least_once=True)
    ours, theirs = (one.record_id or "" for one in hubspot.write([task(record, n) for n in range(2)]))
    running_portal._edit("tasks", theirs, {"hs_task_subject": "Mine now", "hs_task_body": "And mine"})
    changed = hubspot.write([UpdateTask("u1", ours, "New", "Body"), UpdateTask("u2", theirs, "New", "Body")])
    assert [one.code for one in changed] == ["", "left_alone"]


def companies_without_setup(portal: Portal) -> list[str]:
    return portal.add_companies([Company("Acme", "acme.example")])
