"""Batches of records: one result per record in order, rejected records cost their neighbours nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX

ROLLED_BACK = "ALL_OR_NONE_OPERATION_ROLLED_BACK"


def codes(results: list[dict[str, Any]]) -> list[Any]:
    return [one["success"] or one["errors"][0]["statusCode"] for one in results]


def test_an_update_answers_each_record_in_order_and_keeps_the_good_ones(api: Api) -> None:
    results = api.batch(
        "PATCH",
        "Account",
        [{"id": ACME, "Rating": "Hot"}, {"id": GLOBEX, "Nope__c": 1}, {"id": CYCO[:15], "Rating": "Cold"}],
    )
    assert results[0] == {"id": ACME, "success": True, "errors": []}
    message = "No such column 'Nope__c' on sobject of type Account"
    assert results[1] == {
        "success": False,
        "errors": [{"statusCode": "INVALID_FIELD", "message": message, "fields": []}],
    }
    assert results[2]["id"] == CYCO
    assert [one.get("Rating") for one in api.stored("Account")] == ["Hot", None, "Cold"]


def test_the_same_record_twice_in_one_call_fails_each_copy(api: Api) -> None:
    results = api.batch("PATCH", "Account", [{"id": ACME, "Rating": "Hot"}, {"id": ACME[:15], "Rating": "Cold"}])
    assert codes(results) == ["DUPLICATE_VALUE", "DUPLICATE_VALUE"]
    assert "Rating" not in api.stored("Account", ACME)


def test_two_hundred_records_are_changed_in_one_call(api: Api) -> None:
    made = api.batch("POST", "Account", [{"Name": f"A{n}"} for n in range(200)])
    changed = api.batch("PATCH", "Account", [{"id": one["id"], "Site": "x"} for one in made])
    assert all(one["success"] for one in changed)
    assert sum(one.get("Site") == "x" for one in api.stored("Account")) == 200
    entry = api.sim("log")["entries"][-1]
    assert (entry["records"], entry["notes"]) == (200, {"failed": 0})


def test_more_than_two_hundred_records_are_rejected_whole(api: Api) -> None:
    answer = api.batch("POST", "Account", [{"Name": "x"}] * 201)
    assert answer == [
        {
            "message": "record limit reached. cannot submit more than 200 records into this call",
            "errorCode": "EXCEEDED_ID_LIMIT",
        }
    ]
    assert len(api.stored("Account")) == 3


def test_an_unknown_column_is_reported_before_anything_else_about_the_record(api: Api) -> None:
    (result,) = api.batch("PATCH", "Account", [{"id": ACME, "Name": None, "NumberOfEmployees": "many", "X__c": 1}])
    assert result["errors"][0]["message"] == "No such column 'X__c' on sobject of type Account"


@pytest.mark.parametrize(
    ("values", "code", "message", "fields"),
    [
        (
            {"IsDeleted": True, "Name": None},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            (
                "Unable to create/update fields: IsDeleted. Please check the security settings of this field and "
                "verify that it is read/write for your profile or permission set."
            ),
            ["IsDeleted"],
        ),
        ({"ParentId": GLOBEX[:-1] + "X"}, "MALFORMED_ID", None, ["ParentId"]),
        (
            {"OwnerId": ACME},
            "MALFORMED_ID",
            f"Owner ID: id value of incorrect type: {ACME}",
            ["OwnerId"],
        ),
        ({"ParentId": "0015f00000zzzzzAAA"}, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []),
        (
            {"Site": "s" * 81},
            "STRING_TOO_LONG",
            f"Account Site: data value too large: {'s' * 81} (max length=80)",
            ["Site"],
        ),
        (
            {"NumberOfEmployees": 10**9},
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Employees: value outside of valid range on numeric field: 1000000000",
            ["NumberOfEmployees"],
        ),
        ({"Name": None}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"]),
        ({"Name": ""}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"]),
        ({"AnnualRevenue": "lots"}, "INVALID_FIELD", None, ["AnnualRevenue"]),
    ],
)
def test_a_rejected_record_says_why_in_salesforces_words_and_stays_as_it_was(
    api: Api, values: dict[str, Any], code: str, message: str | None, fields: list[str]
) -> None:
    before = api.stored("Account", ACME)
    (result,) = api.batch("PATCH", "Account", [{"id": ACME, **values}])
    (error,) = result["errors"]
    assert (error["statusCode"], error["fields"]) == (code, fields)
    assert message is None or error["message"] == message
    assert api.stored("Account", ACME) == before


def test_an_update_without_an_id_and_of_a_deleted_record(api: Api) -> None:
    api.ui_action(do="delete", id=GLOBEX)
    results = api.batch(
        "PATCH", "Account", [{"Name": "x"}, {"id": GLOBEX, "Name": "x"}, {"id": "nonsense", "Name": "x"}]
    )
    errors = [one["errors"][0] for one in results]
    assert errors[0]["message"] == "Id not specified in an update call"
    assert (errors[1]["statusCode"], errors[1]["message"]) == ("ENTITY_IS_DELETED", "entity is deleted")
    assert [one["statusCode"] for one in errors] == ["MISSING_ARGUMENT", "ENTITY_IS_DELETED", "MALFORMED_ID"]


def test_all_or_none_takes_everything_back(api: Api) -> None:
    results = api.batch(
        "PATCH", "Account", [{"id": ACME, "Rating": "Hot"}, {"id": GLOBEX, "Name": None}], allOrNone=True
    )
    assert codes(results) == [ROLLED_BACK, "REQUIRED_FIELD_MISSING"]
    assert results[0]["errors"][0]["fields"] == []
    assert "Rating" not in api.stored("Account", ACME)


def test_upsert_creates_once_and_then_updates(api: Api) -> None:
    task = {"Sync_Key__c": "k1", "Subject": "Call", "WhatId": ACME}
    (first,) = api.batch("PATCH", "Task", [task], "/Task/Sync_Key__c")
    (second,) = api.batch("PATCH", "Task", [{**task, "Subject": "Again"}], "/Task/Sync_Key__c")
    assert (first["created"], second["created"]) == (True, False)
    assert first["id"] == second["id"]
    (stored,) = api.stored("Task")
    assert (stored["Subject"], stored["AccountId"], stored["Status"]) == ("Again", ACME, "Not Started")


def test_the_same_key_twice_in_one_call_fails_every_copy_whatever_its_case(api: Api) -> None:
    records = [{"Sync_Key__c": key, "Subject": "s"} for key in ("k1", "K1", "k2")]
    results = api.batch("PATCH", "Task", records, "/Task/Sync_Key__c")
    assert codes(results) == ["DUPLICATE_VALUE", "DUPLICATE_VALUE", True]
    assert results[0]["errors"][0]["message"] == "Duplicate external id specified: k1"
    assert [one["Sync_Key__c"] for one in api.stored("Task")] == ["k2"]


def test_a_key_found_twice_is_rejected_with_the_ids(api: Api) -> None:
    api.batch("POST", "Contact", [{"LastName": "One", "Email": "x@y.com"}, {"LastName": "Two", "Email": "x@y.com"}])
    (result,) = api.batch("PATCH", "Contact", [{"Email": "x@y.com", "LastName": "Z"}], "/Contact/Email")
    ids = [one["Id"] for one in api.stored("Contact") if one.get("Email") == "x@y.com"]
    assert result["errors"][0]["statusCode"] == "DUPLICATE_EXTERNAL_ID"
    assert all(record_id in result["errors"][0]["message"] for record_id in ids)


def test_a_value_of_a_unique_field_is_rejected_a_second_time(api: Api) -> None:
    results = api.batch(
        "POST", "Account", [{"Name": "Other", "Sync_Ext__c": "g-1"}, {"Name": "New", "Sync_Ext__c": "n"}]
    )
    assert codes(results) == ["DUPLICATE_VALUE", True]
    assert results[0]["errors"][0]["message"] == (
        f"duplicate value found: Sync_Ext__c duplicates value on record with id: {GLOBEX[:15]}"
    )
    api.ui_action(do="delete", id=GLOBEX)
    assert codes(api.batch("POST", "Account", [{"Name": "Other", "Sync_Ext__c": "G-1"}])) == [True]


def test_upsert_by_a_field_that_is_no_key_is_not_found(api: Api) -> None:
    answer = api.call("PATCH", "/composite/sobjects/Account/Namez", {"records": [{"attributes": {"type": "Account"}}]})
    assert answer.status_code == 404
    assert answer.json() == [
        {
            "message": "Provided external ID field does not exist or is not accessible: Namez",
            "errorCode": "NOT_FOUND",
        }
    ]


def test_upsert_takes_one_object_for_the_whole_call(api: Api) -> None:
    body = [{"attributes": {"type": "Contact"}, "Sync_Ext__c": "a"}]
    (result,) = api.call("PATCH", "/composite/sobjects/Account/Sync_Ext__c", {"records": body}).json()
    assert result["errors"][0]["statusCode"] == "INVALID_FIELD"


def test_types_may_be_mixed_in_at_most_ten_runs(api: Api) -> None:
    def mixed(count: int) -> dict[str, Any]:
        kinds = ["Account" if n % 2 else "Contact" for n in range(count)]
        named = {"Account": "Name", "Contact": "LastName"}
        return {"records": [{"attributes": {"type": kind}, named[kind]: "x"} for kind in kinds]}

    assert all(one["success"] for one in api.call("POST", "/composite/sobjects", mixed(10)).json())
    rejected = api.call("POST", "/composite/sobjects", mixed(11))
    assert (rejected.status_code, rejected.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")


def test_delete_answers_per_id_and_takes_what_hangs_on_an_account(api: Api) -> None:
    url = f"/composite/sobjects?ids={ACME},{ACME},0015f00000zzzzzAAA&allOrNone=false"
    results = api.call("DELETE", url).json()
    assert codes(results) == [True, "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"]
    assert api.stored("Account", ACME)["IsDeleted"]
    assert all(one["IsDeleted"] for one in api.stored("Opportunity"))
    assert api.call("DELETE", "/composite/sobjects?ids=").json()[0]["message"] == "At least 1 Id is required."


def test_inactive_owners_and_converted_leads_are_rejected(api: Api) -> None:
    users = {one["Email"]: one["Id"] for one in api.stored("User")}
    bob = users["bob@example.com"]
    api.ui_action(do="deactivate_user", id=bob)
    (owner,) = api.batch("POST", "Task", [{"Subject": "s", "OwnerId": bob}])
    assert owner["errors"][0] == {
        "statusCode": "INACTIVE_OWNER_OR_USER",
        "message": f"operation performed with inactive user [{bob}] as owner of task",
        "fields": [],
    }
    # An inactive owner who stays owner is no obstacle to other changes.
    assert codes(api.batch("PATCH", "Account", [{"id": GLOBEX, "Rating": "Hot"}])) == [True]
    (lead,) = api.stored("Lead")
    api.ui_action(do="convert_lead", id=lead["Id"])
    (rejected,) = api.batch("PATCH", "Lead", [{"id": lead["Id"], "Company": "X"}])
    assert rejected["errors"][0] == {
        "statusCode": "CANNOT_UPDATE_CONVERTED_LEAD",
        "message": "cannot reference converted lead",
        "fields": [],
    }
    assert api.stored("Task") == []


def test_numbers_are_rounded_and_dates_and_moments_stored_in_their_canonical_form(api: Api) -> None:
    (deal,) = api.stored("Opportunity")
    values = {"id": deal["Id"], "Amount": "12.345", "CloseDate": "2027-01-31T23:30:00+02:00", "Probability": 7.5}
    assert codes(api.batch("PATCH", "Opportunity", [values])) == [True]
    stored = api.stored("Opportunity", deal["Id"])
    assert (stored["Amount"], stored["CloseDate"], stored["Probability"]) == (12.35, "2027-01-31", 8.0)
    (task,) = api.batch("POST", "Task", [{"Subject": "s", "ReminderDateTime": "2026-01-02T03:04:05+01:00"}])
    assert api.stored("Task", task["id"])["ReminderDateTime"] == "2026-01-02T02:04:05.000+0000"


def test_a_record_may_name_its_parent_by_external_id(api: Api) -> None:
    results = api.batch(
        "POST",
        "Contact",
        [
            {"LastName": "A", "Account": {"Sync_Ext__c": "G-1"}},
            {"LastName": "B", "Account": {"Sync_Ext__c": "nobody"}},
        ],
    )
    assert codes(results) == [True, "INVALID_FIELD"]
    assert "Foreign key external ID: nobody not found" in results[1]["errors"][0]["message"]
    assert api.stored("Contact", results[0]["id"])["AccountId"] == GLOBEX


def test_duplicate_and_validation_rules_are_obeyed(api: Api) -> None:
    api.sim("config", {"duplicate_rules": [{"object": "Account", "fields": ["Website"], "name": "Same site"}]})
    rule = {"object": "Account", "when": "NumberOfEmployees > 100", "message": "Too big", "field": "NumberOfEmployees"}
    api.sim("config", {"validation_rules": [rule]})
    twin = {"Name": "Twin", "Website": "https://acme.com"}
    results = api.batch("POST", "Account", [twin, {"Name": "Big", "NumberOfEmployees": 101}])
    assert codes(results) == ["DUPLICATES_DETECTED", "FIELD_CUSTOM_VALIDATION_EXCEPTION"]
    assert results[0]["errors"][0]["message"] == "Use one of these records?"
    assert (results[1]["errors"][0]["message"], results[1]["errors"][0]["fields"]) == ("Too big", ["NumberOfEmployees"])
    single = api.call("POST", "/sobjects/Account", twin)
    block = single.json()[0]["duplicateResut"]
    assert single.status_code == 400
    assert block["matchResults"][0]["matchRecords"][0]["record"]["Id"] == ACME
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert api.call("POST", "/sobjects/Account", twin, headers=allowed).status_code == 201
