"""A working process of the tree keeps to config/schedule.yaml as it is now, or was when it could last be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from worker.delivery.stop import CancelToken
from worker.runtime.up import child
from worker.runtime.up.child import Worker
from worker.runtime.up.wakeup_pipe import WakeupPipe
from worker.settings.problems import ConfigError
from worker.settings.project import Project, load_project
from worker.settings.shipped import write_project


def test_a_file_that_was_wrong_at_the_start_and_is_mended_costs_no_schedule(
    tmp_path: Path, sqlite_store: Engine
) -> None:
    folder = tmp_path / "acme"
    write_project(folder)
    scores = folder / "config" / "scores.yaml"
    good = scores.read_text(encoding="utf-8")
    worker = Worker("compute", folder, sqlite_store, WakeupPipe.open(), CancelToken())
    scores.write_text(good + "nonsense: 1\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(ConfigError):
            worker.schedules()
    scores.write_text(good, encoding="utf-8")
    assert {one.job for one in worker.schedules().values()} == {"run", "read_back", "prune"}


def test_while_a_file_is_wrong_the_last_good_schedules_hold_and_then_the_new_ones(
    tmp_path: Path, sqlite_store: Engine
) -> None:
    folder = tmp_path / "acme"
    write_project(folder)
    schedule, scores = folder / "config" / "schedule.yaml", folder / "config" / "scores.yaml"
    good = scores.read_text(encoding="utf-8")
    worker = Worker("compute", folder, sqlite_store, WakeupPipe.open(), CancelToken())
    before = worker.schedules()
    scores.write_text(good + "nonsense: 1\n", encoding="utf-8")
    schedule.write_text('version: 1\nschedules:\n  only: {job: run, cron: "0 5 * * *"}\n', encoding="utf-8")
    assert worker.schedules() == before
    scores.write_text(good, encoding="utf-8")
    assert set(worker.schedules()) == {"only"}


def test_while_a_file_is_invalid_the_project_is_loaded_once_per_change(
    tmp_path: Path, sqlite_store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "acme"
    write_project(folder)
    loads = 0

    def counted(root: Path) -> Project:
        nonlocal loads
        loads += 1
        return load_project(root)

    monkeypatch.setattr(child, "load_project", counted)
    worker = Worker("compute", folder, sqlite_store, WakeupPipe.open(), CancelToken())
    before = worker.schedules()
    (folder / "config" / "schedule.yaml").unlink()
    assert [worker.schedules() for _ in range(5)] == [before] * 5
    assert loads == 2
