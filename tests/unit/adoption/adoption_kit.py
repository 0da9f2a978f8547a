"""A company whose data, CRMs and playbooks a test gives, that lives day by day, loses its state and adopts."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from connectors.base import CloseTask, FieldSpec, Operation, OurTask
from tests.unit.pipeline.pipeline_kit import CRM, SCORES, SPECS, START, TaskCrm
from tests.unit.planning.whole_crm import KEY
from worker.adoption import adopt as adoption
from worker.adoption import past_fields
from worker.adoption.adopt import Adoption, adopt
from worker.delivery.send import deliver
from worker.pipeline import compute as stage
from worker.pipeline.measure import Measured
from worker.pipeline.run import compute_and_commit, new_run_id
from worker.rules.task_keys import parts_of
from worker.settings.project import load_project
from worker.settings.shipped import write_project
from worker.signals.data_report import DataReport, Volume
from worker.store.engine import connect_store
from worker.store.tables import outbox

FIELDS = ("busy", "later")
OWN_FIELDS = "".join(f"      {name}: {{field: {name}, type: string, length: 40}}\n" for name in FIELDS)
ONE_CRM = CRM.replace("type: number}\n", f"type: number}}\n{OWN_FIELDS}")
ALL_SPECS = {**SPECS, **{name: FieldSpec(name=name, type="string", length=40) for name in FIELDS}}
PLAYBOOK = """\
version: 1
id: demo
name: Demo
owner: ann@example.com
mode: live
when: {enters: seats_used >= 50}
leaves: seats_used < 50
repeat: {wait: 1d, already_matching: %s}
do:
%s
"""
History = Mapping[str, Sequence[tuple[int, int]]]
"""By account, the days on which it has sixty seats in use: from, and before which."""


def task(key: str) -> str:
    return f"create_task: {{key: {key}, to: account_owner, subject: Call, due: 1d, close_when_leaves: true}}"


def playbook(*steps: str, already_matching: str = "include") -> str:
    """A playbook that an account with fifty seats enters; each step in one line of YAML."""
    return PLAYBOOK % (already_matching, "\n".join(f"  - {step}" for step in steps))


def two_crms(*, second_makes_tasks: bool) -> str:
    """The settings with a second CRM."""
    start, end = ONE_CRM.index("  crm:"), ONE_CRM.index("queues:")
    second = ONE_CRM[start:end].replace("  crm:", "  other:")
    if not second_makes_tasks:
        second = "".join(line for line in second.splitlines(keepends=True) if "tasks:" not in line)
    return ONE_CRM[:end] + second + ONE_CRM[end:]


@dataclass
class RememberingCrm(TaskCrm):
    """Says of its tasks what a CRM says: who completed them, and when it got them."""

    closed_by_us: set[str] = field(default_factory=set)
    today: datetime = START
    got: dict[str, datetime] = field(default_factory=dict)

    def _apply(self, operation: Operation) -> None:
        if isinstance(operation, CloseTask) and operation.key not in self.done:
            self.closed_by_us.add(operation.key)
        super()._apply(operation)
        self.got.setdefault(operation.key, self.today)

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> list[OurTask]:
        tasks = [self._our_task(key) for key in reversed(self.tasks) if key.startswith(starts_with)]
        return tasks[:newest]

    def _our_task(self, key: str) -> OurTask:
        made, done = self.tasks[key], key in self.done
        return OurTask(
            key=key,
            task_id=self.record_id_of(made),
            record_ids=(made.record_id,),
            status="completed" if done else "open",
            owner_id=made.owner_id,
            created_at=self.got[key],
            completed_at=self.today if done else None,
            completed_by_us=key in self.closed_by_us if done else None,
        )


@dataclass
class Company:
    """A project with a playbook, and CRMs that have a record for every account, or its top account."""

    folder: Path
    template: Path
    monkeypatch: pytest.MonkeyPatch
    playbook: str
    active: History
    crms: str = ONE_CRM
    without_record: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By CRM, the accounts that it does not have."""
    parents: Mapping[str, str] = field(default_factory=dict)
    states: int = 0

    def __post_init__(self) -> None:
        write_project(self.folder)
        for file in (self.folder / "playbooks").iterdir():
            file.unlink()
        self.write("config/crm.yaml", self.crms)
        self.write("config/scores.yaml", SCORES)
        self.write("playbooks/demo.yaml", self.playbook)
        self.project = load_project(self.folder)
        assert not self.project.invalid, self.project.invalid
        names = self.project.crm.destinations
        self.connectors = {name: RememberingCrm(name=name, specs=ALL_SPECS) for name in names}
        for name, crm in self.connectors.items():
            for account in self.active:
                if account not in self.without_record.get(name, ()) and self.parents.get(account) is None:
                    crm.records[f"R-{account}"] = {KEY: account}
        self.engine = self._new_state()

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text, encoding="utf-8")

    def _new_state(self, backup: Path | None = None) -> Engine:
        self.states += 1
        return connect_store(
            f"sqlite:///{shutil.copy(backup or self.template, self.folder / f'state-{self.states}.db')}"
        )

    def lose_state(self, backup: Path | None = None) -> None:
        """Replace the state by a new one, or by a backup."""
        self.engine.dispose()
        self.engine = self._new_state(backup)

    def back_up(self) -> Path:
        file = self.folder / "backup.db"
        self.engine.dispose()
        shutil.copy(str(self.engine.url.database), file)
        return file

    def run(self, day: float) -> None:
        """Compute and deliver so many days after `START`."""
        as_of = self._today(day)
        compute_and_commit(self.project, self.engine, self.connectors, as_of, run_id=new_run_id(), first_run=True)
        with self.engine.begin() as connection:
            connection.execute(update(outbox).values(due_at=0.0))
        for crm in self.connectors.values():
            deliver(self.engine, crm, now=lambda: as_of)

    def adopt(self, day: float) -> Adoption:
        return adopt(load_project(self.folder), self.engine, self.connectors, self._today(day))

    def _today(self, day: float) -> datetime:
        at = START + timedelta(days=day)
        for crm in self.connectors.values():
            crm.today = at
        for place in (stage, adoption, past_fields):
            self.monkeypatch.setattr(place, "measure", lambda _project, moment, *_: self._measured(moment))
        return at

    def _measured(self, at: datetime) -> Measured:
        day = (at - START) / timedelta(days=1)
        now: dict[str, dict[str, Any]] = {
            account: {"seats_used": 60 if any(first <= day + 0.5 < end for first, end in ranges) else 0}
            for account, ranges in self.active.items()
        }
        return Measured(
            now=dict(now),
            then={28: now},
            report=DataReport(as_of=at, tables=(), volume=Volume(100, at, 10, None, len(now))),
            listed=frozenset(now),
            parents={account: self.parents.get(account) for account in now},
        )

    def people_complete_tasks(self, account: str, day: float) -> None:
        for crm in self.connectors.values():
            for key in [key for key, made in crm.tasks.items() if made.record_id == f"R-{account}"]:
                if key not in crm.done:
                    crm.complete(key, START + timedelta(days=day))

    def close(self) -> None:
        self.engine.dispose()

    def tasks(self) -> list[tuple[str, ...]]:
        """Of each task the CRM, its record, the digest of its key, the day of its entry, and its status; sorted."""
        return sorted(
            (name, made.record_id, *_of_key(key), "done" if key in crm.done else "open")
            for name, crm in self.connectors.items()
            for key, made in crm.tasks.items()
        )

    def fields(self) -> dict[tuple[str, str], dict[str, Any]]:
        """By CRM and record, the values of our fields."""
        return {(name, one): dict(crm.records[one]) for name, crm in self.connectors.items() for one in crm.records}


def _of_key(key: str) -> tuple[str, str]:
    parts = parts_of(key)
    assert parts
    return parts.digest, parts.day.isoformat()
