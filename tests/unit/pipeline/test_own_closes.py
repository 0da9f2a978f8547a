"""A task that we close ourselves is no work by a person; a task that a person completes is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.delivery.scripted import always
from tests.unit.pipeline.pipeline_kit import Project

SCORES = """\
version: 1
pql:
  converted_when: plan is pro
  fit: {parts: [{name: Size, weight: 1, metric: account.employees, bad: 0, good: 100}]}
  usage: {weight: 100%, parts: [{name: Seats, weight: 1, metric: seats_used, bad: 0, good: 100}]}
  intent: {weight: 0%, events: [{event: Pricing Viewed, points: 60}]}
  working_when: crm.task_status in [in_progress, completed]
"""
PLAYBOOK = """\
when: {enters: pql.score >= 70}
repeat: {already_matching: include, wait: 1d}
do:
  - create_task: {key: call, to: account_owner, subject: Call, due: 1d, close_when_leaves: true}
"""


@pytest.fixture
def lead(project: Project) -> Project:
    """A lead with a task, after its first run."""
    project.write("config/scores.yaml", SCORES)
    project.playbook(PLAYBOOK)
    project.facts = {"a": account(seats_used=80)}
    assert pql_status(project, 0) == "open"
    return project


def account(**changes: object) -> dict[str, object]:
    quiet = {"decayed(Pricing Viewed, 7d, 1.66667 per day)": 0}
    return {"plan": "free", "account.employees": 90, "account.age_days": 90, **quiet, **changes}


def pql_status(project: Project, day: float) -> object:
    return project.run(day).computed.accounts["a"]["pql.status"]


def test_a_quiet_lead_whose_task_we_close_is_not_worked_on_and_expires(lead: Project) -> None:
    lead.facts = {"a": account(seats_used=60)}
    assert pql_status(lead, 1) == "open"
    assert len(lead.crm.done) == 1
    assert pql_status(lead, 2) == "open"
    assert lead.run(3).computed.accounts["a"]["crm.task_status"] == "closed"
    assert pql_status(lead, 15) == "expired"


def test_a_close_whose_answer_is_lost_is_ours(lead: Project) -> None:
    lead.facts = {"a": account(seats_used=60)}
    lead.crm.script = always("applied_unheard")
    pql_status(lead, 1)
    lead.crm.script = always("applied")
    assert lead.run(2).computed.accounts["a"]["crm.task_status"] == "closed"


def test_a_person_who_completes_the_task_works_on_the_lead(lead: Project) -> None:
    lead.crm.complete(next(iter(lead.crm.tasks)), datetime.now(UTC) - timedelta(hours=1))
    report = lead.run(1)
    assert report.computed.accounts["a"]["crm.task_status"] == "completed"
    assert report.computed.accounts["a"]["pql.status"] == "working"


def test_what_a_person_completed_before_our_close_stays_their_work(lead: Project) -> None:
    lead.facts = {"a": account(seats_used=60)}
    lead.run(1)
    lead.crm.done = dict.fromkeys(lead.crm.done, datetime.now(UTC) - timedelta(hours=1))
    with lead.store.begin() as connection:
        connection.exec_driver_sql("update crm_tasks set status = 'open'")
    assert lead.run(2).computed.accounts["a"]["crm.task_status"] == "completed"
