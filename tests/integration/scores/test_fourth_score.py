"""A fourth score is one file and one line: everything that knows scores then knows it too."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.conftest import AS_OF
from worker.demo.stage import build_stage

BLOCK = """
adoption:
  parts:
    - {name: Seats, weight: 100, metric: seats_used / seat_limit, bad: 0, good: 1}
"""
PLAYBOOK = """
version: 1
id: wide
name: Wide adoption
owner: revops@example.com
mode: live
level: account
audience: account.is_internal is not true
when: {enters: adoption.breadth is wide}
repeat: {already_matching: include}
do:
  - create_task: {key: t, to: account_owner, subject: "{{adoption.score}} points", due: 1bd}
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process with a fourth score says of a project that uses it."""
    folder = tmp_path_factory.mktemp("fourth") / "project"
    build_stage(folder, 60, 7, AS_OF)
    for file in (folder / "playbooks").iterdir():
        file.unlink()
    (folder / "playbooks" / "wide.yaml").write_text(PLAYBOOK, encoding="utf-8")
    with (folder / "config" / "scores.yaml").open("a", encoding="utf-8") as scores:
        scores.write(BLOCK)
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.scores.with_adoption", str(folder), AS_OF.isoformat()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_settings_know_the_block_and_the_fields(said: dict[str, Any]) -> None:
    assert {"adoption.score", "adoption.breadth", "health.score"} <= set(said["known"])
    assert said["values"] == ["wide", "narrow"]
    assert said["schema"]["description"] == "How much of the product an account uses."


def test_a_crm_field_may_come_from_it(said: dict[str, Any]) -> None:
    assert said["crm"]["adoption.score"] == []
    assert 'Did you mean "adoption.score"?' in str(said["crm"]["adoption.scroe"])


def test_it_is_scored_and_kept_day_by_day(said: dict[str, Any]) -> None:
    assert said["score"] >= 50
    assert said["history"]["adoption.score"] == said["score"]
    assert said["history"]["adoption.breadth"] == "wide"


def test_a_playbook_may_test_it(said: dict[str, Any]) -> None:
    assert said["invalid"] == []
    assert said["inside"] == said["wide"] != []


def test_the_summary_counts_it_and_the_ledger_gets_its_reason(said: dict[str, Any]) -> None:
    assert said["counts"]["wide"] == len(said["wide"])
    assert "Adoption" in said["summary"]
    assert said["why"] == f"{said['score']} points of adoption"


def test_explain_shows_its_parts(said: dict[str, Any]) -> None:
    assert f"adoption is {said['score']}" in said["explained"]
    assert "Seats" in said["explained"]
    assert said["explained_json"] == ["parts", "score"]
