"""``task.*`` is about the playbook's own task of the present entry."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.pipeline.pipeline_kit import START, Project

ESCALATE = """\
when: {enters: seats_used >= 50}
leaves: seats_used < 10
repeat: {already_matching: include, wait: 1d}
do:
  - create_task: {key: call, to: account_owner, subject: Call, due: 1d}
  - wait: 3d
  - if: task.touched is false
    then:
      - create_task: {key: lead, to: account_owner, subject: "Untouched for {{task.age_days}} days", due: 1d}
"""


def subjects(project: Project) -> list[str]:
    return sorted(task.subject for task in project.crm.tasks.values())


@pytest.mark.parametrize("completed", [False, True])
def test_a_step_asks_whether_a_person_touched_the_task_before_it(project: Project, completed: bool) -> None:
    project.playbook(ESCALATE)
    project.facts = {"a": {"seats_used": 60}}
    project.run(0)
    if completed:
        project.crm.complete(next(iter(project.crm.tasks)), START + timedelta(days=1))
    project.run(3)
    assert subjects(project) == (["Call"] if completed else ["Call", "Untouched for 3 days"])


def test_the_task_of_another_playbook_or_of_an_earlier_entry_says_nothing(project: Project) -> None:
    project.playbook(ESCALATE)
    project.playbook(ESCALATE.replace("lead,", "other-lead,"), name="other")
    project.facts = {"a": {"seats_used": 60}}
    project.run(0)
    mine = next(key for key, task in project.crm.tasks.items())
    project.crm.complete(mine, START + timedelta(days=1))
    project.run(3)
    assert subjects(project) == ["Call", "Call", "Untouched for 3 days"]
    project.facts = {"a": {"seats_used": 5}}
    project.run(4)
    project.facts = {"a": {"seats_used": 60}}
    project.run(6)
    project.run(9)
    assert subjects(project).count("Untouched for 3 days") == 2
