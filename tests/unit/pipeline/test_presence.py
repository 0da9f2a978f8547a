"""An account that is missing from the product data is unknown, and an id that somebody else has now is nobody's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.unit.pipeline.pipeline_kit import Project
from worker.delivery.reused_ids import keep_account, renew_account
from worker.pipeline.presence import Presence, presence_of
from worker.settings.trust import TrustSettings
from worker.signals.errors import DistrustedData
from worker.store.sightings import Sighting, hash_of
from worker.store.state import load_enrollments, load_memories
from worker.store.tables import account_sightings, crm_records, crm_tasks

TRUST = TrustSettings()
DAY = datetime(2026, 7, 1, 6, tzinfo=UTC)
CALL = """\
when: {enters: seats_used > 10}
leaves: seats_used < 5
repeat: {already_matching: include}
do:
  - create_task: {key: call, subject: Call, to: account_owner, due: 1d, close_when_leaves: true}
"""


def seen(*ids: str, **more: Any) -> dict[str, Sighting]:
    return {a: Sighting(account_id=a, first_seen="2026-06-01T06:00:00Z", **more) for a in ids}


def many(count: int) -> list[str]:
    return [f"a{n:03}" for n in range(count)]


def observe(
    known: Mapping[str, Sighting], present: list[str], days: int = 0, sizes: tuple[int, ...] = (100, 100)
) -> Presence:
    return presence_of(known, present, {a: {} for a in present}, sizes, DAY + timedelta(days=days), TRUST)


@pytest.mark.parametrize(
    ("accounts", "missing", "stops"), [(100, 5, False), (100, 6, True), (10, 4, False), (10, 5, True)]
)
def test_more_than_a_twentieth_missing_at_once_and_at_least_five_stops_the_run(
    accounts: int, missing: int, stops: bool
) -> None:
    ids = many(accounts)
    if stops:
        with pytest.raises(
            DistrustedData, match=f"{missing} of {accounts} accounts of the last run are missing, such as a0"
        ):
            observe(seen(*ids), ids[missing:])
    else:
        assert observe(seen(*ids), ids[missing:]).frozen == frozenset(ids[:missing])


def test_an_account_is_gone_after_three_days_of_runs_and_back_when_it_is_listed_again() -> None:
    known = seen("a", "b")
    for day, also_missing in ((0, True), (0, True), (1, True), (2, False)):
        found = observe(known, ["b"], day, (2, 1))
        assert ("a" in found.missing) is also_missing
        known |= {one.account_id: one for one in found.changed}
    assert known["a"].gone
    assert known["a"].missing_since == "2026-07-01T06:00:00Z"
    (back,) = observe(known, ["a", "b"], 3, (2, 1, 2)).changed
    assert (back.gone, back.missing_since, tuple(back.missing_days)) == (False, None, ())


def test_days_on_which_the_table_is_shorter_than_usual_do_not_count() -> None:
    known = seen("a", "b")
    for day in range(5):
        found = observe(known, ["b"], day, (100, 90))
        known |= {one.account_id: one for one in found.changed}
    assert found.missing == {"a": "missing since 2026-07-01, day 0 of 3"}


OLD = {"account.name": "Old Mill", "account.domain": "oldmill.example"}
CREATED = {"account.created_at": datetime(2026, 6, 30, tzinfo=UTC)}


def reused(now: Mapping[str, Any], others: int = 0) -> Presence:
    known = {
        a: Sighting(
            account_id=a,
            first_seen="2026-06-29T06:00:00Z",
            name_hash=hash_of(a, OLD["account.name"]),
            domain_hash=hash_of(a, OLD["account.domain"]),
        )
        for a in ("7", *many(others))
    }
    rows = {"7": {**OLD, **CREATED, **now}, **{a: dict(OLD) for a in many(others)}}
    return presence_of(known, list(rows), rows, (1, 1), DAY, TRUST)


def test_an_id_with_a_later_creation_and_another_name_or_domain_is_somebody_else() -> None:
    why = "created 2026-06-30, but seen before on 2026-06-29 with another"
    assert reused({"account.name": "Nova"}).reused == {"7": f"{why} name"}
    both = {"account.name": "Nova", "account.domain": "nova.example"}
    assert reused(both).reused == {"7": f"{why} name and domain"}
    assert reused(both).frozen == {"7"}


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"account.name": " old  MILL"},
        {"account.domain": None},
        {"account.name": "Nova", "account.created_at": datetime(2026, 6, 1, tzinfo=UTC)},
        {"account.name": "Nova", "account.created_at": None},
    ],
)
def test_a_rename_alone_and_a_later_creation_alone_stay_the_same_account(now: Mapping[str, Any]) -> None:
    assert reused(now).reused == {}


def test_ids_that_are_addresses_are_not_repeated() -> None:
    ids = [f"{name}@example.com" for name in many(10)]
    with pytest.raises(DistrustedData, match="5 of 10 accounts of the last run are missing; 5% may be missing"):
        observe(seen(*ids), ids[5:])
    known = {a: Sighting(account_id=a, first_seen="2026-06-29T06:00:00Z", name_hash="x") for a in ids}
    rows: dict[str, dict[str, Any]] = {a: {**CREATED, "account.name": "Nova"} for a in ids}
    with pytest.raises(DistrustedData, match=r"10 of 10 account ids belong to other accounts.*such as one \(created"):
        presence_of(known, ids, rows, (10, 10), DAY, TRUST)


def test_three_reused_ids_of_more_than_a_hundredth_are_a_changed_mapping() -> None:
    known = {a: Sighting(account_id=a, first_seen="2026-06-29T06:00:00Z", name_hash="x") for a in many(3)}
    rows: dict[str, dict[str, Any]] = {a: {**CREATED, "account.name": "Nova"} for a in many(3)}
    with pytest.raises(DistrustedData, match="3 of 3 account ids belong to other accounts than before, such as a000"):
        presence_of(known, list(rows), rows, (3, 3), DAY, TRUST)
    rows |= {f"b{n}": {} for n in range(300)}
    assert len(presence_of(known, list(rows), rows, (3, 3), DAY, TRUST).reused) == 3


# ------------------------------------------------------------------------------------------------------ whole runs


@pytest.fixture
def project(project: Project) -> Project:
    project.playbook(CALL)
    project.facts = {a: {"seats_used": 20, "account.is_internal": False} for a in ("a", "b")}
    return project


def state_of(store: Engine, account_id: str) -> tuple[Any, ...]:
    with store.begin() as connection:
        of_account = select(crm_tasks.c.status).where(crm_tasks.c.account_id == account_id).order_by(crm_tasks.c.entry)
        tasks = connection.execute(of_account).scalars().all()
        enrollment = load_enrollments(connection)["demo"].get(account_id)
        return tasks, enrollment and (enrollment.phase, enrollment.entry), load_memories(connection).get(account_id)


def test_an_account_that_is_missing_for_a_run_keeps_tasks_enrollment_fields_and_memory(project: Project) -> None:
    project.run(0)
    project.facts["a"]["seats_used"] = 20
    before, fields = state_of(project.store, "a"), dict(project.crm.records["R-a"])
    assert before[:2] == (["open"], ("in", 1))
    absent = project.facts.pop("a")
    report = project.run(1)
    assert report.computed.plan.missing == {"a": "missing since 2026-03-03, day 1 of 3"}
    assert (state_of(project.store, "a"), project.crm.records["R-a"]) == (before, fields)
    project.facts["a"] = absent
    back = project.run(1.5)
    assert (back.computed.plan.tasks, back.computed.plan.missing) == ([], {})
    assert state_of(project.store, "a")[:2] == before[:2]
    assert project.crm.records["R-a"] == fields


def test_a_step_that_fell_due_while_the_account_was_missing_is_taken_once_when_it_is_back(project: Project) -> None:
    again = "{key: again, subject: Again, to: account_owner, due: 1d}"
    project.playbook(f"{CALL}  - wait: 1d\n  - create_task: {again}\n")
    project.run(0)
    absent = project.facts.pop("a")
    made = []
    for day, facts in ((1, {}), (2, {"a": absent}), (3, {})):
        project.facts |= facts
        project.run(day)
        made.append(sorted(task.record_id for task in project.crm.tasks.values() if task.subject == "Again"))
    assert made == [["R-b"], ["R-a", "R-b"], ["R-a", "R-b"]]


def test_an_account_that_stays_away_leaves_on_the_third_day(project: Project) -> None:
    project.run(0)
    del project.facts["a"]
    for day in (1, 2):
        assert project.run(day).computed.playbooks["demo"].decisions == ()
    (left,) = project.run(3).computed.playbooks["demo"].decisions
    assert (left.account_id, left.event) == ("a", "left")


def reuse(project: Project) -> None:
    """Account a is there for two runs; then its id belongs to another account."""
    project.facts["a"] |= {"account.name": "Old Mill", "account.created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    project.run(0)
    project.facts["a"] |= {"account.name": "Nova", "account.created_at": datetime(2026, 3, 2, 20, tzinfo=UTC)}
    project.facts["a"]["seats_used"] = 60


def test_a_reused_id_changes_nothing_until_a_person_decides(project: Project) -> None:
    reuse(project)
    before, fields = state_of(project.store, "a"), dict(project.crm.records["R-a"])
    for day in (1, 2):
        assert list(project.run(day).computed.plan.reused) == ["a"]
        assert (state_of(project.store, "a"), project.crm.records["R-a"]) == (before, fields)


def test_an_account_that_a_person_keeps_goes_on_and_is_not_asked_about_again(project: Project) -> None:
    reuse(project)
    project.run(1)
    with project.store.begin() as connection:
        keep_account(connection, "a")
    report = project.run(2)
    assert report.computed.plan.reused == {}
    assert project.crm.records["R-a"]["health"] == 60
    assert state_of(project.store, "a")[:2] == (["open"], ("in", 1))
    project.facts["a"]["account.name"] = "Nova Labs"
    assert project.run(3).computed.plan.reused == {}, "a later rename is a rename"


def test_a_renewed_account_begins_without_the_old_records_scores_and_enrollments(project: Project) -> None:
    reuse(project)
    project.run(1)
    with project.store.begin() as connection:
        renew_account(connection, "a")
        for table in (account_sightings, crm_records):
            assert connection.execute(select(table.c.account_id)).scalars().all() == ["b"]
    assert state_of(project.store, "a") == (["deleted"], ("out", 1), None)
    (old,) = [record for record in project.crm.records if record == "R-a"]
    del project.crm.records[old]
    project.run(2)
    assert state_of(project.store, "a")[:2] == (["deleted", "open"], ("in", 2))
