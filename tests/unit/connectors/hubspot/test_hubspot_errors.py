"""HubSpot's answers are classified by its own pages, and their reasons hold no value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot import errors
from tests.unit.connectors.hubspot.scripted import RECORDED, recorded

with_recordings = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")


@pytest.mark.parametrize(
    ("status", "body", "effect"),
    [
        (401, {"category": "EXPIRED_AUTHENTICATION"}, "token"),
        (403, {"category": "MISSING_SCOPES"}, "denied"),
        (429, {"policyName": "DAILY", "message": "You have reached your daily limit."}, "quota"),
        (429, {"policyName": "TEN_SECONDLY_ROLLING", "errorType": "RATE_LIMIT"}, "too_fast"),
        (429, {"message": "You have reached your secondly limit.", "category": "RATE_LIMITS"}, "too_fast"),
        (429, None, "too_fast"),
        (477, None, "migrating"),
        (423, {}, "locked"),
        (502, None, "uncertain"),
        (524, None, "uncertain"),
        (599, None, "uncertain"),
        (522, None, "down"),
        (400, {"category": "VALIDATION_ERROR"}, "answer"),
        (525, None, "down"),
        (526, None, "down"),
        (500, None, "uncertain"),
        (503, None, "uncertain"),
        (504, None, "uncertain"),
        (521, None, "uncertain"),
        (523, None, "uncertain"),
        (404, None, "answer"),
        (409, {"category": "CONFLICT"}, "answer"),
        (414, None, "answer"),
        (418, None, "wrong_address"),
        (302, None, "wrong_address"),
        (405, None, "wrong_address"),
        (408, None, "uncertain"),
        (413, None, "answer"),
    ],
)
def test_every_status_has_one_effect(status: int, body: Any, effect: Any) -> None:
    assert errors.effect(status, body) == effect


def test_every_line_names_the_vendors_page() -> None:
    pages = [line.page for line in errors.CALLS] + [code.page for code in errors.RECORDS.values()]
    pages += [page for _, page in errors.LOGINS.values()]
    assert all(page.startswith("https://developers.hubspot.com/") for page in pages)


@with_recordings
def test_a_missing_scope_is_named_wherever_it_stands() -> None:
    assert errors.missing_scopes(recorded("metadata-err-schemas-scope.json")) == ("custom-object-read",)
    nested = {"errors": [{"context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}]}
    assert errors.missing_scopes(nested) == ("crm.objects.contacts.write",)


@with_recordings
def test_refused_properties_are_reported_by_code_and_name() -> None:
    verdict = errors.rejection(recorded("batch_update_contacts_err-many-invalid-properties.json"))
    assert verdict.code == "PROPERTY_DOESNT_EXIST"
    assert verdict.reason.count("first000name") == 1
    assert "last000name" in verdict.reason
    assert not verdict.stale


@with_recordings
def test_a_record_that_is_gone_is_stale() -> None:
    [error] = recorded("batch_update_contacts_err-partial-success.json")["errors"]
    verdict = errors.rejection(error)
    assert (verdict.code, verdict.status, verdict.stale) == ("OBJECT_NOT_FOUND", "rejected", True)


def test_an_unknown_code_is_rejected_and_shown() -> None:
    verdict = errors.rejection({"category": "BRAND_NEW", "message": "no such luck"})
    assert (verdict.code, verdict.status, verdict.reason) == ("BRAND_NEW", "rejected", "BRAND_NEW: no such luck")
    assert not verdict.known


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"errors": [{"code": name, "message": "m", "context": {"propertyName": ["p"]}}]}, name, "rejected")
        for name in (
            "PROPERTY_DOESNT_EXIST",
            "READ_ONLY_VALUE",
            "INVALID_OPTION",
            "INVALID_INTEGER",
            "INVALID_LONG",
            "INVALID_DATE",
            "INVALID_EMAIL",
            "INVALID_STRING_LENGTH",
            "INVALID_OWNER_ID",
            "INVALID_BOOLEAN_OPTION",
        )
    ]
    + [
        ({"message": "Duplicate IDs found in batch input: [1]. IDs must be unique"}, "DUPLICATE_IDS", "rejected"),
        ({"message": "Unable to perform update/upsert by non-unique 0-2 property domain"}, "NOT_UNIQUE", "rejected"),
        ({"message": "The maximum number of inputs supported in a batch is 100"}, "TOO_MANY_INPUTS", "rejected"),
        ({"message": "Unable to infer object type from: butterflies"}, "UNKNOWN_OBJECT", "rejected"),
        ({"message": "Invalid input JSON on line 1, column 7"}, "INVALID_JSON", "rejected"),
        ({"message": "Cannot set X on 1. 2 already has that value."}, "UNIQUE_VALUE", "rejected"),
        ({"category": "OBJECT_NOT_FOUND", "message": "gone"}, "OBJECT_NOT_FOUND", "rejected"),
        ({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 12"}, "CONFLICT", "rejected"),
        ({"category": "OBJECT_ALREADY_EXISTS", "message": "A property"}, "OBJECT_ALREADY_EXISTS", "rejected"),
        ({"category": "MISSING_SCOPES", "message": "scopes"}, "MISSING_SCOPES", "rejected"),
        ({"category": "VALIDATION_ERROR", "message": "something else"}, "VALIDATION_ERROR", "rejected"),
        ({"category": "RATE_LIMITS", "message": "secondly"}, "RATE_LIMITS", "retry"),
        ({"category": "INTERNAL_ERROR", "message": "oops"}, "INTERNAL_ERROR", "retry"),
        ({"category": "LOCKED", "message": "locked"}, "LOCKED", "retry"),
    ],
)
def test_every_code_of_the_vendors_pages_is_known(body: Any, code: str, status: str) -> None:
    verdict = errors.rejection(body)
    assert (verdict.code, verdict.status, verdict.known) == (code, status, True)


def test_what_is_missing_is_named() -> None:
    body = {"message": "Error creating TASK. Some required properties were not set.", "category": "VALIDATION_ERROR"}
    verdict = errors.rejection(body | {"context": {"properties": ["hs_timestamp"]}})
    assert verdict.reason == "REQUIRED_PROPERTIES: required properties were not set: hs_timestamp"


def test_the_record_that_has_the_value_is_named() -> None:
    verdict = errors.rejection({"message": "Cannot set X{value=acct-7} on 5. 612 already has that value."})
    assert verdict.reason == "UNIQUE_VALUE: another record already has that value (record 612)"


def test_the_beginning_of_a_long_text_is_not_shown_either() -> None:
    sent = {"Call Ann about her seats, she is unhappy"}
    verdict = errors.rejection({"category": "BRAND_NEW", "message": "'Call Ann about her se' is odd"}, sent)
    assert "Ann" not in verdict.reason


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("BAD_REFRESH_TOKEN", "install the app again"),
        ("BAD_CLIENT_ID", "Auth page"),
        ("BAD_CLIENT_SECRET", "Auth page"),
        ("BAD_GRANT_TYPE", "sign in"),
        ("BRAND_NEW", "install the app again"),
    ],
)
def test_a_refused_login_says_what_an_admin_does(code: str, says: str) -> None:
    assert says in errors.login_advice({"status": code, "message": "refused: hush-123"})
    assert "hush" not in errors.login_advice({"status": code, "message": "refused: hush-123"})


def test_a_value_taken_by_another_record_is_reported_without_it() -> None:
    message = (
        "Cannot set PropertyValueCoordinates{portalId=1, propertyName=x, value=acct-77} on 5. 6 already has that value."
    )
    verdict = errors.rejection({"category": "VALIDATION_ERROR", "message": message})
    assert verdict.code == "UNIQUE_VALUE"
    assert "acct-77" not in verdict.reason


def test_allowed_options_are_reported_but_not_the_one_refused() -> None:
    detail = (
        '[{"isValid":false,"message":"Secret Band was not one of the allowed options: [a, b]",'
        '"error":"INVALID_OPTION","name":"band"}]'
    )
    verdict = errors.rejection(
        {"category": "VALIDATION_ERROR", "message": f"Property values were not valid: {detail}"}, {"Secret Band"}
    )
    assert verdict.reason == "INVALID_OPTION: band: … was not one of the allowed options: [a, b]"


@given(
    st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=4, max_size=20),
    st.sampled_from(["UNHEARD_OF", "INVALID_INTEGER", "INVALID_OPTION", "VALIDATION_ERROR", "INVALID_LONG"]),
    st.sampled_from(["{} was not a valid number.", "Owner '{}' is odd", "value={}} on A", "say {} to {}"]),
)
def test_no_reason_ever_holds_a_value_that_was_sent(value: Any, code: str, message: str) -> None:
    told = message.replace("{}", value)
    verdict = errors.rejection(
        {"errors": [{"code": code, "message": told, "context": {"propertyName": ["p"]}}]}, {value}
    )
    assert value not in verdict.reason.replace(code, "").replace(
        errors.RECORDS[code].words if code in errors.RECORDS else "", ""
    )


@pytest.mark.parametrize("text", ["Bearer pat-eu1-abc", "token pat-eu1-0123", "mail to ann.b@acme.example now"])
def test_tokens_and_people_are_taken_out_of_any_message(text: str) -> None:
    told = errors.redact(text, ())
    assert "pat-eu1" not in told
    assert "@" not in told
