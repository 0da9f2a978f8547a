"""A task for which the CRM has nobody is held or created without an owner, and is always counted."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from connectors.base import Owner
from tests.unit.pipeline.pipeline_kit import CRM, Project
from worker.delivery.backlog import waiting_rows
from worker.rendering.plan import render_plan
from worker.rendering.remarks import remarks
from worker.rendering.summary import render_report
from worker.reports.needs_person import needs_person
from worker.reports.people_check import unknown_people
from worker.reports.reader import Reader
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


def test_the_status_and_the_summary_count_what_belongs_to_nobody_until_it_has_an_owner(project: Project) -> None:
    project.playbook(NO_FALLBACK)
    project.playbook(HOLD, "kept")
    project.playbook(NO_FALLBACK.replace("eve@", "ann@"), "owned")
    project.facts = {"a": {"seats_used": 60}, "b": {"seats_used": 60}}
    report = project.run(0)
    made, held = "crm: 2 tasks belong to nobody (user(eve@example.com))", "crm has nobody for 2 tasks, held"
    for printed in (text_of(render_report([report])), text_of(render_plan(report.computed, []))):
        assert (printed.count(made), printed.count(f"{made}: held")) == (2, 1)
    assert len(project.crm.tasks) == 4
    assert status_of(project) == [
        f"{held}: see plgsync outbox list --state no_owner",
        "crm: 2 open tasks of ours were created for nobody: see plgsync check",
    ]
    first, second = (key for key, task in project.crm.tasks.items() if task.owner_id is None)
    project.crm.assigned[first] = "1"
    project.run(1)
    assert status_of(project)[1:] == ["crm: 1 open task of ours was created for nobody: see plgsync check"]
    project.crm.complete(second, datetime.now(UTC))
    project.run(2)
    assert len(status_of(project)) == 1


def text_of(printed: RenderableType) -> str:
    """What is shown on a terminal, without its line breaks."""
    console = Console(width=200, record=True, file=StringIO())
    console.print(printed)
    return " ".join(console.export_text().split())


def status_of(project: Project) -> list[str]:
    """What `plgsync status` says of people that a CRM lacks."""
    settings = load_project(project.root)
    reader = Reader(root=project.root, engine=project.store, project=settings, alerts=settings.alerts)
    with project.store.begin() as connection:
        return [line for line in needs_person(connection, reader) if "nobody" in line]


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
