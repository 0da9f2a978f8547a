"""A variable with an invalid value gives one line of text, before the command does anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import in_process
from worker.settings.shipped import write_project


def plgsync(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLGSYNC_")}
    wrong = {**kept, "PLGSYNC_PROJECT": str(project), "PLGSYNC_LEASE_S": "soon"}
    return in_process.plgsync(*arguments, cwd=project, env=wrong)


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.mark.parametrize("command", ["demo", "run", "run --apply plan.json", "tick", "up", "up --sandbox", "worker"])
def test_a_lease_that_means_nothing_ends_every_command_that_sends(tmp_path: Path, command: str) -> None:
    write_project(tmp_path)
    before = files(tmp_path)
    done = plgsync(tmp_path, *command.split())
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "PLGSYNC_LEASE_S is not a number of seconds from 1 to 3600; set it to one, or unset it for 120"
    ]
    assert done.stdout == ""
    assert files(tmp_path) == before


@pytest.mark.parametrize("command", ["check --offline", "playbooks test", "schema"])
def test_a_command_that_sends_nothing_is_not_concerned(tmp_path: Path, command: str) -> None:
    write_project(tmp_path)
    done = plgsync(tmp_path, *command.split())
    assert done.returncode == 0, done.stderr
