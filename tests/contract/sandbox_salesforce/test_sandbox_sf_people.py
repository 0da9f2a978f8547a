"""People in the org: person accounts and the contacts behind them, converted leads, merged records."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, GLOBEX


@pytest.fixture
def persons(api: Api) -> str:
    """An org with person accounts, and one of them."""
    api.sim("config", {"person_accounts": True})
    made = api.call("POST", "/sobjects/Account", {"FirstName": "Pia", "LastName": "Own", "PersonEmail": "pia@own.at"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def account(api: Api, record_id: str) -> Any:
    return api.stored("Account", record_id)


def shadow(api: Api, record_id: str) -> Any:
    return api.stored("Contact", account(api, record_id)["PersonContactId"])


def errors(answer: requests.Response) -> list[Any]:
    return [(one["errorCode"], one["message"], one.get("fields")) for one in answer.json()]


def test_an_org_without_person_accounts_does_not_describe_them(api: Api) -> None:
    names = {one["name"] for one in api.call("GET", "/sobjects/Account/describe").json()["fields"]}
    assert not names & {"IsPersonAccount", "PersonContactId", "PersonEmail", "LastName"}
    (rejected,) = api.batch("POST", "Account", [{"LastName": "Own"}])
    assert rejected["errors"][0]["message"] == "No such column 'LastName' on sobject of type Account"


def test_a_person_account_comes_with_a_contact_that_shows_the_same_person(api: Api, persons: str) -> None:
    kept, behind = account(api, persons), shadow(api, persons)
    assert (kept["Name"], kept["IsPersonAccount"], behind["IsPersonAccount"]) == ("Pia Own", True, True)
    assert (behind["AccountId"], behind["Name"], behind["Email"]) == (persons, "Pia Own", "pia@own.at")
    assert account(api, ACME)["IsPersonAccount"] is False
    rows = api.rows("SELECT Name, PersonContactId FROM Account WHERE IsPersonAccount = true")
    assert rows == [{"Name": "Pia Own", "PersonContactId": behind["Id"]}]


def test_describe_says_what_of_a_person_can_be_written(api: Api, persons: str) -> None:
    described = api.call("GET", "/sobjects/Account/describe").json()["fields"]
    fields = {one["name"]: one for one in described}
    for name in ("IsPersonAccount", "PersonContactId"):
        assert (fields[name]["createable"], fields[name]["updateable"]) == (False, False)
    assert fields["PersonEmail"]["updateable"]
    assert fields["LastName"]["nillable"]
    (rejected,) = api.batch("PATCH", "Account", [{"id": persons, "IsPersonAccount": False}])
    assert rejected["errors"][0]["statusCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_a_contacts_custom_field_appears_as_pc_and_is_one_value(api: Api, persons: str) -> None:
    api.make_field("Contact.Health__c", type="Number", precision=3, scale=0)
    assert api.batch("PATCH", "Account", [{"id": persons, "Health__pc": 71}])[0]["success"]
    assert (account(api, persons)["Health__pc"], shadow(api, persons)["Health__c"]) == (71, 71)
    assert api.batch("PATCH", "Contact", [{"id": shadow(api, persons)["Id"], "Health__c": 72}])[0]["success"]
    assert api.rows("SELECT Id FROM Account WHERE Health__pc = 72") == [{"Id": persons}]
    api.ui_action(do="hide_field", object="Contact", field="Health__c")
    (rejected,) = api.batch("PATCH", "Account", [{"id": persons, "Health__pc": 1}])
    assert rejected["errors"][0]["message"] == "No such column 'Health__pc' on sobject of type Account"


def test_an_update_of_either_touches_both_timestamps(api: Api, persons: str) -> None:
    api.sim("clock", {"freeze": True})
    api.sim("clock", {"advance_s": 60})
    api.batch("PATCH", "Account", [{"id": persons, "Rating": "Hot"}])
    first = account(api, persons)["SystemModstamp"]
    assert shadow(api, persons)["SystemModstamp"] == first
    api.sim("clock", {"advance_s": 60})
    api.batch("PATCH", "Contact", [{"id": shadow(api, persons)["Id"], "FirstName": "Mia"}])
    assert account(api, persons)["Name"] == "Mia Own"
    assert account(api, persons)["SystemModstamp"] == shadow(api, persons)["SystemModstamp"] > first


def test_a_person_has_no_name_of_its_own_and_a_company_no_last_name(api: Api, persons: str) -> None:
    wrong = "Account: bad field names on insert/update call: {}"
    answer = api.call("PATCH", f"/sobjects/Account/{persons}", {"Name": "Firm"})
    assert errors(answer) == [("INVALID_FIELD_FOR_INSERT_UPDATE", wrong.format("Name"), ["Name"])]
    answer = api.call("PATCH", f"/sobjects/Account/{ACME}", {"PersonEmail": "a@b.at"})
    assert errors(answer) == [("INVALID_FIELD_FOR_INSERT_UPDATE", wrong.format("PersonEmail"), ["PersonEmail"])]
    assert errors(api.call("POST", "/sobjects/Account", {"Rating": "Hot"})) == [
        ("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"])
    ]
    assert account(api, ACME)["Name"] == "Acme"


def test_the_contact_goes_with_its_account_and_never_alone(api: Api, persons: str) -> None:
    behind = shadow(api, persons)["Id"]
    answer = api.call("DELETE", f"/sobjects/Contact/{behind}")
    assert errors(answer) == [("INVALID_CROSS_REFERENCE_KEY", "cannot reference person contact", [])]
    assert api.call("DELETE", f"/sobjects/Account/{persons}").status_code == 204
    assert api.stored("Contact", behind)["IsDeleted"]
    api.ui_action(do="undelete", id=persons)
    assert not api.stored("Contact", behind)["IsDeleted"]


def test_a_task_about_a_person_belongs_to_the_account(api: Api, persons: str) -> None:
    (made,) = api.batch("POST", "Task", [{"Subject": "Call", "WhoId": shadow(api, persons)["Id"]}])
    assert api.stored("Task", made["id"])["AccountId"] == persons


def test_merged_persons_leave_their_contact_too(api: Api, persons: str) -> None:
    (other,) = api.batch("POST", "Account", [{"LastName": "Own", "FirstName": "P."}])
    gone, kept = shadow(api, other["id"])["Id"], shadow(api, persons)["Id"]
    (task,) = api.batch("POST", "Task", [{"Subject": "Call", "WhoId": gone}])
    api.ui_action(do="merge", survivor=persons, losers=[other["id"]])
    assert api.stored("Contact", gone)["MasterRecordId"] == kept
    assert account(api, other["id"])["MasterRecordId"] == persons
    assert api.stored("Task", task["id"])["WhoId"] == kept
    rejected = {"do": "merge", "survivor": persons, "losers": [GLOBEX]}
    assert requests.post(f"{api.url}/__sim/mutate", json=rejected, timeout=10).status_code == 400


def test_person_accounts_cannot_be_turned_off(api: Api, persons: str) -> None:
    answer = requests.post(f"{api.url}/__sim/config", json={"person_accounts": False}, timeout=10)
    assert answer.status_code == 400
    assert account(api, persons)["IsPersonAccount"]


def test_a_converted_lead_says_what_it_became_and_takes_no_more(api: Api) -> None:
    (lead,) = api.stored("Lead")
    (task,) = api.batch("POST", "Task", [{"Subject": "Call", "WhoId": lead["Id"]}])
    done = api.ui_action(do="convert_lead", id=lead["Id"])
    row = f"SELECT IsConverted, ConvertedAccountId, ConvertedContactId FROM Lead WHERE Email = '{lead['Email']}'"
    assert api.rows(row) == [
        {"IsConverted": True, "ConvertedAccountId": done["account"], "ConvertedContactId": done["contact"]}
    ]
    moved = api.stored("Task", task["id"])
    assert (moved["WhoId"], moved["WhatId"]) == (done["contact"], done["account"])
    rejection: tuple[str, str, list[str]] = ("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", [])
    assert errors(api.call("PATCH", f"/sobjects/Lead/{lead['Id']}", {"Title": "CEO"})) == [rejection]
    assert errors(api.call("PATCH", f"/sobjects/Lead/Email/{lead['Email']}", {"Title": "CEO"})) == [rejection]
    assert errors(api.call("POST", "/sobjects/Task", {"Subject": "s", "WhoId": lead["Id"]})) == [rejection]
    again = requests.post(f"{api.url}/__sim/mutate", json={"do": "convert_lead", "id": lead["Id"]}, timeout=10)
    assert again.status_code == 400


def test_a_lead_without_a_company_becomes_a_person(api: Api, persons: str) -> None:
    (made,) = api.batch("POST", "Lead", [{"LastName": "Solo", "Email": "solo@x.at"}])
    done = api.ui_action(do="convert_lead", id=made["id"])
    kept = account(api, done["account"])
    assert (kept["Name"], kept["PersonEmail"], kept["PersonContactId"]) == ("Solo", "solo@x.at", done["contact"])


@pytest.mark.parametrize("kind", ["Contact", "Lead"])
def test_an_address_finds_people_and_upserts_them(api: Api, kind: str) -> None:
    fields = {one["name"]: one for one in api.call("GET", f"/sobjects/{kind}/describe").json()["fields"]}
    assert (fields["Email"]["idLookup"], fields["Email"]["unique"]) == (True, False)
    (known,) = api.stored(kind)
    answer = api.call("PATCH", f"/sobjects/{kind}/Email/{known['Email'].upper()}", {"Title": "CEO"})
    assert (answer.status_code, answer.json()["id"], answer.json()["created"]) == (200, known["Id"], False)
    twice = [{"LastName": "Two", "Email": known["Email"], "Company": "C"}]
    api.batch("POST", kind, [{k: v for k, v in one.items() if kind == "Lead" or k != "Company"} for one in twice])
    (rejected,) = api.batch("PATCH", kind, [{"Email": known["Email"], "Title": "CFO"}], f"/{kind}/Email")
    assert rejected["errors"][0]["statusCode"] == "DUPLICATE_EXTERNAL_ID"
    assert api.stored(kind, known["Id"])["Title"] == "CEO"


def test_bringing_back_a_record_brings_back_what_went_with_it_and_checks_its_key(api: Api) -> None:
    (contact,) = api.stored("Contact")
    api.ui_action(do="delete", id=ACME)
    assert api.stored("Contact", contact["Id"])["IsDeleted"]
    api.ui_action(do="undelete", id=ACME)
    assert not api.stored("Contact", contact["Id"])["IsDeleted"]
    api.ui_action(do="delete", id=GLOBEX)
    api.batch("POST", "Account", [{"Name": "New", "Sync_Ext__c": "G-1"}])
    rejected = requests.post(f"{api.url}/__sim/mutate", json={"do": "undelete", "id": GLOBEX}, timeout=10)
    assert "DUPLICATE_VALUE" in rejected.json()["error"]
    assert account(api, GLOBEX)["IsDeleted"]


def test_an_archived_task_is_seen_by_query_all_only(api: Api) -> None:
    (made,) = api.batch("POST", "Task", [{"Subject": "old", "Status": "Completed"}])
    api.ui_action(do="archive", id=made["id"])
    assert api.rows("SELECT Id FROM Task") == []
    assert api.rows("SELECT Id, IsArchived FROM Task", every=True) == [{"Id": made["id"], "IsArchived": True}]
