"""What goes wrong outside is one clear message, and nothing is half-written."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import duckdb
import pytest

from tests.integration.conftest import AS_OF, PLGSYNC, Stage

DAY = AS_OF.isoformat()


def edit(stage: Stage, file: str, old: str, new: str) -> None:
    path = stage.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def product(stage: Stage, *statements: str) -> None:
    """Change the product data behind our back."""
    with duckdb.connect(str(stage.folder / "data" / "product.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def refused(stage: Stage, *words: str, command: tuple[str, ...] = ("run", "--as-of", DAY, "--first-run")) -> str:
    """The command ends with 1 and one message that has these words; nothing was written anywhere."""
    done = stage.attempt(*command)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, said
    assert stage.write_calls("salesforce") == stage.write_calls("hubspot") == 0
    return said


@pytest.mark.timeout(300)
def test_broken_product_data_is_refused_before_anything_is_scored(stage: Stage) -> None:
    edit(stage, "config/product.yaml", "table: events ", "table: evnts ")
    refused(stage, "product data:", "evnts", "events")
    refused(stage, "config/product.yaml:", "evnts", command=("check",))
    edit(stage, "config/product.yaml", "table: evnts ", "table: events ")

    edit(stage, "config/product.yaml", "    table: tickets ", "    columns: {severity: urgency}\n    table: tickets ")
    refused(stage, "urgency", "severity")
    edit(stage, "config/product.yaml", "    columns: {severity: urgency}\n", "")

    edit(stage, "config/product.yaml", "data/product.duckdb", "data/nothing.duckdb")
    refused(stage, "nothing.duckdb")
    edit(stage, "config/product.yaml", "data/nothing.duckdb", "data/product.duckdb")

    product(
        stage,
        "create table kept as from events",
        f"delete from events where occurred_at > '{AS_OF:%Y-%m-%d}'::date - 9",
    )
    refused(stage, "stale data:", "hours old", "Nothing was scored")
    product(stage, "delete from events")
    refused(stage, "stale data:", "no events at all")
    product(stage, "insert into events from kept", "drop table kept")
    stage.plgsync("run", "--as-of", DAY, "--first-run")


def test_a_crm_with_a_wrong_token_or_none_is_named_and_the_other_goes_on(stage: Stage) -> None:
    token = stage.folder / ".plgsync" / "hubspot_token"
    good = token.read_text(encoding="utf-8")
    token.write_text("pat-wrong", encoding="utf-8")
    done = stage.plgsync("run", "--as-of", DAY, "--first-run", "--json", code=1)
    assert "hubspot" in done["problems"]
    assert "pat-wrong" not in str(done)
    assert len(stage.results()["salesforce"]["fields"]) > 40
    said = stage.attempt("check")
    assert said.returncode == 1
    assert "hubspot" in said.stdout

    token.unlink()
    done = stage.plgsync("run", "--as-of", DAY, "--first-run", "--json", code=1)
    assert str(token) in done["problems"]["hubspot"]
    token.write_text(good, encoding="utf-8")
    stage.plgsync("run", "--as-of", DAY, "--first-run")
    assert len(stage.results()["hubspot"]["fields"]) > 40


def test_check_says_what_a_crm_lacks_before_a_run_finds_out(stage: Stage) -> None:
    edit(stage, "config/schedule.yaml", "version: 1\n", "version: 1\nstale_after: 9000d  # the company is of July\n")
    assert stage.attempt("check").returncode == 0
    edit(stage, "config/crm.yaml", "Health_Score__c", "Healthy_Score__c")
    edit(stage, "config/crm.yaml", "field: Health_Reasons__c", "field: Name")
    said = refused(stage, "salesforce has no account field Healthy_Score__c", command=("check",))
    line = (stage.folder / "config/crm.yaml").read_text().splitlines().index("        field: Healthy_Score__c") + 1
    assert f"config/crm.yaml:{line}:16" in said


def test_a_full_disk_is_one_message_and_the_next_run_is_whole(stage: Stage) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    done = subprocess.run(
        [*PLGSYNC, "run", "--as-of", DAY, "--first-run", "--project", str(stage.folder)],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=no_room,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "nothing was half-written" in done.stderr or "cannot be used" in done.stderr
    assert stage.write_calls("salesforce") == stage.write_calls("hubspot") == 0
    stage.plgsync("run", "--as-of", DAY, "--first-run")
    assert len(stage.results()["salesforce"]["fields"]) > 40


def test_a_project_that_may_not_be_written_says_so(stage: Stage, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    done = stage.attempt("run", "--as-of", DAY, env={"PLGSYNC_DATABASE_URL": f"sqlite:///{blocked}/state.db"})
    assert done.returncode == 1
    assert "state database" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_playbook_stops_alone(stage: Stage) -> None:
    edit(stage, "playbooks/health-drop.yaml", "health.band is red", "healht.band is red")
    done = stage.attempt("run", "--as-of", DAY, "--first-run", "--json")
    assert done.returncode == 0
    assert "pql-to-task" in done.stdout
    assert "health-drop" not in done.stdout.split('"playbooks"')[1]
    assert "playbooks/health-drop.yaml:" in done.stderr
    assert 'Did you mean "health.band"?' in done.stderr


def test_a_playbook_broken_later_keeps_running_as_it_last_did(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    edit(stage, "playbooks/health-drop.yaml", "health.band is red", "healht.band is red")
    for command in (("plan",), ("run", "--first-run")):
        done = stage.attempt(*command, "--as-of", DAY, "--json")
        assert done.returncode == 0, done.stderr
        assert "health-drop" in done.stdout
        assert "playbooks/health-drop.yaml: until this is fixed, its last good version keeps running" in done.stderr
    assert stage.attempt("check", "--offline").returncode == 1
