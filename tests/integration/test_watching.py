"""Watching it run: who wrote what and why, by the commands, after real runs against both CRMs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Stage, open_stage
from tests.integration.test_main_job import DAYS, run_days


@pytest.fixture(scope="module")
def after_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A company after four daily runs; nothing here changes it."""
    folder: Path = tmp_path_factory.mktemp("watching")
    with open_stage(folder / "project") as stage:
        run_days(stage)
        yield stage


def why(stage: Stage, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.plgsync("why", *arguments, "--json")
    return found


def test_a_field_says_which_score_wrote_it_in_which_run_and_why(after_days: Stage) -> None:
    record = next(r for r in after_days.objects("salesforce")["Account"] if r.get("Health_Score__c") is not None)
    effects = why(after_days, record["Id"], "--field", "health_score")
    assert effects[0]["status"] == "applied"
    (written,) = effects[0]["fields"]
    assert (written["field"], written["by"]) == ("Health_Score__c", "health.score")
    assert written["new"] == record["Health_Score__c"]
    assert written["because"]
    assert f"{effects[0]['as_of'][:10]}" in {day[:10] for day in DAYS}
    for newer, older in pairwise(effects):
        assert newer["fields"][0]["old"] == older["fields"][0]["new"]
    assert effects[-1]["fields"][0]["old"] is None


def test_a_task_says_which_playbook_made_it_and_what_was_true(after_days: Stage) -> None:
    task = next(t for t in after_days.objects("salesforce")["Task"] if str(t.get("Subject", "")).startswith("PQL "))
    (made,) = [one for one in why(after_days, task["Id"]) if one["kind"] == "task_create"]
    assert made["key"] == task["Plgsync_Key__c"]
    assert made["playbook_id"] == "pql-to-task"
    assert made["because"]
    assert task["Subject"] in made["task"]
    assert why(after_days, task["Plgsync_Key__c"])[-1] == made


def test_an_account_is_found_by_its_name_and_shows_both_crms(after_days: Stage) -> None:
    record = next(r for r in after_days.objects("salesforce")["Account"] if r.get("Health_Score__c") is not None)
    account_id = record["Plgsync_Account_Id__c"]
    name = after_days.plgsync("explain", account_id, "--json")["fields"]["account.name"]
    assert {one["account_id"] for one in why(after_days, name)} == {account_id}
    assert why(after_days, name) == why(after_days, account_id)
    shown = after_days.plgsync("why", account_id).stdout
    assert "by health.score" in shown


def test_what_is_no_record_and_no_account_is_one_clear_message(after_days: Stage) -> None:
    done = after_days.attempt("why", "nobody-at-all")
    assert done.returncode == 1
    assert 'no account has the id, name or domain "nobody-at-all"' in done.stderr
    assert after_days.attempt("why", "001", "--field", "helth_score").returncode == 1
