"""Custom fields: made by the Tooling API, seen only when granted, described with every key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME


def described(api: Api, kind: str = "Account") -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in api.call("GET", f"/sobjects/{kind}/describe").json()["fields"]}


def test_a_new_field_is_there_but_unseen_until_it_is_granted(api: Api) -> None:
    made = api.make_field("Account.Health_Score__c", grant=False, type="Number", precision=3, scale=0)
    assert (made.status_code, set(made.json())) == (201, {"id", "success", "errors", "warnings", "infos"})
    assert "Health_Score__c" not in described(api)
    (hidden,) = api.batch("PATCH", "Account", [{"id": ACME, "Health_Score__c": 5}])
    assert hidden["errors"][0]["message"] == "No such column 'Health_Score__c' on sobject of type Account"
    assert api.query("SELECT Health_Score__c FROM Account").json()[0]["errorCode"] == "INVALID_FIELD"
    assert api.grant("Account.Health_Score__c")[0]["success"]
    (written,) = api.batch("PATCH", "Account", [{"id": ACME, "Health_Score__c": 5}])
    assert written["success"]
    assert api.stored("Account", ACME)["Health_Score__c"] == 5.0
    assert api.rows(f"SELECT Health_Score__c FROM Account WHERE Id = '{ACME}'") == [{"Health_Score__c": 5.0}]


def test_read_access_alone_does_not_let_write(api: Api) -> None:
    api.make_field("Account.Band__c", grant=False, type="Text", length=16)
    api.grant("Account.Band__c", edit=False)
    field = described(api)["Band__c"]
    assert (field["createable"], field["updateable"]) == (False, False)
    (rejected,) = api.batch("PATCH", "Account", [{"id": ACME, "Band__c": "green"}])
    assert rejected["errors"][0]["statusCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_a_permission_set_of_ones_own_grants_too(api: Api) -> None:
    api.make_field("Account.Band__c", grant=False, type="Text", length=16)
    (made,) = api.batch("POST", "PermissionSet", [{"Name": "Plgsync", "Label": "Plgsync"}])
    grant = {"ParentId": made["id"], "SobjectType": "Account", "Field": "Account.Band__c"}
    (granted,) = api.batch("POST", "FieldPermissions", [{**grant, "PermissionsRead": True, "PermissionsEdit": True}])
    assert granted["success"]
    assert "Band__c" not in described(api)
    user = api.sim("state?object=User")["staff"]["integration"]
    assignment = {"PermissionSetId": made["id"], "AssigneeId": user}
    assert api.batch("POST", "PermissionSetAssignment", [assignment])[0]["success"]
    assert "Band__c" in described(api)
    (again,) = api.batch("POST", "PermissionSetAssignment", [assignment])
    assert again["errors"][0]["statusCode"] == "DUPLICATE_VALUE"


def test_a_grant_for_a_field_that_is_not_there_is_rejected(api: Api) -> None:
    (rejected,) = api.grant("Account.Nothing__c")
    assert rejected["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert api.stored("FieldPermissions") == []


def test_a_field_of_activity_appears_on_task_and_event(api: Api) -> None:
    rejected = api.make_field("Task.Key__c", grant=False, type="Text", length=64)
    assert rejected.json()[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    api.make_field("Activity.Key__c", type="Text", length=64, unique=True, externalId=True)
    key = described(api, "Task")["Key__c"]
    assert (key["unique"], key["externalId"], key["idLookup"], key["length"]) == (True, True, True, 64)
    assert "Key__c" not in described(api, "Event")
    (made,) = api.batch("PATCH", "Task", [{"Key__c": "k", "Subject": "s"}], "/Task/Key__c")
    assert made["created"]


def test_a_field_that_becomes_a_key_finds_records_that_had_it_before(api: Api) -> None:
    api.make_field("Account.Code__c", type="Text", length=20)
    api.batch("PATCH", "Account", [{"id": ACME, "Code__c": "a-1"}])
    (record,) = api.call(
        "GET",
        "/tooling/query",
        params={"q": "SELECT Id, DeveloperName FROM CustomField WHERE TableEnumOrId = 'Account'"},
    ).json()["records"]
    metadata = {"label": "Code", "type": "Text", "length": 20, "unique": True, "externalId": True}
    changed = api.call("PATCH", f"/tooling/sobjects/CustomField/{record['Id']}", {"Metadata": metadata})
    assert changed.status_code == 204
    (upserted,) = api.batch("PATCH", "Account", [{"Code__c": "A-1", "Name": "Same"}], "/Account/Code__c")
    assert (upserted["id"], upserted["created"]) == (ACME, False)


@pytest.mark.parametrize(
    ("full_name", "metadata", "code"),
    [
        ("Account.Score", {"type": "Text", "length": 5}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Account.Score__c", {"type": "Text"}, "REQUIRED_FIELD_MISSING"),
        ("Account.Score__c", {"type": "Text", "length": 256}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Account.Score__c", {"type": "Number", "precision": 3}, "REQUIRED_FIELD_MISSING"),
        ("Account.Score__c", {"type": "Magic"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Account.Score__c", {"type": "Checkbox"}, "REQUIRED_FIELD_MISSING"),
        ("Account.Score__c", {"type": "Picklist"}, "REQUIRED_FIELD_MISSING"),
        ("Account.Score__c", {"type": "Text", "length": 5, "label": ""}, "REQUIRED_FIELD_MISSING"),
        ("Nothing.Score__c", {"type": "Text", "length": 5}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Account.Sync_Ext__c", {"type": "Text", "length": 5}, "DUPLICATE_DEVELOPER_NAME"),
    ],
)
def test_a_field_that_cannot_be_made_is_rejected(api: Api, full_name: str, metadata: dict[str, Any], code: str) -> None:
    answer = api.make_field(full_name, grant=False, **metadata)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert api.stored("CustomField") == []


def test_every_kind_of_field_holds_its_values(api: Api) -> None:
    values = {"valueSetDefinition": {"value": [{"fullName": "a", "label": "a"}, {"fullName": "b", "label": "b"}]}}
    kinds: dict[str, tuple[dict[str, Any], Any, Any]] = {
        "Flag": ({"type": "Checkbox", "defaultValue": "false"}, True, True),
        "Day": ({"type": "Date"}, "2026-01-02", "2026-01-02"),
        "At": ({"type": "DateTime"}, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000+0000"),
        "Ratio": ({"type": "Number", "precision": 5, "scale": 2}, 1.005, 1.01),
        "Kind": ({"type": "Picklist", "valueSet": {"restricted": True, **values}}, "A", "a"),
        "Many": ({"type": "MultiselectPicklist", "valueSet": values}, "a;b", "a;b"),
        "Long": ({"type": "LongTextArea", "length": 5000, "visibleLines": 3}, "x" * 4000, "x" * 4000),
        "Mail": ({"type": "Email"}, "a@b.co", "a@b.co"),
    }
    for name, (metadata, _, _) in kinds.items():
        api.make_field(f"Account.{name}__c", **metadata)
    sent = {f"{name}__c": given for name, (_, given, _) in kinds.items()}
    assert api.batch("PATCH", "Account", [{"id": ACME, **sent}])[0]["success"]
    stored = api.stored("Account", ACME)
    assert {name: stored[f"{name}__c"] for name in kinds} == {name: kept for name, (_, _, kept) in kinds.items()}
    (rejected,) = api.batch("PATCH", "Account", [{"id": ACME, "Kind__c": "c"}])
    assert rejected["errors"][0] == {
        "statusCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "message": "Kind: bad value for restricted picklist field: c",
        "fields": ["Kind__c"],
    }


def test_a_deleted_field_is_gone_with_its_values(api: Api) -> None:
    made = api.make_field("Account.Band__c", type="Text", length=16).json()
    api.batch("PATCH", "Account", [{"id": ACME, "Band__c": "green"}])
    assert api.call("DELETE", f"/tooling/sobjects/CustomField/{made['id']}").status_code == 204
    assert "Band__c" not in described(api)
    assert "Band__c" not in api.stored("Account", ACME)


def test_a_describe_is_sent_again_only_after_a_change(api: Api) -> None:
    first = api.call("GET", "/sobjects/Account/describe")
    by_date = {"If-Modified-Since": first.headers["Last-Modified"]}
    by_tag = {"If-None-Match": first.headers["ETag"]}
    for headers in (by_date, by_tag):
        again = api.call("GET", "/sobjects/Account/describe", headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["Sforce-Limit-Info"]
    api.make_field("Account.Band__c", type="Text", length=16)
    for headers in (by_date, by_tag):
        assert api.call("GET", "/sobjects/Account/describe", headers=headers).status_code == 200


def test_the_list_of_objects_names_what_can_be_described(api: Api) -> None:
    listed = api.call("GET", "/sobjects").json()["sobjects"]
    names = [one["name"] for one in listed]
    assert {"Account", "Contact", "Lead", "Opportunity", "Task", "User"} <= set(names)
    assert "CustomField" not in names
    for one in listed:
        assert api.call("GET", one["urls"]["describe"]).json()["keyPrefix"] == one["keyPrefix"]


def test_fields_the_org_works_out_are_right(api: Api) -> None:
    (deal,) = api.stored("Opportunity")
    assert (deal["IsClosed"], deal["IsWon"]) == (False, False)
    api.ui_action(do="win_deal", id=deal["Id"])
    won = api.stored("Opportunity", deal["Id"])
    assert (won["IsClosed"], won["IsWon"]) == (True, True)
    (task,) = api.batch("POST", "Task", [{"Subject": "s", "WhatId": deal["Id"], "ActivityDate": "2026-12-24"}])
    api.call("PATCH", f"/sobjects/Task/{task['id']}", {"Status": "Completed", "Priority": "High"})
    done = api.stored("Task", task["id"])
    assert (done["IsClosed"], done["AccountId"], done["IsHighPriority"]) == (True, ACME, True)
    assert done["CompletedDateTime"]
    assert api.stored("Account", ACME)["LastActivityDate"] == "2026-12-24"
    api.call("PATCH", f"/sobjects/Task/{task['id']}", {"Status": "In Progress"})
    assert api.stored("Task", task["id"])["CompletedDateTime"] is None
