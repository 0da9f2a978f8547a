"""People at work in the org: what they do is there afterwards, and the API meets its consequences."""

from __future__ import annotations

from typing import Any

import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX


def rejection(api: Api, **action: str | dict[str, Any]) -> str:
    answer = requests.post(f"{api.url}/__sim/mutate", json=action, timeout=10)
    assert answer.status_code == 400
    return str(answer.json()["error"])


def test_an_edit_is_made_by_a_person(api: Api) -> None:
    api.ui_action(do="edit", id=ACME, values={"Rating": "Hot"})
    acme = api.stored("Account", ACME)
    assert (acme["Rating"], acme["LastModifiedById"]) == ("Hot", api.sim("state?object=User")["staff"]["admin"])
    ann = next(one["Id"] for one in api.stored("User") if one["Email"] == "ann@example.com")
    api.ui_action(do="edit", id=ACME, values={"Rating": "Cold"}, by=ann)
    assert api.stored("Account", ACME)["LastModifiedById"] == ann


def test_tasks_are_started_and_completed(api: Api) -> None:
    (made,) = api.batch("POST", "Task", [{"Subject": "s"}])
    api.ui_action(do="start_task", id=made["id"])
    assert api.stored("Task", made["id"])["Status"] == "In Progress"
    api.ui_action(do="complete_task", id=made["id"])
    assert api.stored("Task", made["id"])["IsClosed"]


def test_owners_change(api: Api) -> None:
    bob = next(one["Id"] for one in api.stored("User") if one["Email"] == "bob@example.com")
    api.ui_action(do="change_owner", id=ACME, owner=bob)
    assert api.rows(f"SELECT Owner.Name FROM Account WHERE Id = '{ACME}'")[0]["Owner"]["Name"] == "Bob Ray"


def test_a_merged_account_leads_to_its_survivor_and_leaves_its_children_there(api: Api) -> None:
    api.ui_action(do="merge", survivor=GLOBEX, losers=[ACME])
    gone = api.stored("Account", ACME)
    assert (gone["IsDeleted"], gone["MasterRecordId"]) == (True, GLOBEX)
    assert {one["AccountId"] for one in [*api.stored("Contact"), *api.stored("Opportunity")]} == {GLOBEX}
    (rejected,) = api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}])
    assert rejected["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"
    rows = api.rows(f"SELECT Id, IsDeleted, MasterRecordId FROM Account WHERE Id = '{ACME}'", every=True)
    assert rows == [{"Id": ACME, "IsDeleted": True, "MasterRecordId": GLOBEX}]


def test_a_deleted_record_can_be_brought_back(api: Api) -> None:
    api.ui_action(do="delete", id=GLOBEX)
    api.ui_action(do="undelete", id=GLOBEX)
    assert api.rows("SELECT Id FROM Account WHERE Sync_Ext__c = 'G-1'") == [{"Id": GLOBEX}]


def test_a_hidden_field_is_gone_for_the_integration_and_back_when_shown(api: Api) -> None:
    api.ui_action(do="hide_field", object="Account", field="Rating")
    (rejected,) = api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}])
    assert rejected["errors"][0]["message"] == "No such column 'Rating' on sobject of type Account"
    api.ui_action(do="lock_field", object="Account", field="Rating")
    (rejected,) = api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}])
    assert rejected["errors"][0]["fields"] == ["Rating"]
    api.ui_action(do="show_field", object="Account", field="Rating")
    assert api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}])[0]["success"]


def test_a_renamed_picklist_value_changes_the_records_that_have_it(api: Api) -> None:
    api.ui_action(do="edit", id=CYCO, values={"Rating": "Hot"})
    assert api.ui_action(
        do="rename_picklist_value", object="Account", field="Rating", **{"from": "Hot", "to": "Burning"}
    )
    assert api.stored("Account", CYCO)["Rating"] == "Burning"
    described = api.call("GET", "/sobjects/Account/describe").json()["fields"]
    (rating,) = [field for field in described if field["name"] == "Rating"]
    assert [one["value"] for one in rating["picklistValues"]] == ["Burning", "Warm", "Cold"]


def test_a_lead_is_converted_into_an_account_and_a_contact(api: Api) -> None:
    (lead,) = api.stored("Lead")
    done = api.ui_action(do="convert_lead", id=lead["Id"])
    converted = api.stored("Lead", lead["Id"])
    assert (converted["IsConverted"], converted["ConvertedAccountId"]) == (True, done["account"])
    assert api.stored("Account", done["account"])["Name"] == "Initech"
    assert api.stored("Contact", done["contact"])["Email"] == "lou@initech.com"


def test_records_are_created_by_hand(api: Api) -> None:
    made = api.ui_action(
        do="create",
        object="Opportunity",
        values={"Name": "D", "StageName": "Prospecting", "CloseDate": "2027-01-01", "AccountId": CYCO},
    )
    assert api.stored("Opportunity", made["id"])["AccountId"] == CYCO


def test_what_cannot_be_done_is_rejected_and_changes_nothing(api: Api) -> None:
    before = api.sim("state")["objects"]
    assert "dance" in rejection(api, do="dance")
    assert "there is no record" in rejection(api, do="delete", id="nobody")
    assert "REQUIRED_FIELD_MISSING" in rejection(api, do="edit", id=ACME, values={"Name": None})
    assert "needs 'values'" in rejection(api, do="edit", id=ACME)
    assert "there is no field" in rejection(api, do="hide_field", object="Account", field="Nothing")
    assert api.sim("state")["objects"] == before


def test_the_page_shows_accounts_and_tasks_with_everything_escaped(api: Api) -> None:
    api.make_field("Account.Health_Score__c", type="Number", precision=3, scale=0)
    api.make_field("Account.Onboarding__c", type="Percent", precision=4, scale=1)
    api.make_field("Account.PQL__c", type="Checkbox", defaultValue="false")
    api.make_field("Account.Reasons__c", type="LongTextArea", length=1000)
    api.make_field("Account.Scored_At__c", type="DateTime")
    evil, (contact,) = "<script>alert(1)</script>", api.stored("Contact")
    scored = {"Onboarding__c": 87.5, "PQL__c": True, "Reasons__c": evil, "Scored_At__c": "2026-01-02T03:04:05Z"}
    assert api.batch("PATCH", "Account", [{"id": ACME, "Name": evil, "Health_Score__c": 73, **scored}])[0]["success"]
    task = {"Subject": evil, "Description": f"{evil}\nline", "WhatId": ACME, "WhoId": contact["Id"]}
    ann = next(one["Id"] for one in api.stored("User") if one["Email"] == "ann@example.com")
    (made,) = api.batch("POST", "Task", [{**task, "ActivityDate": "2026-12-24", "OwnerId": ann}])
    page = requests.get(f"{api.url}/", timeout=10)
    assert page.headers["content-type"].startswith("text/html")
    assert evil not in page.text
    assert page.text.count("&lt;script&gt;") == 5
    for shown in (
        '<td class="number">73</td>',
        '<td class="number">87.5%</td>',
        "<td>☑</td>",
        '<td class="when">2026-01-02 03:04</td>',
        '<td class="when">2026-12-24</td>',
        "<td>Ann Lee</td>",
        "<td>Cleo Cash</td>",
        "<td>Not Started</td>",
        "&lt;/script&gt;\nline</td>",
    ):
        assert shown in page.text
    assert 'class="done"' not in page.text
    api.ui_action(do="complete_task", id=made["id"])
    assert '<td class="done">' in requests.get(f"{api.url}/", timeout=10).text


def test_a_seed_is_loaded_whole_or_not_at_all(api: Api) -> None:
    before = api.sim("state")["objects"]
    seed = {"records": {"Account": [{"Name": "Good"}, {"Name": "Bad", "OwnerId": "@nobody"}]}}
    answer = requests.post(f"{api.url}/__sim/seed", json=seed, timeout=10)
    assert answer.status_code == 400
    assert "@nobody" in answer.json()["error"]
    bad_field = {"records": {"Account": [{"Name": "Good"}, {"Name": "Bad", "Nothing": 1}]}}
    assert requests.post(f"{api.url}/__sim/seed", json=bad_field, timeout=10).status_code == 400
    assert api.sim("state")["objects"] == before
    api.sim(
        "seed",
        {
            "records": {"Account": [{"Name": "Good"}]},
            "custom_fields": [{"FullName": "Account.X__c", "Metadata": {"label": "X", "type": "Date"}}],
        },
    )
    assert [one["Name"] for one in api.stored("Account")][-1] == "Good"
    assert api.batch("PATCH", "Account", [{"id": ACME, "X__c": "2026-01-01"}])[0]["success"]


def test_a_reset_brings_back_records_fields_and_options(api: Api) -> None:
    before = api.sim("state")["objects"]
    api.make_field("Account.X__c", type="Date")
    api.sim("config", {"page_size": 300})
    api.ui_action(do="delete", id=ACME)
    api.ui_action(do="hide_field", object="Account", field="Rating")
    api.sim("reset", {})
    assert api.sim("state")["objects"] == before
    assert api.sim("config")["page_size"] == 2000
    api.login()
    names = [field["name"] for field in api.call("GET", "/sobjects/Account/describe").json()["fields"]]
    assert "X__c" not in names
    assert "Rating" in names
