"""HubSpot's answers are classified by its own pages, and what is told of them holds no value."""

from __future__ import annotations

import pytest
from hubspot_kit import RECORDED, recorded
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot import errors

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
        (477, None, "park"),
        (423, {}, "locked"),
        (502, None, "uncertain"),
        (524, None, "uncertain"),
        (599, None, "uncertain"),
        (522, None, "down"),
        (400, {"category": "VALIDATION_ERROR"}, "answer"),
        (418, None, "answer"),
    ],
)
def test_every_status_has_one_effect(status, body, effect):
    assert errors.effect(status, body) == effect


def test_every_line_names_the_vendors_page():
    pages = [line.page for line in errors.CALLS] + [code.page for code in errors.RECORDS.values()]
    assert all(page.startswith("https://developers.hubspot.com/") for page in pages)


@with_recordings
def test_a_missing_scope_is_named_wherever_it_stands():
    assert errors.missing_scopes(recorded("metadata-err-schemas-scope.json")) == ("custom-object-read",)
    nested = {"errors": [{"context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}]}
    assert errors.missing_scopes(nested) == ("crm.objects.contacts.write",)


@with_recordings
def test_refused_properties_are_told_by_code_and_name():
    verdict = errors.refusal(recorded("batch_update_contacts_err-many-invalid-properties.json"))
    assert verdict.code == "PROPERTY_DOESNT_EXIST"
    assert verdict.reason.count("first000name") == 1
    assert "last000name" in verdict.reason
    assert not verdict.stale


@with_recordings
def test_a_record_that_is_gone_is_stale():
    [error] = recorded("batch_update_contacts_err-partial-success.json")["errors"]
    verdict = errors.refusal(error)
    assert (verdict.code, verdict.status, verdict.stale) == ("OBJECT_NOT_FOUND", "rejected", True)


def test_an_unknown_code_is_rejected_and_shown():
    verdict = errors.refusal({"category": "BRAND_NEW", "message": "no such luck"})
    assert (verdict.code, verdict.status, verdict.reason) == ("BRAND_NEW", "rejected", "BRAND_NEW: no such luck")


def test_a_value_taken_by_another_record_is_told_without_it():
    message = (
        "Cannot set PropertyValueCoordinates{portalId=1, propertyName=x, value=acct-77} on 5. 6 already has that value."
    )
    verdict = errors.refusal({"category": "VALIDATION_ERROR", "message": message})
    assert verdict.code == "UNIQUE_VALUE"
    assert "acct-77" not in verdict.reason


def test_allowed_options_are_told_but_not_the_one_refused():
    detail = (
        '[{"isValid":false,"message":"Secret Band was not one of the allowed options: [a, b]",'
        '"error":"INVALID_OPTION","name":"band"}]'
    )
    verdict = errors.refusal(
        {"category": "VALIDATION_ERROR", "message": f"Property values were not valid: {detail}"}, {"Secret Band"}
    )
    assert verdict.reason == "INVALID_OPTION: band: … was not one of the allowed options: [a, b]"


@given(
    st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=4, max_size=20),
    st.sampled_from(["UNHEARD_OF", "INVALID_INTEGER", "INVALID_OPTION", "VALIDATION_ERROR", "INVALID_LONG"]),
    st.sampled_from(["{} was not a valid number.", "Owner '{}' is odd", "value={}} on A", "say {} to {}"]),
)
def test_no_reason_ever_holds_a_value_that_was_sent(value, code, message):
    told = message.replace("{}", value)
    verdict = errors.refusal({"errors": [{"code": code, "message": told, "context": {"propertyName": ["p"]}}]}, {value})
    assert value not in verdict.reason.replace(code, "").replace(
        errors.RECORDS[code].words if code in errors.RECORDS else "", ""
    )


@pytest.mark.parametrize("text", ["Bearer pat-eu1-abc", "token pat-eu1-0123", "mail to ann.b@acme.example now"])
def test_tokens_and_people_are_taken_out_of_any_message(text):
    told = errors.redact(text, ())
    assert "pat-eu1" not in told
    assert "@" not in told
