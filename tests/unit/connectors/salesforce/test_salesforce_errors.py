"""What each answer of Salesforce means, checked with answers recorded from real orgs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.base import AccessDenied, QuotaExhausted, Unavailable
from connectors.salesforce import errors
from connectors.salesforce.errors import (
    CALL_CODES,
    RECORD_CODES,
    Forbidden,
    RequestRejected,
    Unanswered,
    failure,
    outcome,
    redact,
)
from tests.conftest import SHARED

RECORDED = SHARED / "crm" / "recorded" / "salesforce.json"


def recorded() -> list[dict[str, Any]]:
    return json.loads(RECORDED.read_text()) if RECORDED.exists() else []


def results() -> list[dict[str, Any]]:
    return [
        item
        for exchange in recorded()
        if isinstance(exchange["response"]["body"], list)
        for item in exchange["response"]["body"]
        if isinstance(item, dict) and "success" in item
    ]


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")
def test_every_recorded_result_has_an_outcome_and_no_code_is_unknown() -> None:
    assert len(results()) >= 15
    for item in results():
        got, consequence = outcome("k", item, {})
        assert got.status == "applied" if item["success"] else got.status in ("rejected", "retry")
        assert (consequence is None) == item["success"]
        if not item["success"]:
            assert item["errors"][0]["statusCode"] in RECORD_CODES
            assert got.code == item["errors"][0]["statusCode"]


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")
def test_every_recorded_refusal_of_a_whole_call_is_classified() -> None:
    seen = 0
    for exchange in recorded():
        body, status = exchange["response"]["body"], exchange["response"]["status"]
        if status >= 400 and isinstance(body, list) and "errorCode" in body[0]:
            error = failure(status, body)
            for_admin = body[0]["errorCode"] == "INVALID_TYPE" or "external ID field" in body[0]["message"]
            assert isinstance(error, Forbidden if for_admin else RequestRejected)
            assert body[0]["errorCode"] in str(error)
            seen += 1
    assert seen >= 7


def test_every_code_has_the_vendors_page_beside_it() -> None:
    lines = (Path(errors.__file__).read_text()).splitlines()
    entries = [line for line in lines if re.match(r'    "[A-Z_]+": "\w+",', line)]
    assert len(entries) == len(RECORD_CODES) + len(CALL_CODES)
    assert [line for line in entries if not re.search(r"# (api|api_rest|api_asynch)[#/]\w+", line)] == []


def test_an_unknown_code_is_permanent_and_shown() -> None:
    with capture_logs() as logged:
        got, _ = outcome("k", error("NEW_IN_WINTER_27", "words"), {})
    assert (got.status, got.code, got.reason) == ("rejected", "NEW_IN_WINTER_27", "words")
    assert [line["code"] for line in logged if line["event"] == "salesforce_code_unknown"] == ["NEW_IN_WINTER_27"]


def error(code: str, message: str = "", *fields: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": list(fields)}]}


@pytest.mark.parametrize(
    ("result", "status", "consequence", "stale"),
    [
        ({"id": "001", "success": True, "errors": []}, "applied", None, False),
        (error("UNABLE_TO_LOCK_ROW"), "retry", "resend", False),
        (error("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: UNABLE_TO_LOCK_ROW, x"), "retry", "resend", False),
        (error("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: bad"), "rejected", "rejected", False),
        (error("RECORD_IN_USE_BY_WORKFLOW"), "retry", "retry", False),
        (error("ENTITY_IS_DELETED", "entity is deleted"), "rejected", "stale", True),
        (error("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"), "rejected", "stale", True),
        (error("INVALID_CROSS_REFERENCE_KEY", "x", "WhatId"), "rejected", "stale", True),
        (error("INVALID_CROSS_REFERENCE_KEY", "x", "OwnerId"), "rejected", "rejected", False),
        (error("SOMETHING_NEW_IN_WINTER_27", "x"), "rejected", "rejected", False),
        ({"success": False, "errors": []}, "rejected", "rejected", False),
        (None, "unknown", None, False),
        ({"weird": 1}, "unknown", None, False),
    ],
)
def test_one_result(result: Any, status: str, consequence: Any, stale: bool) -> None:
    got, todo = outcome("k", result, {"Id": "001", "WhatId": "001", "OwnerId": "005"})
    assert (got.key, got.status, todo, got.stale_record) == ("k", status, consequence, stale)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], AccessDenied),
        (403, [{"errorCode": "API_DISABLED_FOR_ORG", "message": "x"}], Forbidden),
        (403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}], QuotaExhausted),
        (
            403,
            [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentPerOrgLongTxn Limit exceeded."}],
            Unavailable,
        ),
        (420, "", Unavailable),
        (429, "", Unavailable),
        (503, "<html>down</html>", Unavailable),
        (500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "x"}], Unanswered),
        (502, "<html>", Unanswered),
        (504, None, Unanswered),
        (400, [{"errorCode": "JSON_PARSER_ERROR", "message": "x"}], RequestRejected),
        (404, [{"errorCode": "NOT_FOUND", "message": "x"}], RequestRejected),
        (414, "too long", RequestRejected),
        (400, [{"errorCode": "QUERY_TIMEOUT", "message": "Your query request was running for too long."}], Unanswered),
        (400, [{"errorCode": "REQUEST_RUNNING_TOO_LONG", "message": "x"}], Unanswered),
        (400, [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}], Unavailable),
        (400, [{"errorCode": "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "message": "x"}], Unavailable),
        (400, [{"errorCode": "FEATURENOTENABLED", "message": "x"}], Forbidden),
        (300, ["/services/data/v67.0/sobjects/Account/001"], RequestRejected),
    ],
)
def test_a_whole_call_that_failed(status: int, body: Any, kind: type[Exception]) -> None:
    assert type(failure(status, body)) is kind


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (
            "Note: data value too large: Jane has a cold (max length=16)",
            "Note: data value too large: … (max length=16)",
        ),
        ("email_field: invalid email address: badone", "email_field: invalid email address: …"),
        ("Band: bad value for restricted picklist field: Jane", "Band: bad value for restricted picklist field: …"),
        ("Related To ID: id value of incorrect type: Jane", "Related To ID: id value of incorrect type: …"),
        (
            "\nId IN ('jane') AND Nme = 1\n  ^\nERROR at Row:1:Column:43\nNo such column 'Nme' on entity 'Account'.",
            "No such column 'Nme' on entity 'Account'.",
        ),
        ("write to jane@example.com now", "write to … now"),
        ("token 00D5f000000AAAA!AQ0x.y_z is bad", "token … is bad"),
        (
            "Cannot deserialize instance of double from VALUE_STRING value Jane",
            "Cannot deserialize instance of double from VALUE_STRING value …",
        ),
        (
            "duplicate value found: Plgsync_Key__c duplicates value on record with id: 00T000000000001",
            "duplicate value found: Plgsync_Key__c duplicates value on record with id: 00T000000000001",
        ),
    ],
)
def test_words_of_the_crm_without_values(message: str, kept: Any) -> None:
    assert redact(message) == kept


def test_values_that_were_sent_are_taken_out_of_any_words() -> None:
    words = redact("Health of Jane Doe must not be 77 for Jane Doe", {"Name": "Jane Doe", "Score": 77, "Flag": True})
    assert words == "Health of … must not be … for …"


def test_a_reason_is_never_longer_than_a_line_or_three() -> None:
    assert len(redact("x" * 5000)) == 300
