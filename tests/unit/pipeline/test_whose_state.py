"""A state database is of one project: settings with another id are refused, until they say that it was renamed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.unit.pipeline.pipeline_kit import Project
from worker.planning.whose_state import other_project
from worker.settings.problems import Problem
from worker.settings.project import load_project
from worker.store.marks import project_ids
from worker.store.tables import connector_journal


@pytest.fixture
def project(tmp_path: Path, store: Engine, monkeypatch: pytest.MonkeyPatch) -> Project:
    """One run as acme has taken place."""
    project = Project(tmp_path, store, monkeypatch)
    project.facts = {"a": {"seats_used": 60}}
    call_it(project, "acme")
    project.run(0)
    return project


def call_it(project: Project, project_id: str, *former: str) -> None:
    file = project.root / "config" / "crm.yaml"
    kept = [line for line in file.read_text(encoding="utf-8").splitlines() if "project_id" not in line]
    file.write_text(
        "\n".join([kept[0], f"project_id: {project_id}", f"former_project_ids: [{', '.join(former)}]", *kept[1:], ""]),
        encoding="utf-8",
    )


def found(project: Project) -> Problem | None:
    with project.store.begin() as connection:
        return other_project(connection, load_project(project.root))


def noted(project: Project) -> tuple[str, ...]:
    with project.store.begin() as connection:
        return project_ids(connection)


def test_a_state_is_of_the_project_whose_run_it_has(project: Project) -> None:
    assert found(project) is None
    call_it(project, "acme-eu")
    problem = found(project)
    assert problem is not None
    assert (problem.file, problem.line, problem.severity) == ("config/crm.yaml", 2, "error")
    assert problem.message == (
        "the state database is of the project acme, and project_id is acme-eu: nothing runs. Set the id back, or use "
        "the state database of acme-eu. If acme is called acme-eu from now on: former_project_ids: [acme]"
    )


def test_a_renamed_project_keeps_its_state(project: Project) -> None:
    call_it(project, "acme-eu", "acme")
    assert found(project) is None
    project.run(1)
    assert noted(project) == ("acme-eu", "acme")
    call_it(project, "acme-eu")
    assert found(project) is None
    call_it(project, "acme")
    assert "of the project acme-eu, and project_id is acme" in str(found(project))


def test_an_id_from_the_environment_has_no_former_ones(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    call_it(project, "acme-eu", "acme")
    monkeypatch.setenv("PLGSYNC_PROJECT_ID", "staging")
    problem = found(project)
    assert problem is not None
    assert problem.message == (
        "the state database is of the project acme, and PLGSYNC_PROJECT_ID is staging: nothing runs. Set the id back, "
        "or use the state database of staging"
    )
    monkeypatch.setenv("PLGSYNC_PROJECT_ID", "acme")
    assert found(project) is None


def test_a_state_of_an_older_version_says_nothing_and_is_taken(project: Project) -> None:
    with project.store.begin() as connection:
        connection.execute(connector_journal.delete())
    call_it(project, "acme-eu")
    assert (found(project), noted(project)) == (None, ())
    project.run(1)
    assert noted(project) == ("acme-eu",)
