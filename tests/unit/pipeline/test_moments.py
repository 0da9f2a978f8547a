"""A run as of the future is refused by whichever clock is at hand, unless a person wants it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.unit.pipeline.pipeline_kit import START, Project
from worker.pipeline.compute import AsOfTooOld
from worker.store.moments import InFuture
from worker.store.tables import outbox, runs


def committed(project: Project) -> list[str]:
    with project.store.begin() as connection:
        return list(connection.execute(select(runs.c.as_of).order_by(runs.c.as_of)).scalars())


def test_the_clock_of_a_crm_refuses_a_run_that_is_more_than_five_minutes_ahead(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project.crm, "server_time", lambda: START - timedelta(minutes=5, seconds=1))
    with pytest.raises(InFuture, match=r"the clock of crm shows .*--yes-future.*plgsync state restore FILE"):
        project.run()
    with project.store.begin() as connection:
        assert connection.execute(select(outbox.c.id)).all() == []
    assert committed(project) == []
    monkeypatch.setattr(project.crm, "server_time", lambda: START - timedelta(minutes=5))
    project.run()
    assert len(committed(project)) == 1


def test_the_clock_of_the_database_refuses_it_before_anything_is_read(project: Project) -> None:
    forty_years = 365 * 40
    with pytest.raises(InFuture, match="the clock of the state database shows"):
        project.run(days=forty_years)
    project.run(days=forty_years, yes_future=True)
    with pytest.raises(AsOfTooOld, match=r"cannot go back.*plgsync state restore FILE with the backup from before"):
        project.run()
    assert len(committed(project)) == 1


CALLS = """\
when: {enters: seats_used >= 50, for: 2 runs}
repeat: {already_matching: include, at_most: 12 per 365d}
limits: {per_owner: 3 per day}
do:
  - create_task: {key: call, to: user(ann@example.com), subject: Call, due: 1d}
  - wait: 5bd
  - create_task: {key: again, to: user(ann@example.com), subject: Again, due: 1bd}
"""


def made(project: Project) -> list[tuple[str, str]]:
    """Subject and due date of every task in the CRM, in the order of their creation."""
    return [(task.subject, str(task.due)[:10]) for task in project.crm.tasks.values()]


def test_a_month_without_runs_is_one_run_that_does_every_step_once(project: Project) -> None:
    project.playbook(CALLS)
    project.facts = {"a": {"seats_used": 60}}
    for day in (0, 1):
        project.run(day)
    assert made(project) == [("Call", "2026-03-04")]
    month = project.run(32)
    assert made(project) == [("Call", "2026-03-04"), ("Again", "2026-04-06")], "not one for every day that was missed"
    assert project.events(month) == {"a": "stepped"}
    for day in (33, 64, 65):
        project.run(day)
    assert len(made(project)) == 2


def test_a_month_without_runs_is_no_time_for_which_something_was_true(project: Project) -> None:
    project.playbook(CALLS)
    project.facts = {"a": {"seats_used": 60}}
    project.run(0)
    project.facts = {"a": {"seats_used": 10}}
    project.run(31)
    project.facts = {"a": {"seats_used": 60}}
    project.run(62)
    assert made(project) == []
    project.run(63)
    assert [subject for subject, _ in made(project)] == ["Call"]


def test_the_leap_day_is_a_day(project: Project) -> None:
    project.playbook(CALLS)
    project.facts = {"a": {"seats_used": 60}}
    leap_day = (datetime(2024, 2, 29, 5, tzinfo=UTC) - START).days
    for days in (-2, -1, 0, 1, 5, 6, 7):
        project.run(leap_day + days)
    assert made(project) == [("Call", "2024-02-29"), ("Again", "2024-03-07")], "Thursday and five business days"
    assert len(committed(project)) == 7


def test_two_runs_of_one_second_make_every_task_once(project: Project) -> None:
    project.playbook(CALLS.replace(", for: 2 runs", ""))
    project.facts = {"a": {"seats_used": 60}}
    for _ in range(3):
        project.run(0)
    assert made(project) == [("Call", "2026-03-03")]
    assert len(committed(project)) == 3
    project.facts = {"a": {"seats_used": 10}}
    project.run(0)
    with pytest.raises(AsOfTooOld):
        project.run(-1 / 86400)
