"""An edit of the steps, from the stored state to the plan that a person reads."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Console
from sqlalchemy import select, update

from tests.unit.pipeline.pipeline_kit import START, Project
from worker.pipeline.compute import compute
from worker.rendering.plan import render_plan
from worker.rendering.remarks import remarks_json
from worker.settings.project import load_project
from worker.store.tables import enrollments

CALL = "  - create_task: {key: call, to: account_owner, subject: Call, due: 1d}\n"
WAIT = "  - wait: 5d\n"
LOOK = "  - wait: 1d\n  - create_task: {key: look, to: account_owner, subject: Look, due: 1d}\n"
AGAIN = "  - create_task: {key: again, to: account_owner, subject: Again, due: 1d}\n"


def steps(project: Project, *do: str) -> None:
    project.playbook("when: {enters: seats_used >= 90}\nrepeat: {already_matching: include}\ndo:\n" + "".join(do))


def plan(project: Project, day: float) -> tuple[str, list[object]]:
    """The text of a plan, and its steps in the JSON of a run."""
    settings = load_project(project.root)
    computed = compute(settings, project.store, {"crm": project.crm}, START + timedelta(days=day))
    assert computed.plan.to_json()["steps"] == remarks_json(computed)["steps"]
    console = Console(width=300)
    with console.capture() as capture:
        console.print(render_plan(computed, []))
    return capture.get(), remarks_json(computed)["steps"]


def test_the_plan_says_who_goes_on_where_after_an_edit(project: Project) -> None:
    steps(project, CALL, WAIT, AGAIN)
    project.facts = {"a": {"seats_used": 99, "account.name": "Acme"}, "b": {"seats_used": 95}}
    project.run(0)
    assert plan(project, 1)[1] == []
    steps(project, LOOK, CALL, WAIT, AGAIN)
    text, shown = plan(project, 1)
    assert 'demo: after the edit 2 accounts go on at "wait 5d": Acme, b' in text
    assert "put the step back" not in text
    assert shown[0] == {
        "playbook_id": "demo",
        "account_id": "a",
        "key": "wait 5d",
        "at": "wait 5d",
        "due": "2026-03-07T00:00:00Z",
    }
    project.run(1)
    assert plan(project, 2)[1] == []
    project.run(5)
    assert [task.subject for task in project.crm.tasks.values()] == ["Call", "Call", "Again", "Again"]


def test_the_plan_says_who_stops_because_the_step_is_gone(project: Project) -> None:
    steps(project, CALL, "  - {wait: 5d, key: pause}\n", AGAIN)
    project.facts = {name: {"seats_used": 99} for name in "abcdefg"}
    project.run(0)
    steps(project, CALL, AGAIN)
    text = plan(project, 2)[0]
    assert 'demo: after the edit 7 accounts stop, because the step "pause" is gone: a, b, c, d, e … and 2 more' in text
    assert "To let those that stop go on, put the step back before the next run." in text
    project.run(2)
    assert len(project.crm.tasks) == 7


def test_state_without_keys_is_read_with_the_steps_of_the_last_run(project: Project) -> None:
    steps(project, CALL, WAIT, AGAIN)
    project.facts = {"a": {"seats_used": 99}}
    project.run(0)
    with project.store.begin() as connection:
        for state in connection.execute(select(enrollments.c.state)).scalars().all():
            old = {name: value for name, value in state.items() if name not in {"step_key", "step_after", "taken"}}
            connection.execute(update(enrollments).values(state=old))
    steps(project, LOOK, CALL, WAIT, AGAIN)
    assert 'demo: after the edit 1 account goes on at "wait 5d": a' in plan(project, 1)[0]
    project.run(5)
    assert [task.subject for task in project.crm.tasks.values()] == ["Call", "Again"]
