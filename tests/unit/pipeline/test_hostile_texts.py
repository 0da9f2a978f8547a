"""Whatever the product data calls an account, every text that reaches a CRM is data there, and stays as written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from connectors.base import CreateTask, FieldSpec
from connectors.base.values import not_a_formula, stored_text
from tests.conftest import some_of
from tests.unit.pipeline.pipeline_kit import CRM, SPECS, Project, TaskCrm

MORE = """\
      name: {field: name, from: account.name, type: string}
      note: {field: note, type: string}
"""
FIELDS = CRM.replace("type: number}\n", "type: number}\n" + MORE)
PLAYBOOK = """\
when: {enters: seats_used >= 50}
repeat: {already_matching: include}
do:
  - set_fields: {note: "{{account.name}}"}
  - create_task: {key: call, to: account_owner, subject: "{{account.name}}", body: "{{account.name}}: call", due: 1d}
  - create_task: {key: again, to: account_owner, subject: "Call {{account.name}}", body: "- {{account.name}}", due: 1d}
"""
ODD = st.sampled_from(["=1+1", "@SUM(1)", "+1+cmd|' /C calc'!A0", "\uff1dA1", "\x1b[31m", "\u202e", "\r\n", "\t"])
NAMES = st.lists(ODD | st.text(max_size=6), min_size=1, max_size=4).map("".join)


@pytest.fixture
def project(tmp_path: Path, sqlite_store: Engine, monkeypatch: pytest.MonkeyPatch) -> Project:
    specs = {**SPECS, **{name: FieldSpec(name=name, type="string", length=40) for name in ("name", "note")}}
    project = Project(tmp_path, sqlite_store, monkeypatch, crm=TaskCrm(specs=specs))
    project.write("config/crm.yaml", FIELDS)
    project.playbook(PLAYBOOK)
    return project


def texts_of(crm: TaskCrm, account: str) -> Iterator[str]:
    values: dict[str, Any] = crm.records[f"R-{account}"]
    yield from (values[name] for name in ("name", "note") if values.get(name))
    yield from (text for task in tasks_of(crm, account) for text in (task.subject, task.body))


def tasks_of(crm: TaskCrm, account: str) -> list[CreateTask]:
    return [task for task in crm.tasks.values() if task.record_id == f"R-{account}"]


@settings(max_examples=some_of(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES)
def test_every_text_in_a_crm_is_data(name: str, project: Project) -> None:
    day = len(project.facts)
    account = f"a{day}"
    project.facts[account] = {"seats_used": 60, "account.name": name}
    project.run(day)
    assert len(tasks_of(project.crm, account)) == 2
    for text in texts_of(project.crm, account):
        assert text == stored_text(text)
        assert text.startswith("- ") or text == not_a_formula(text)
    assert all("\n" not in task.subject for task in tasks_of(project.crm, account))
    before = len(project.crm.writes)
    project.run(day + 0.5)
    assert len(project.crm.writes) == before, "what was written is what is wanted"
