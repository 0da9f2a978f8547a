"""A project with settings given as YAML, facts given by the test, and a scripted CRM: run after run in one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from connectors.base import CloseTask, FieldSpec, Operation, ReadBack, TaskFact
from tests.unit.planning.whole_crm import KEY, WholeCrm
from worker.delivery.send import deliver
from worker.pipeline import compute as stage
from worker.pipeline.measure import Measured
from worker.pipeline.run import RunReport, compute_and_commit, new_run_id
from worker.settings.project import load_project
from worker.settings.shipped import write_project
from worker.signals.data_report import DataReport, Volume
from worker.store.tables import outbox

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
CRM = f"""\
version: 1
destinations:
  crm:
    kind: hubspot
    auth: {{method: token, token: env:TOKEN}}
    account: {{object: companies, match_field: {KEY}}}
    tasks: {{key_field: task_key}}
    fields:
      health_score: {{field: health, from: health.score, type: number}}
queues:
  sales: [ann@example.com]
guard: {{changed_share: 100%, new_tasks: 200, new_records: 50, cleared_share: 100%}}
"""
SCORES = """\
version: 1
health:
  smoothing: 1d
  publish_step: 5
  profiles:
    - name: all
      parts: [{name: Seats, weight: 1, metric: seats_used, bad: 0, good: 100}]
"""
SPECS = {
    KEY: FieldSpec(name=KEY, type="string", length=64),
    "health": FieldSpec(name="health", type="number", precision=3, scale=0),
}


@dataclass
class TaskCrm(WholeCrm):
    """A CRM that shows the state of our tasks; `complete` is a person's work."""

    done: dict[str, datetime | None] = field(default_factory=dict)
    assigned: dict[str, str] = field(default_factory=dict)
    """Open tasks to which a person gave an owner."""

    def complete(self, key: str, at: datetime) -> None:
        self.done[key] = at

    def _apply(self, operation: Operation) -> None:
        super()._apply(operation)
        if isinstance(operation, CloseTask):
            self.done.setdefault(operation.key, None)

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> list[Any]:
        return []

    def read_back(self, since: Mapping[str, str], fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        read = super().read_back(since, fields, tasks)
        owners = {key: task.owner_id for key, task in self.tasks.items()} | self.assigned
        shown = [
            TaskFact(key, tasks[key], "completed", owners[key], at) for key, at in self.done.items() if key in tasks
        ]
        shown += [TaskFact(key, tasks[key], "open", own, None) for key, own in self.assigned.items() if key in tasks]
        return ReadBack([*read.facts, *shown], read.cursor)


@dataclass
class Project:
    """A project folder, its state, and one CRM with a record for every account."""

    root: Path
    store: Engine
    monkeypatch: pytest.MonkeyPatch
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    crm: TaskCrm = field(default_factory=lambda: TaskCrm(specs=SPECS))
    stopped: dict[str, str | None] = field(default_factory=dict)
    """Events that stopped, each with its successor."""
    parents: dict[str, str | None] = field(default_factory=dict)
    """The accounts above others; only accounts without one have a record from the start."""
    listed: frozenset[str] = frozenset()
    """Accounts of the data that do not count."""
    undecided: frozenset[str] = frozenset()
    """Accounts that may be deleted."""

    def __post_init__(self) -> None:
        write_project(self.root)
        for file in (self.root / "playbooks").iterdir():
            file.unlink()
        self.write("config/crm.yaml", CRM)
        self.write("config/scores.yaml", SCORES)
        self.monkeypatch.setattr(stage, "measure", lambda *_: self._measured())

    def write(self, file: str, text: str) -> None:
        (self.root / file).write_text(text, encoding="utf-8")

    def playbook(self, text: str, name: str = "demo", mode: str = "live") -> None:
        head = f"version: 1\nid: {name}\nname: Demo\nowner: ann@example.com\nmode: {mode}\n"
        self.write(f"playbooks/{name}.yaml", head + text)

    def _measured(self) -> Measured:
        now = {account_id: dict(row) for account_id, row in self.facts.items()}
        for account_id in now:
            if self.parents.get(account_id) is None:
                self.crm.records.setdefault(f"R-{account_id}", {KEY: account_id})
        volume = Volume(100, START, 10, None, len(now))
        return Measured(
            now=now,
            then={28: now},
            report=DataReport(as_of=START, tables=(), volume=volume, stopped=self.stopped),
            listed=self.listed | now.keys(),
            parents={account_id: self.parents.get(account_id) for account_id in self.listed | now.keys()},
            undecided=self.undecided,
        )

    def run(self, days: float = 0.0, **options: Any) -> RunReport:
        """Compute and deliver so many days after `START`."""
        as_of = START + timedelta(days=days)
        project = load_project(self.root)
        report = compute_and_commit(
            project, self.store, {"crm": self.crm}, as_of, run_id=new_run_id(), first_run=True, **options
        )
        with self.store.begin() as connection:
            connection.execute(update(outbox).values(due_at=0.0))
        deliver(self.store, self.crm, now=lambda: as_of)
        return report

    def events(self, report: RunReport, playbook: str = "demo") -> Mapping[str, str]:
        """By account, what the playbook decided in a run."""
        return {one.account_id: one.event for one in report.computed.playbooks[playbook].decisions}
