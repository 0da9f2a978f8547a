"""The demo prints its whole story, and the commands that it names at the end work in its folder."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import forked, in_process
from tests.integration.conftest import REMEMBERING
from tests.integration.measured import remembering
from worker.demo.stage import SEED_FILE, build_stage, sandboxes
from worker.demo.story import AS_OF


def plgsync(*arguments: str) -> subprocess.CompletedProcess[str]:
    with remembering():
        return in_process.plgsync(*arguments)


@pytest.mark.timeout(400)
def test_the_demo_from_the_first_act_to_going_on(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = forked.run([*REMEMBERING, "demo", "--dir", str(folder), "--accounts", "60"], timeout=200)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    for act in (
        "1  a company",
        "2  the fields",
        "3  the first days",
        "4  the same moment",
        "5  one day later",
        "go on",
    ):
        assert act in said
    assert "salesforce: 0 writes, 0 write calls" in said
    assert "hubspot: 0 writes, 0 write calls" in said
    assert re.search(r"PQL \d+: ", said)
    assert "Why now:" in said
    assert "Traceback" not in done.stderr

    account = re.search(r'plgsync explain "([^"]+)"', said)
    assert account
    explained = plgsync("explain", account[1], "--project", str(folder))
    assert explained.returncode == 0, explained.stderr
    assert "Playbooks" in explained.stdout

    state = folder / ".plgsync" / "state.db"
    assert state.exists()
    ports = dict(re.findall(r"--(salesforce|hubspot)-port (\d+)", said))
    with sandboxes(folder / SEED_FILE, {name: int(port) for name, port in ports.items()}):
        again = plgsync("run", "--project", str(folder), "--as-of", "2026-07-01T06:00Z")
        assert again.returncode == 0, again.stderr
        assert plgsync("outbox", "list", "--project", str(folder)).returncode == 0
        planned = plgsync("plan", "--project", str(folder), "--as-of", "2026-07-02")
        assert planned.returncode == 0, planned.stderr
        assert "records would change" in planned.stdout

    build_stage(folder, 60, 7, AS_OF)
    assert not state.exists(), "a demo may be made again in its own folder, and begins afresh"


def test_a_folder_that_is_not_a_demo_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    done = in_process.plgsync("demo", "--dir", str(tmp_path))
    assert done.returncode == 1
    assert "choose another folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
