"""The main job from end to end: real data, real HTTP, and what is in the CRMs afterwards."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.integration.conftest import AS_OF, RUN_DAYS, Stage

DAYS = [(AS_OF - timedelta(days=back)).isoformat() for back in (1, 0)]


def test_every_matched_account_gets_its_scores_and_a_second_run_writes_nothing(stage: Stage) -> None:
    refused = stage.plgsync("run", "--as-of", DAYS[0], code=1).stderr
    assert "plgsync run --first-run lets a first one fill every record" in refused
    assert "plgsync adopt" in refused
    first = stage.plgsync("run", "--as-of", DAYS[0], "--first-run", "--json")
    results = stage.results()
    for crm in ("salesforce", "hubspot"):
        assert len(results[crm]["fields"]) == first["destinations"][crm]["applied"]["fields"] > 40
        assert first["destinations"][crm]["write_calls"] == first["destinations"][crm]["fewest_write_calls"]
        assert stage.write_calls(crm) == first["destinations"][crm]["write_calls"]
    explained = next(iter(results["salesforce"]["fields"]))
    scores = stage.plgsync("explain", explained, "--json")["fields"]
    assert results["salesforce"]["fields"][explained]["Health_Score__c"] == scores["health.score"]
    assert results["salesforce"]["fields"][explained]["Onboarding_Status__c"] == scores["onboarding.status"]

    before = {crm: stage.write_calls(crm) for crm in stage.crms}
    again = stage.plgsync("run", "--as-of", DAYS[0], "--json")
    assert {crm: stage.write_calls(crm) for crm in stage.crms} == before
    assert all(d["write_calls"] == 0 and d["applied"] == {} for d in again["destinations"].values())
    assert stage.results() == results


def test_a_company_is_never_created_and_no_foreign_field_is_touched(stage: Stage) -> None:
    before = stage.objects("salesforce")["Account"]
    companies = len(stage.objects("hubspot")["companies"])
    stage.plgsync("run", "--as-of", DAYS[0], "--first-run")
    after = stage.objects("salesforce")["Account"]
    assert len(after) == len(before)
    assert len(stage.objects("hubspot")["companies"]) == companies
    derived = {"LastModifiedDate", "LastModifiedById", "SystemModstamp", "LastActivityDate"}
    for old, new in zip(before, after, strict=True):
        changed = {name for name in new if new[name] != old.get(name)}
        assert {name for name in changed if not name.endswith("__c")} <= derived


def test_tasks_reach_both_crms_once_and_say_why(stage_after_runs: Stage) -> None:
    stage = stage_after_runs
    results = stage.results()
    made = results["salesforce"]["tasks"]
    assert made, "two days of playbooks make tasks"
    assert set(made) & set(results["hubspot"]["tasks"]), "the same task has the same key in both CRMs"
    pql = [task for task in made.values() if task["Subject"].startswith("PQL ")]
    assert pql
    assert all("Why now:" in task["Description"] for task in pql)
    again = stage.plgsync("run", "--as-of", RUN_DAYS[-1], "--json")
    assert all(d["applied"] == {} for d in again["destinations"].values())


def test_one_day_later_only_what_changed_is_sent(stage_after_runs: Stage) -> None:
    stage, later = stage_after_runs, DAYS[0]
    before = stage.results()
    plan = stage.plgsync("plan", "--as-of", later, "--json")
    assert stage.results() == before, "a plan writes nothing"
    report = stage.plgsync("run", "--as-of", later, "--first-run", "--json")
    after = stage.results()
    changed = {
        account_id
        for account_id, fields in after["salesforce"]["fields"].items()
        if fields != before["salesforce"]["fields"].get(account_id)
    }
    planned = {change["account_id"] for change in plan["records"] if change["destination"] == "salesforce"}
    assert changed == planned
    assert report["destinations"]["salesforce"]["applied"].get("fields", 0) == len(planned) < 40


def test_a_plan_is_applied_only_while_it_holds(stage: Stage) -> None:
    plan = stage.folder / "plan.json"
    stage.plgsync("plan", "--as-of", DAYS[0], "--out", str(plan))
    planned = json.loads(plan.read_text(encoding="utf-8"))["records"]
    account = next(change["record_id"] for change in planned if change["destination"] == "salesforce")
    refused = stage.attempt("run", "--as-of", DAYS[0])
    assert refused.returncode == 1
    assert "guard" in refused.stderr
    assert "plgsync plan --out plan.json" in refused.stderr
    assert stage.results()["salesforce"]["fields"] == {}, "a tripped guard writes nothing"

    stage.control("salesforce", "mutate", {"do": "delete", "id": account})
    moved = stage.attempt("run", "--apply", str(plan))
    assert moved.returncode == 1
    assert "no longer holds" in moved.stderr
    assert stage.results()["salesforce"]["fields"] == {}

    stage.plgsync("plan", "--as-of", DAYS[0], "--out", str(plan))
    stage.plgsync("run", "--apply", str(plan))
    assert len(stage.results()["salesforce"]["fields"]) > 40


def test_a_run_cannot_go_back_in_time(stage_after_runs: Stage) -> None:
    back = stage_after_runs.attempt("run", "--as-of", RUN_DAYS[0], "--first-run")
    assert back.returncode == 1
    assert "cannot go back" in back.stderr
