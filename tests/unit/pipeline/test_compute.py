"""Playbooks decide on live scores; the plan holds small moves back."""

from __future__ import annotations

from tests.unit.pipeline.pipeline_kit import Project

BELOW_50 = """\
when: {enters: health.score < 50}
repeat: {already_matching: include}
do:
  - create_task: {key: call, to: account_owner, subject: "Health {{health.score}}", due: 1d}
"""


def test_a_playbook_sees_the_move_that_the_crm_field_does_not(project: Project) -> None:
    project.playbook(BELOW_50)
    project.facts = {"a": {"seats_used": 52}}
    project.run(0)
    project.facts = {"a": {"seats_used": 49}}
    moved = project.run(1)
    assert project.events(moved) == {"a": "entered"}
    assert [task.subject for task in project.crm.tasks.values()] == ["Health 49"]
    assert project.crm.records["R-a"]["health"] == 52
    project.facts = {"a": {"seats_used": 47}}
    project.run(2)
    assert project.crm.records["R-a"]["health"] == 47
