"""No request, however silly, makes the sandbox answer 500 or close the connection."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, GLOBEX

FINITE = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(max_size=8) | st.sampled_from([ACME, GLOBEX])
SCALARS = st.none() | st.booleans() | st.integers() | FINITE | WORDS
NAMES = st.sampled_from(
    [
        *("attributes", "type", "id", "Id", "Name", "OwnerId", "WhatId", "Sync_Ext__c", "Account", "Website", "Status"),
        *("NumberOfEmployees", "ActivityDate", "records", "allOrNone", "compositeRequest", "url", "method", "body"),
        *("referenceId", "FullName", "Metadata", "label", "length", "valueSet", "object", "operation", "state"),
        *("externalIdFieldName", "httpHeaders", "valueSetDefinition", "value", "CloseDate", "Rating"),
        *(
            "ids",
            "fields",
            "batchRequests",
            "richInput",
            "Contacts",
            "query",
            "LastName",
            "PersonEmail",
            "IsPersonAccount",
        ),
    ]
)
JSON = st.recursive(
    SCALARS | st.sampled_from(["Account", "Task", "Text", "update", "GET", "/services/data/v67.0/sobjects/Account"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
PATHS = st.sampled_from(
    [
        "/composite/sobjects",
        "/composite/sobjects/Account/Sync_Ext__c",
        "/composite/sobjects/Account/Id",
        "/composite",
        "/sobjects/Account",
        f"/sobjects/Account/{ACME}",
        "/sobjects/Account/Sync_Ext__c/G-1",
        "/sobjects/FieldPermissions",
        "/sobjects/PermissionSetAssignment",
        "/tooling/sobjects/CustomField",
        "/jobs/ingest",
        "/jobs/query",
        "/composite/sobjects/Account",
        "/sobjects/Account/deleted",
        "/composite/batch",
        "/composite/tree/Account",
        "/query",
        "/limits",
    ]
)
RECORDS = st.fixed_dictionaries(
    {
        "records": st.lists(
            st.dictionaries(NAMES, JSON, max_size=4).map(lambda one: {"attributes": {"type": "Account"}, **one})
        )
    }
)


@pytest.fixture(params=[False, True], ids=["companies", "persons too"])
def org(api: Api, request: pytest.FixtureRequest) -> Api:
    """An org without and with person accounts."""
    if request.param:
        api.sim("config", {"person_accounts": True})
    return api


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE"]), PATHS, JSON | RECORDS)
def test_any_body_is_answered_properly(org: Api, method: str, path: str, body: Any) -> None:
    answer = org.call(method, path, body)
    assert answer.status_code < 500, answer.text
    assert answer.status_code == 204 or answer.content == b"" or answer.json() is not None
