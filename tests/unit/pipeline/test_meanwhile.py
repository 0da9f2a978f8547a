"""A delivery beside a run: what it writes between two readings of the run is ours, whenever the CRM shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from connectors.base import ReadBack
from tests.unit.pipeline.pipeline_kit import CRM, SPECS, START, Project, TaskCrm
from worker.delivery.send import deliver
from worker.pipeline.run import compute_and_commit, new_run_id
from worker.settings.project import load_project
from worker.store.crm import load_snapshot
from worker.store.tables import outbox


@dataclass
class HeldCrm(TaskCrm):
    """Shows our own writes too, as Salesforce does to another process; ``between`` happens while a run reads it."""

    between: Callable[[], None] | None = None
    shows_after: bool = True
    edited: list[str] = field(default_factory=list)

    def read_back(self, since: Mapping[str, str], fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        if self.between and self.shows_after:
            self.between()
        self.edits += list(self.records)
        read = super().read_back(since, fields, tasks)
        if self.between and not self.shows_after:
            self.between()
        return read


@pytest.fixture
def project(tmp_path: Path, store: Engine, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, store, monkeypatch, crm=HeldCrm(specs=SPECS))
    project.write("config/crm.yaml", CRM.replace("type: number}", "type: number, write: if_ours}"))
    return project


@pytest.mark.parametrize("shows_after", [True, False])
@pytest.mark.parametrize("person", [None, 7])
@pytest.mark.parametrize("last", [30, 80])
def test_our_own_fresh_value_is_not_taken_for_a_persons(
    project: Project, shows_after: bool, person: int | None, last: int
) -> None:
    crm: Any = project.crm
    seats(project, 30)
    project.run(0)
    seats(project, 60)
    compute(project, 1)
    assert crm.records["R-acme"]["health"] == 30

    def between() -> None:
        crm.between = None
        with project.store.begin() as connection:
            connection.execute(update(outbox).values(due_at=0.0))
        deliver(project.store, crm, now=lambda: START)
        if person is not None:
            crm.human_sets("R-acme", "health", person)

    crm.between, crm.shows_after = between, shows_after
    seats(project, last)
    report = project.run(2)
    if person is None:
        assert report.computed.plan.human_owned == []
        assert crm.records["R-acme"]["health"] == last
    else:
        project.run(3)
        assert crm.records["R-acme"]["health"] == (person if shows_after else last)
    with project.store.begin() as connection:
        assert load_snapshot(connection, "crm")["R-acme"]["health"] == crm.records["R-acme"]["health"]


def seats(project: Project, used: int) -> None:
    project.facts = {"acme": {"seats_used": used, "account.id": "acme"}}


def compute(project: Project, days: int) -> None:
    """A run whose delivery comes later."""
    settings = load_project(project.root)
    as_of = START + timedelta(days=days)
    compute_and_commit(settings, project.store, {"crm": project.crm}, as_of, run_id=new_run_id(), first_run=True)
