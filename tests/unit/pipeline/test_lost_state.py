"""A run notices that the CRM knows more of the project than the state does, and then stores and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.base import AccessDenied, FieldSpec, OurTask, Unavailable
from tests.unit.pipeline.pipeline_kit import SPECS, Project, TaskCrm
from worker.planning.lost_state import LostState, refuse_to_deliver
from worker.rules.task_keys import task_key_of
from worker.store.marks import adoption_done, require_adoption
from worker.store.state import last_as_of, load_enrollments


@dataclass
class KnowingCrm(TaskCrm):
    """Has tasks of which only it knows; ``away`` it does not answer, ``hidden`` our user does not see their key."""

    others: list[str] = field(default_factory=list)
    away: bool = False
    key_hidden: bool = False

    def describe(self, object: str) -> Mapping[str, FieldSpec]:
        if self.away:
            raise Unavailable("maintenance", 30)
        return super().describe(object)

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> list[Any]:
        if self.key_hidden:
            raise AccessDenied("no such column")
        keys = [key for key in (*self.others, *reversed(self.tasks)) if key.startswith(starts_with)]
        at = datetime(2026, 3, 2, tzinfo=UTC)
        made: dict[str, Any] = {"record_ids": (), "status": "open", "owner_id": None, "created_at": at}
        return [OurTask(key=key, task_id="1", **made) for key in keys][:newest]


@pytest.fixture
def project(tmp_path: Path, store: Engine, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, store, monkeypatch, crm=KnowingCrm(specs=SPECS))
    crm = (tmp_path / "config" / "crm.yaml").read_text(encoding="utf-8")
    project.write("config/crm.yaml", crm.replace("version: 1\n", "version: 1\nproject_id: acme\n", 1))
    task = "{create_task: {key: call, to: account_owner, subject: Call, due: 1d}}"
    project.playbook(f"when: {{enters: seats_used >= 50}}\nrepeat: {{already_matching: include}}\ndo: [{task}]\n")
    project.facts = {"acme": {"seats_used": 60}}
    return project


def is_untouched(project: Project) -> bool:
    with project.store.begin() as connection:
        return last_as_of(connection) is None and not load_enrollments(connection) and not project.crm.tasks


def test_a_task_of_ours_that_no_run_of_this_state_has_made_stops_it(project: Project) -> None:
    crm: Any = project.crm
    crm.others = [task_key_of("acme", date(2026, 3, 1), "demo", "acme", "call")]
    with pytest.raises(LostState, match=f"1 task, such as {crm.others[0]}.*plgsync adopt.*PLGSYNC_PROJECT_ID"):
        project.run(0)
    assert is_untouched(project)
    crm.others = [task_key_of("staging", date(2026, 3, 1), "demo", "acme", "call"), "acme.a person's text"]
    project.run(0)
    project.run(1)  # what it made itself does not stop it
    assert len(crm.tasks) == 1


def test_without_a_run_before_it_a_crm_that_does_not_answer_is_not_empty(project: Project) -> None:
    crm: Any = project.crm
    crm.away = True
    with pytest.raises(LostState, match=r"has no run yet, and no CRM says .*maintenance"):
        project.run(0)
    assert is_untouched(project)
    crm.away = False
    project.run(0)
    crm.away = True
    assert project.run(1).computed.plan.problems == {"crm": "maintenance"}


def test_where_our_user_does_not_see_the_key_fields_are_written_all_the_same(project: Project) -> None:
    crm: Any = project.crm
    crm.key_hidden = True
    project.run(0)
    assert crm.records["R-acme"]["health"] == 60


def test_a_restored_state_runs_only_after_adoption_and_delivers_only_after_that_run(project: Project) -> None:
    def may_deliver() -> bool:
        with project.store.begin() as connection:
            try:
                refuse_to_deliver(connection)
            except LostState:
                return False
        return True

    with project.store.begin() as connection:
        require_adoption(connection)
    with pytest.raises(LostState, match="restored from a backup"):
        project.run(0)
    assert (is_untouched(project), may_deliver()) == (True, False)
    with project.store.begin() as connection:
        adoption_done(connection)
    assert not may_deliver()
    project.run(0)
    assert may_deliver()
