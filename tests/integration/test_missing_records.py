"""Accounts without a record, the people of tasks, and fields that belong to people, against both sandbox CRMs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.integration.conftest import Stage
from tests.integration.test_main_job import DAYS

CREATE = {
    "      match_field: Plgsync_Account_Id__c": "{Name: account.name, Website: account.domain}",
    "      match_field: plgsync_account_id": "{name: account.name, domain: account.domain}",
}
CRMS = ("salesforce", "hubspot")


def make_missing(stage: Stage) -> None:
    """Opt in to new records, and let people keep the health band that they set."""
    file = stage.folder / "config" / "crm.yaml"
    text = file.read_text(encoding="utf-8")
    for line, create in CREATE.items():
        text = text.replace(line, f"      create_missing: true\n      create: {create}\n{line}", 1)
    for band in ("Health_Band__c", "plgsync_health_band"):
        text = text.replace(f"field: {band}\n", f"field: {band}\n        write: if_ours\n", 1)
    file.write_text(text, encoding="utf-8")


def records_by_account(stage: Stage) -> dict[str, Counter[str]]:
    objects = stage.objects("salesforce")["Account"]
    companies = [company["properties"] for company in stage.objects("hubspot")["companies"]]
    return {
        "salesforce": Counter(one["Plgsync_Account_Id__c"] for one in objects if one.get("Plgsync_Account_Id__c")),
        "hubspot": Counter(one["plgsync_account_id"] for one in companies if one.get("plgsync_account_id")),
    }


def test_every_customer_ends_with_one_record_and_nothing_is_left_to_write(stage: Stage) -> None:
    make_missing(stage)
    plan = stage.plgsync("plan", "--as-of", DAYS[0], "--json")
    wanted = {crm: [r for r in plan["new_records"] if r["destination"] == crm] for crm in CRMS}
    assert all(wanted.values()), "the company has accounts that no CRM knows"
    sent = stage.plgsync("run", "--as-of", DAYS[0], "--first-run", "--json")["destinations"]
    counts = records_by_account(stage)
    for crm in CRMS:
        assert sent[crm]["applied"]["record_create"] == len(wanted[crm])
        assert sent[crm]["write_calls"] == sent[crm]["fewest_write_calls"]
        assert set(counts[crm].values()) == {1}
        assert {record["account_id"] for record in wanted[crm]} <= set(counts[crm])

    again = stage.plgsync("run", "--as-of", DAYS[0], "--json")["destinations"]
    assert {crm: again[crm]["write_calls"] for crm in CRMS} == dict.fromkeys(CRMS, 0)
    assert records_by_account(stage) == counts


def contact(crm: str, email: str, record_id: str) -> dict[str, Any]:
    if crm == "salesforce":
        values = {"LastName": "Doe", "Email": email, "AccountId": record_id}
        return {"do": "create", "object": "Contact", "values": values}
    return {"action": "create", "type": "contacts", "properties": {"email": email}, "company": record_id}


def plan_with_people(stage: Stage) -> tuple[str, dict[str, Any]]:
    """The first day on which tasks with a known address are to be made in both CRMs, and its plan; not run yet."""
    for day in DAYS:
        plan = stage.plgsync("plan", "--as-of", day, "--json")
        if {task["destination"] for task in with_address(plan)} == set(CRMS):
            return day, plan
        stage.plgsync("run", "--as-of", day, "--first-run")
    raise AssertionError("no task with an address in four days")


def with_address(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in plan["tasks"] if one["context"].get("contact", {}).get("email") and one["record_id"]]


def test_a_task_names_the_person_whom_the_crm_knows_and_says_why_when_it_names_nobody(stage: Stage) -> None:
    day, plan = plan_with_people(stage)
    asking = with_address(plan)
    assert {task["no_person"] for task in asking} == {"nobody has the address of top_user.email"}
    known = {crm: next(task for task in asking if task["destination"] == crm) for crm in CRMS}
    for crm, task in known.items():
        stage.control(crm, "mutate", contact(crm, task["context"]["contact"]["email"], task["record_id"]))
    report = stage.plgsync("run", "--as-of", day, "--first-run", "--json")
    nobody = {told: count for told, count in report["no_person"].items() if "nobody has" in told}
    assert sum(nobody.values()) == len(asking) - len(CRMS)

    made = {task["Plgsync_Key__c"]: task for task in stage.objects("salesforce")["Task"]}
    (person,) = [c for c in stage.objects("salesforce")["Contact"] if c["LastName"] == "Doe"]
    assert made[known["salesforce"]["key"]]["WhoId"] == person["Id"]
    assert made[known["salesforce"]["key"]]["WhatId"] == known["salesforce"]["record_id"]
    explained = stage.plgsync("explain", known["salesforce"]["account_id"], "--json")["crms"]
    assert {one["destination"]: one["status"] for one in explained}["salesforce"] == "matched"


def test_a_band_that_a_person_set_stays_and_is_reported_with_a_link(stage: Stage) -> None:
    make_missing(stage)
    stage.plgsync("run", "--as-of", DAYS[0], "--first-run")
    accounts = stage.objects("salesforce")["Account"]
    band = next(one for one in accounts if one.get("Health_Band__c") == "green")
    changed = {"do": "edit", "id": band["Id"], "values": {"Health_Band__c": "purple"}}
    stage.control("salesforce", "mutate", changed)
    report = stage.plgsync("run", "--as-of", DAYS[1], "--first-run", "--json")
    after = next(one for one in stage.objects("salesforce")["Account"] if one["Id"] == band["Id"])
    assert after["Health_Band__c"] == "purple"
    (owned,) = report["human_owned"]
    assert (owned["field"], owned["account_id"]) == ("Health_Band__c", band["Plgsync_Account_Id__c"])
    assert band["Id"] in owned["record"]
    assert "purple" not in str(report)
