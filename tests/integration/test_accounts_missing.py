"""Accounts that the product data loses for a run and has again: the CRMs hold the same as if they had been there."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import duckdb

from tests.integration.conftest import RUN_DAYS, Stage

LAST = datetime.fromisoformat(RUN_DAYS[-1])
DAYS = [(LAST + timedelta(days=day)).isoformat() for day in range(2)]


def product(stage: Stage, *statements: str) -> list[Any]:
    with duckdb.connect(str(stage.folder / "data" / "product.duckdb")) as database:
        return [database.execute(one).fetchall() for one in statements][-1]


def lose(stage: Stage, accounts: list[str]) -> None:
    listed = ", ".join(f"'{one}'" for one in accounts)
    product(stage, "create table lost as from accounts", f"delete from accounts where account_id in ({listed})")


def find_again(stage: Stage) -> None:
    product(stage, "delete from accounts", "insert into accounts from lost", "drop table lost")


def crm_state(stage: Stage) -> tuple[Any, set[tuple[str, str]]]:
    tasks = {(t["Plgsync_Key__c"], t["Status"]) for t in stage.objects("salesforce")["Task"] if t.get("Plgsync_Key__c")}
    return stage.results(), tasks


def test_what_is_missing_for_a_run_is_as_before_and_a_third_at_once_stops_the_run(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    tasks = stage.objects("salesforce")["Task"]
    home = next(task["WhatId"] for task in tasks if task.get("Plgsync_Key__c"))
    account = next(a["Plgsync_Account_Id__c"] for a in stage.objects("salesforce")["Account"] if a["Id"] == home)
    before = crm_state(stage)

    lose(stage, [account])
    report = stage.plgsync("run", "--as-of", DAYS[0], "--first-run", "--json")
    assert list(report["missing"]) == [account]
    assert crm_state(stage) == before
    find_again(stage)
    again = stage.plgsync("run", "--as-of", DAYS[0], "--first-run", "--json")
    assert again["missing"] == {}
    assert crm_state(stage) == before

    ids = [one for (one,) in product(stage, "select account_id from accounts order by account_id")]
    lose(stage, ids[::3])
    checked = stage.plgsync("check", "--json", code=1)
    found = [one["message"] for one in checked["problems"] if one["severity"] == "error"]
    assert any("a run would stop now: " in one and "accounts of the last run are missing" in one for one in found)
    stopped = stage.plgsync("run", "--as-of", DAYS[0], "--first-run", code=1)
    assert "cannot be trusted" in stopped.stderr
    assert crm_state(stage) == before
    find_again(stage)
    assert stage.plgsync("run", "--as-of", DAYS[0], "--first-run", "--json")["missing"] == {}
    assert crm_state(stage) == before


def test_an_admin_lets_most_accounts_vanish_for_one_run(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    ids = [one for (one,) in product(stage, "select account_id from accounts order by account_id")]
    lose(stage, [one for place, one in enumerate(ids) if place % 3])
    checked = [one["message"] for one in stage.plgsync("check", "--json", code=1)["problems"]]
    assert any("a run would stop now" in one and "the last run saw" in one for one in checked)
    settings = stage.folder / "config" / "product.yaml"
    before = settings.read_text(encoding="utf-8")
    settings.write_text(f"{before}\ntrust: {{vanished: 100%, unjoined: 100%}}\n", encoding="utf-8")
    stage.plgsync("data", "accept")
    assert len(stage.plgsync("run", "--as-of", DAYS[0], "--first-run", "--json")["missing"]) > len(ids) / 2
    find_again(stage)
    settings.write_text(before, encoding="utf-8")
    stage.plgsync("run", "--as-of", DAYS[0], "--first-run")


def test_a_table_that_was_cut_off_stops_the_run_until_it_is_whole_again(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    before = crm_state(stage)
    product(stage, "create table whole as from memberships", "delete from memberships where rowid % 3 > 0")
    stopped = stage.plgsync("run", "--as-of", DAYS[0], "--first-run", code=1)
    assert re.search(r"memberships has \d+ rows, [\d,]+ are usual", stopped.stderr)
    found = [one["message"] for one in stage.plgsync("check", "--json", code=1)["problems"]]
    assert any("a run would stop now: memberships has" in one for one in found)
    assert crm_state(stage) == before
    product(stage, "delete from memberships", "insert into memberships from whole")
    stage.plgsync("run", "--as-of", DAYS[0], "--first-run")
    assert crm_state(stage) == before


def test_a_person_accepts_what_differs_from_what_was_usual(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    product(stage, "delete from memberships where rowid % 3 > 0")
    stopped = stage.plgsync("run", "--as-of", DAYS[0], "--first-run", code=1)
    assert "run: plgsync data accept" in stopped.stderr
    stage.plgsync("data", "accept")
    for day in DAYS[:2]:
        stage.plgsync("run", "--as-of", day, "--first-run")
    product(stage, "delete from memberships where rowid % 9 > 0")
    assert "are usual" in stage.plgsync("run", "--as-of", DAYS[1], "--first-run", code=1).stderr


def test_a_person_decides_on_a_reused_id_by_a_command(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    account, created = product(stage, "select account_id, created_at from accounts order by account_id")[0]
    assert created < LAST.replace(tzinfo=None)
    later = (LAST + timedelta(hours=3)).replace(tzinfo=None).isoformat()
    change = f"update accounts set name = 'Nova', created_at = '{later}' where account_id = '{account}'"
    product(stage, change)
    assert list(stage.plgsync("run", "--as-of", DAYS[1], "--first-run", "--json")["reused"]) == [account]
    assert stage.plgsync("accounts", "keep", "nobody", code=2).stderr
    stage.plgsync("accounts", "keep", account)
    assert stage.plgsync("run", "--as-of", DAYS[1], "--first-run", "--json")["reused"] == {}


def test_an_account_that_may_be_deleted_stays_as_it_is_and_is_named(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    tasks = stage.objects("salesforce")["Task"]
    home = next(task["WhatId"] for task in tasks if task.get("Plgsync_Key__c"))
    account = next(a["Plgsync_Account_Id__c"] for a in stage.objects("salesforce")["Account"] if a["Id"] == home)
    before = crm_state(stage)

    product(stage, "alter table accounts alter deleted_at type varchar")
    product(stage, f"update accounts set deleted_at = 'yesterday' where account_id = '{account}'")
    product(stage, f"delete from events where account_id = '{account}'")  # its scores would change
    run = stage.plgsync("run", "--as-of", DAYS[0], "--first-run", "--json")
    assert (run["undecided"], run["missing"]) == ([account], {})
    assert crm_state(stage) == before
    shown = stage.plgsync("plan", "--as-of", DAYS[0]).stdout
    assert f"account {account} may be deleted (its deleted_at is unknown)" in " ".join(shown.split())
