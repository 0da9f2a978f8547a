"""Whatever is sent, the answer is one HubSpot could give: never a crash, never a write that was not asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.contract.sandbox_hubspot.client import Portal

WORDS = ["id", "inputs", "properties", "name", "idProperty", "from", "to", "types", "filterGroups", "filters"]
WORDS += [
    "propertyName",
    "operator",
    "value",
    "values",
    "sorts",
    "limit",
    "after",
    "objectWriteTraceId",
    "associations",
]
WORDS += ["associationTypeId", "options", "label", "type", "fieldType", "groupName", "query", "IN", "EQ", "number"]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = "/crm/v3/objects/companies"
PATHS = [
    ("POST", OBJECTS),
    ("PATCH", f"{OBJECTS}/1"),
    ("POST", f"{OBJECTS}/search"),
    ("POST", f"{OBJECTS}/merge"),
    *(("POST", f"{OBJECTS}/batch/{action}") for action in ("create", "read", "update", "upsert", "archive")),
    ("POST", "/crm/v3/objects/contacts/gdpr-delete"),
    ("POST", "/crm/v3/properties/companies"),
    ("PATCH", "/crm/v3/properties/companies/name"),
    ("POST", "/crm/v3/properties/companies/groups"),
    *(("POST", f"/crm/v3/properties/companies/batch/{action}") for action in ("create", "read", "archive")),
    ("PUT", "/crm/v4/objects/tasks/1/associations/companies/2"),
    *(
        ("POST", f"/crm/v4/associations/tasks/companies/batch/{action}")
        for action in ("create", "read", "archive", "associate/default", "labels/archive")
    ),
    ("POST", "/oauth/v1/token"),
]


@pytest.mark.parametrize(("method", "path"), PATHS, ids=lambda part: part)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.fixed_dictionaries({}, optional=dict.fromkeys(WORDS, JSON)) | JSON)
@example(body={"inputs": [{}]})
@example(body={"inputs": [{"id": "1", "properties": {}}]})
@example(body={"inputs": [None]})
@example(body={"inputs": "x"})
@example(body={"inputs": [{"from": {"id": "1"}, "to": {"id": "2"}, "types": ["x"]}]})
@example(body={"filterGroups": ["x"]})
@example(body={"filterGroups": {"filters": 1}})
@example(body={"filterGroups": [{"filters": ["x"]}]})
@example(body={"sorts": [1]})
@example(body={"properties": {"name": "x"}, "associations": [{"to": 1, "types": [{}]}]})
@example(
    body={"properties": {"name": "x"}, "associations": [{"to": {"id": "1"}, "types": [{"associationTypeId": "x"}]}]}
)
@example(body={"properties": {"name": "x"}, "associations": "x"})
@example(body={"options": [1], "displayOrder": "x"})
def test_a_body_of_nonsense_is_rejected_politely(portal: Portal, method: str, path: str, body: Any) -> None:
    answer = portal.call(method, path, body)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and "oauth" not in path:
        assert {"status", "message", "correlationId"} <= answer.json().keys()


@pytest.mark.parametrize("query", ["limit=x", "limit=0", "limit=-1", "limit=101", "after=x", "limit=", "properties=,,"])
@pytest.mark.parametrize(
    "path", ["/crm/v3/objects/companies", "/crm/v3/owners", "/crm/v3/objects/contacts?archived=yes"]
)
def test_a_query_of_nonsense_is_rejected_politely(portal: Portal, path: str, query: str) -> None:
    answer = portal.get(f"{path}{'&' if '?' in path else '?'}{query}")
    assert answer.status_code in (200, 400), answer.text
