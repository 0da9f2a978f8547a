"""A task for which the CRM has nobody is held or created without an owner, and is always counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base import Owner
from tests.unit.pipeline.pipeline_kit import CRM, Project
from worker.delivery.backlog import waiting_rows
from worker.rendering.remarks import remarks
from worker.reports.people_check import unknown_people
from worker.settings.project import load_project

CALL = """\
when: {enters: seats_used >= 50}
repeat: {already_matching: include}
do:
  - create_task: {key: call, to: user(eve@example.com), IF_NO_OWNER subject: Call, due: 1d}
"""
HOLD = CALL.replace("IF_NO_OWNER", "if_no_owner: hold,")
NO_FALLBACK = CALL.replace("IF_NO_OWNER ", "")
EVE = Owner("2", "eve@example.com", "Eve", True)


@pytest.mark.parametrize(("playbook", "crm"), [(HOLD, "create"), (NO_FALLBACK, "hold")])
def test_a_held_task_waits_with_words_until_somebody_fits(
    project: Project, playbook: str, crm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("config/crm.yaml", CRM.replace("key_field: task_key", f"key_field: task_key, if_no_owner: {crm}"))
    project.playbook(playbook)
    project.facts = {"a": {"seats_used": 60}}
    held = project.run(0)
    assert "crm: 1 task belongs to nobody (user(eve@example.com)): held" in list(remarks(held.computed))
    assert not project.crm.tasks
    with project.store.begin() as connection:
        rows = [(row["row_state"], row["last_reason"]) for row in waiting_rows(connection)]
    assert rows == [("no_owner", "nobody in this CRM is its owner: user(eve@example.com)")]
    assert not project.run(1).computed.playbooks["demo"].decisions
    assert not project.crm.tasks
    monkeypatch.setattr(project.crm, "owners", lambda: [EVE])
    project.run(2)
    assert [task.owner_id for task in project.crm.tasks.values()] == ["2"]


def test_an_existing_project_goes_on_creating_them_and_says_how_many(project: Project) -> None:
    project.playbook(NO_FALLBACK)
    project.facts = {"a": {"seats_used": 60}, "b": {"seats_used": 60}}
    report = project.run(0)
    assert "crm: 2 tasks belong to nobody (user(eve@example.com))" in list(remarks(report.computed))
    assert [task.owner_id for task in project.crm.tasks.values()] == [None, None]


def test_the_check_names_everybody_whom_the_crm_does_not_know(project: Project) -> None:
    project.playbook(NO_FALLBACK)
    settings = load_project(project.root)
    assert {problem.message for problem in unknown_people(settings, "crm", [])} == {
        "a task for which this CRM has nobody is created without an owner; if_no_owner: hold keeps it",
        "ann@example.com is no active user of crm",
        "eve@example.com is no active user of crm",
    }
    ann = Owner("1", "ann@example.com", "Ann", True)
    assert len(list(unknown_people(settings, "crm", [ann, EVE]))) == 1


def test_new_projects_hold(tmp_path: Path, project: Project) -> None:
    shipped = Path(__file__).parents[3] / "config" / "crm.yaml"
    project.write("config/crm.yaml", shipped.read_text(encoding="utf-8"))
    tasks = [one.tasks for one in load_project(project.root).crm.destinations.values()]
    assert [one.if_no_owner for one in tasks if one] == ["hold", "hold"]
