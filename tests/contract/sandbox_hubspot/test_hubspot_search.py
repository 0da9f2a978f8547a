"""Search finds what HubSpot would find, as late as HubSpot would find it."""

from __future__ import annotations

import operator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.sandbox_hubspot.client import Portal


@pytest.fixture
def companies(portal: Portal) -> dict[str, str]:
    """Three companies search already knows."""
    owner = portal.control("mutate", {"action": "add_owner", "email": "ann@example.com"})["id"]
    rows = [
        {"name": "Acme Rockets", "domain": "acme.com", "numberofemployees": "9", "hubspot_owner_id": owner},
        {"name": "Bolt", "domain": "bolt.io", "numberofemployees": "100"},
        {"name": "Cube", "domain": "cube.dev", "phone": "+1 555"},
    ]
    ids = {row["domain"]: portal.create(**row) for row in rows}
    portal.pass_time(10)
    return ids


def found(portal: Portal, *filters: dict[str, Any], **more: str) -> list[str]:
    answer = portal.search("companies", *filters, properties=["domain"], **more)
    assert answer.status_code == 200, answer.text
    return [result["properties"]["domain"] for result in answer.json()["results"]]


@pytest.mark.parametrize(
    ("described", "domains"),
    [
        ({"propertyName": "domain", "operator": "EQ", "value": "ACME.com"}, ["acme.com"]),
        ({"propertyName": "domain", "operator": "NEQ", "value": "acme.com"}, ["bolt.io", "cube.dev"]),
        ({"propertyName": "domain", "operator": "IN", "values": ["Bolt.io", "x"]}, ["bolt.io"]),
        ({"propertyName": "domain", "operator": "NOT_IN", "values": ["bolt.io"]}, ["acme.com", "cube.dev"]),
        ({"propertyName": "numberofemployees", "operator": "GT", "value": "10"}, ["bolt.io"]),
        ({"propertyName": "numberofemployees", "operator": "LTE", "value": 9}, ["acme.com"]),
        (
            {"propertyName": "numberofemployees", "operator": "BETWEEN", "value": "9", "highValue": "100"},
            ["acme.com", "bolt.io"],
        ),
        ({"propertyName": "phone", "operator": "HAS_PROPERTY"}, ["cube.dev"]),
        ({"propertyName": "phone", "operator": "NOT_HAS_PROPERTY"}, ["acme.com", "bolt.io"]),
        ({"propertyName": "name", "operator": "CONTAINS_TOKEN", "value": "rock*"}, ["acme.com"]),
        ({"propertyName": "name", "operator": "NOT_CONTAINS_TOKEN", "value": "rockets"}, ["bolt.io", "cube.dev"]),
        (
            {"propertyName": "createdate", "operator": "GTE", "value": "2026-11-23T12:00:00Z"},
            ["acme.com", "bolt.io", "cube.dev"],
        ),
        ({"propertyName": "createdate", "operator": "LT", "value": "1795435200000"}, []),
    ],
)
def test_every_operator(
    portal: Portal, companies: dict[str, str], described: dict[str, Any], domains: list[str]
) -> None:
    assert datetime.fromtimestamp(1795435200, UTC) == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert found(portal, described) == domains


def test_groups_are_alternatives_and_their_filters_all_hold(portal: Portal, companies: dict[str, str]) -> None:
    def by(name: str, value: str) -> dict[str, str]:
        return {"propertyName": name, "operator": "EQ", "value": value}

    groups = [
        {"filters": [by("domain", "acme.com"), by("numberofemployees", "9")]},
        {"filters": [by("domain", "bolt.io"), by("numberofemployees", "9")]},
        {"filters": [by("domain", "cube.dev")]},
    ]
    answer = portal.post("/crm/v3/objects/companies/search", {"filterGroups": groups, "properties": ["domain"]})
    assert [r["properties"]["domain"] for r in answer.json()["results"]] == ["acme.com", "cube.dev"]


def test_sorting_and_paging_go_through_everything_once(portal: Portal, companies: dict[str, str]) -> None:
    sorts = [{"propertyName": "domain", "direction": "DESCENDING"}]
    first = portal.search(limit=2, sorts=sorts).json()
    assert (first["total"], first["paging"]) == (3, {"next": {"after": "2"}})
    second = portal.search(limit=2, sorts=sorts, after=first["paging"]["next"]["after"]).json()
    assert "paging" not in second
    domains = [result["properties"]["domain"] for result in first["results"] + second["results"]]
    assert domains == ["cube.dev", "bolt.io", "acme.com"]


def test_free_text_looks_into_the_usual_properties(portal: Portal, companies: dict[str, str]) -> None:
    assert found(portal, query="ROCKETS acme") == ["acme.com"]


def test_search_goes_by_what_was_but_answers_what_is(portal: Portal, companies: dict[str, str]) -> None:
    acme = companies["acme.com"]
    before, after = ({"propertyName": "domain", "operator": "EQ", "value": value} for value in ("acme.com", "new.com"))
    portal.batch("update", [{"id": acme, "properties": {"domain": "new.com"}}])
    assert (found(portal, before), found(portal, after)) == (["new.com"], [])
    portal.pass_time(2.9)
    assert (found(portal, before), found(portal, after)) == (["new.com"], [])
    portal.pass_time(0.2)
    assert (found(portal, before), found(portal, after)) == ([], ["new.com"])


def test_a_new_record_is_found_late(portal: Portal, companies: dict[str, str]) -> None:
    late = portal.create(domain="late.com")
    wanted = {"propertyName": "hs_object_id", "operator": "EQ", "value": late}
    assert found(portal, wanted) == []
    assert portal.get(f"/crm/v3/objects/companies/{late}").status_code == 200
    portal.pass_time(3.1)
    assert found(portal, wanted) == ["late.com"]


def test_an_archived_record_is_never_shown_but_counted_for_a_while(portal: Portal, companies: dict[str, str]) -> None:
    portal.call("DELETE", f"/crm/v3/objects/companies/{companies['acme.com']}")
    wanted = {"propertyName": "domain", "operator": "EQ", "value": "acme.com"}
    body = portal.search("companies", wanted).json()
    assert (body["total"], body["results"]) == (1, [])
    portal.pass_time(3.1)
    assert portal.search("companies", wanted).json()["total"] == 0


def test_a_cleared_value_is_no_value_to_search_for(portal: Portal, companies: dict[str, str]) -> None:
    portal.batch("update", [{"id": companies["cube.dev"], "properties": {"phone": ""}}])
    portal.pass_time(10)
    assert found(portal, {"propertyName": "phone", "operator": "HAS_PROPERTY"}) == []
    assert len(found(portal, {"propertyName": "phone", "operator": "NOT_HAS_PROPERTY"})) == 3


def test_a_record_can_be_found_by_what_it_is_associated_with(portal: Portal, companies: dict[str, str]) -> None:
    deal = portal.create("deals", dealname="D", dealstage="contractsent", pipeline="default")
    portal.call("PUT", f"/crm/v4/objects/deals/{deal}/associations/default/companies/{companies['bolt.io']}")
    portal.pass_time(10)
    described = {"propertyName": "associations.company", "operator": "EQ", "value": companies["bolt.io"]}
    assert [r["id"] for r in portal.search("deals", described).json()["results"]] == [deal]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 200, "after": "9801"},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "HAS_PROPERTY"}] * 7}]},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "HAS_PROPERTY"}] * 5}] * 4},
        {"query": "x" * 3001},
        {"sorts": ["name", "domain"]},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "LIKE", "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "nope", "operator": "EQ", "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "EQ", "value": ""}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "IN", "values": ["x"] * 101}]}]},
    ],
)
def test_a_search_hubspot_would_reject_is_rejected(portal: Portal, body: dict[str, Any]) -> None:
    answer = portal.post("/crm/v3/objects/companies/search", body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=12),
    st.sampled_from(["LT", "LTE", "GT", "GTE", "EQ"]),
    st.integers(-50, 50),
)
def test_numbers_compare_as_numbers(portal: Portal, numbers: list[int], name: str, bound: int) -> None:
    portal.control("reset", {})
    portal.control("config", {"search_lag": 0.0, "plan_max": 10_000, "search_max": 10_000})
    portal.batch("create", [{"properties": {"name": "x", "numberofemployees": str(n)}} for n in numbers])
    described = {"propertyName": "numberofemployees", "operator": name, "value": str(bound)}
    answer = portal.search("companies", described, properties=["numberofemployees"], limit=200).json()
    compare = {"LT": operator.lt, "LTE": operator.le, "GT": operator.gt, "GTE": operator.ge, "EQ": operator.eq}[name]
    seen = sorted(int(result["properties"]["numberofemployees"]) for result in answer["results"])
    assert seen == sorted(number for number in numbers if compare(number, bound))
    assert answer["total"] == len(seen)
