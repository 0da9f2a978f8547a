"""Of everything wrong with one record, Salesforce reports the class of check that comes first."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX

UNKNOWN = {"Nope": 1}
READ_ONLY = {"MasterRecordId": None}
TYPE = {"NumberOfEmployees": "many"}
REFERENCE = {"ParentId": "0035f00000zzzzzAAA"}
RANGE = {"AccountNumber": "x" * 41}
REQUIRED = {"Name": None}
INACTIVE = {"OwnerId": "@bob"}
TAKEN = {"Sync_Ext__c": "G-1"}
RULE = {"Rating": "Cold"}

CLASSES: list[tuple[dict[str, Any], str]] = [
    (UNKNOWN, "INVALID_FIELD"),
    (READ_ONLY, "INVALID_FIELD_FOR_INSERT_UPDATE"),
    (TYPE, "INVALID_FIELD"),
    (REFERENCE, "MALFORMED_ID"),
    (RANGE, "STRING_TOO_LONG"),
    (REQUIRED, "REQUIRED_FIELD_MISSING"),
    (INACTIVE, "INACTIVE_OWNER_OR_USER"),
    (TAKEN, "DUPLICATE_VALUE"),
    (RULE, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
]


@pytest.fixture
def bob(api: Api) -> str:
    """An inactive user, in an org with a validation rule."""
    found = next(one["Id"] for one in api.stored("User") if one["Email"] == "bob@example.com")
    api.ui_action(do="deactivate_user", id=found)
    rule = {"object": "Account", "when": "Rating = 'Cold'", "message": "not cold", "field": "Rating"}
    api.sim("config", {"validation_rules": [rule]})
    return str(found)


@pytest.mark.parametrize("first", range(len(CLASSES)))
@pytest.mark.parametrize("backwards", [False, True])
def test_the_first_failing_class_is_reported_whatever_the_order_of_the_fields(
    api: Api, bob: str, first: int, backwards: bool
) -> None:
    wrong = {name: bob if value == "@bob" else value for given, _ in CLASSES[first:] for name, value in given.items()}
    record = dict(reversed(wrong.items())) if backwards else wrong
    (result,) = api.batch("PATCH", "Account", [{"id": ACME, **record}])
    assert result["errors"][0]["statusCode"] == CLASSES[first][1]
    assert api.stored("Account", ACME)["Name"] == "Acme"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (UNKNOWN, "INVALID_FIELD"),
        (READ_ONLY, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (TYPE, "INVALID_FIELD"),
        (RANGE, "ENTITY_IS_DELETED"),
        (REQUIRED, "ENTITY_IS_DELETED"),
    ],
)
def test_a_deleted_record_is_found_out_after_types_and_before_ranges(
    api: Api, given: dict[str, Any], code: str
) -> None:
    api.ui_action(do="delete", id=CYCO)
    (result,) = api.batch("PATCH", "Account", [{"id": CYCO, **given}])
    assert result["errors"][0]["statusCode"] == code


def test_an_id_that_is_none_is_found_out_at_the_same_point(api: Api) -> None:
    results = api.batch("PATCH", "Account", [{"id": "nobody", **UNKNOWN}, {"id": "nobody", **RANGE}])
    assert [one["errors"][0]["statusCode"] for one in results] == ["INVALID_FIELD", "MALFORMED_ID"]
    (result,) = api.batch("PATCH", "Account", [{"id": "0015f00000zzzzzAAA", **RANGE}])
    assert result["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"


def test_a_parent_that_is_not_found_by_key_waits_for_the_earlier_checks(api: Api) -> None:
    lost = {"Parent": {"Sync_Ext__c": "nobody"}}
    results = api.batch("PATCH", "Account", [{"id": ACME, **lost, **TYPE}, {"id": GLOBEX, **lost, **RANGE}])
    messages = [one["errors"][0]["message"] for one in results]
    assert "Cannot deserialize instance of int from VALUE_STRING value many" in messages[0]
    assert messages[1] == "Foreign key external ID: nobody not found for field Sync_Ext__c in entity Account"


@pytest.mark.parametrize(
    ("value", "token"),
    [(1, "VALUE_NUMBER_INT"), (1.5, "VALUE_NUMBER_FLOAT"), (True, "VALUE_TRUE"), ({}, "START_OBJECT")],
)
def test_a_value_of_the_wrong_type_is_called_what_the_parser_met(api: Api, value: Any, token: str) -> None:
    answer = api.call("POST", "/sobjects/Task", {"Subject": "s", "ActivityDate": value})
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"
    assert f"Cannot deserialize instance of date from {token} value" in answer.json()[0]["message"]
