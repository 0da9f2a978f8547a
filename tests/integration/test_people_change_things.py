"""What people do between two runs, in the CRMs, in the product and in the YAML: the next run follows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb

from tests.integration.conftest import AS_OF, RUN_DAYS, Stage

NEXT = (AS_OF + timedelta(days=1)).isoformat()
SALESFORCE_ID, HUBSPOT_ID = "Plgsync_Account_Id__c", "plgsync_account_id"


def homes(stage: Stage) -> dict[str, dict[str, str]]:
    """Record id by account id, in each CRM."""
    accounts = stage.objects("salesforce")["Account"]
    companies = stage.objects("hubspot")["companies"]
    return {
        "salesforce": {a[SALESFORCE_ID]: a["Id"] for a in accounts if a.get(SALESFORCE_ID)},
        "hubspot": {c["properties"][HUBSPOT_ID]: c["id"] for c in companies if c["properties"].get(HUBSPOT_ID)},
    }


def set_id(stage: Stage, crm: str, record: str, account: str) -> None:
    """An admin writes our account id into a record by hand, or empties it."""
    if crm == "salesforce":
        stage.control(crm, "mutate", {"do": "edit", "id": record, "values": {SALESFORCE_ID: account or None}})
    else:
        edit = {"action": "edit", "type": "companies", "id": record, "properties": {HUBSPOT_ID: account}}
        stage.control(crm, "mutate", edit)


def test_an_account_id_that_an_admin_moves_takes_the_account_along(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    before = homes(stage)
    moved: dict[str, tuple[str, str, str, str]] = {}
    for crm in stage.crms:
        (loser, target), (winner, left) = sorted(before[crm].items())[:2]
        set_id(stage, crm, left, "")
        set_id(stage, crm, target, winner)
        moved[crm] = loser, winner, target, left

    stage.plgsync("run", "--as-of", RUN_DAYS[-1], "--first-run")
    after = homes(stage)
    for crm, (loser, winner, target, _left) in moved.items():
        assert after[crm][winner] == target
        assert after[crm].get(loser) != target
        assert len(after[crm]) == len(before[crm]) - (loser not in after[crm])
    scores = stage.plgsync("explain", moved["salesforce"][1], "--json")["fields"]
    written = stage.results()["salesforce"]["fields"][moved["salesforce"][1]]
    assert written["Health_Score__c"] == scores["health.score"], "the record shows the account it says it is"
    again = stage.plgsync("run", "--as-of", RUN_DAYS[-1], "--json")
    assert all(crm["applied"] == {} and crm["write_calls"] == 0 for crm in again["destinations"].values())


def open_tasks(stage: Stage) -> dict[str, dict[str, Any]]:
    """Our open Salesforce tasks by key."""
    tasks = stage.objects("salesforce")["Task"]
    return {task["Plgsync_Key__c"]: task for task in tasks if task.get("Plgsync_Key__c") and not task["IsClosed"]}


def test_the_untouched_task_of_an_account_that_is_deleted_in_the_product_is_closed(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    account_of = {record: account for account, record in homes(stage)["salesforce"].items()}
    before = open_tasks(stage)
    key = next(key for key, task in sorted(before.items()) if task["Subject"].startswith("PQL "))
    record = before[key]["WhatId"]
    with duckdb.connect(str(stage.folder / "data" / "product.duckdb")) as product:
        gone = "update accounts set deleted_at = ? where account_id = ?"
        product.execute(gone, [AS_OF.replace(tzinfo=None), account_of[record]])
    stage.plgsync("run", "--as-of", NEXT, "--first-run")
    after = open_tasks(stage)
    assert key not in after
    assert before.keys() & after.keys(), "and the others stay open"


def test_a_playbook_that_is_switched_off_delivers_nothing_late_and_a_broken_one_keeps_its_tasks(
    stage_after_runs: Stage,
) -> None:
    stage = stage_after_runs

    def waiting() -> set[str]:
        return {row["playbook_id"] for row in stage.plgsync("outbox", "list", "--json")}

    [name] = waiting()
    file = stage.folder / "playbooks" / f"{name}.yaml"
    live = file.read_text(encoding="utf-8")
    file.write_text(live.replace("mode: live", "mode: off", 1), encoding="utf-8")
    stage.plgsync("run", "--as-of", NEXT, "--first-run")
    assert waiting() == {name}, "off without quotes is a mistake, and a mistake loses nothing"
    file.write_text(live.replace("mode: live", 'mode: "off"', 1), encoding="utf-8")
    stage.plgsync("run", "--as-of", NEXT, "--first-run")
    assert waiting() == set()
