"""What only HubSpot wants of a new company: a name or a domain, and a match field that is truly unique."""

from __future__ import annotations

from dataclasses import replace

from connectors.base import Connector, CreateRecord, Scalar
from connectors.registry import connect
from tests.contract.connectors.faults_hubspot import MATCH_FIELD
from tests.contract.connectors.harness_hubspot import HubSpotCrm


def create(n: int, **values: Scalar) -> CreateRecord:
    known = values or {"name": f"Company {n}", "domain": f"c{n}.example"}
    return CreateRecord(f"make-a{n}", "account", {MATCH_FIELD: f"a{n}", **known})


def names(portal: HubSpotCrm) -> dict[str, str]:
    found = [one["properties"] for one in portal.records("companies") if not one["archived"]]
    assert len({one.get(MATCH_FIELD) for one in found}) == len(found)
    return {one[MATCH_FIELD]: one.get("name", "") for one in found}


def test_a_bad_company_costs_only_itself_and_nameless_ones_are_not_sent(portal: HubSpotCrm, hubspot: Connector) -> None:
    operations = [create(0), create(1, name="C", plgsync_score="many"), create(2, plgsync_score=2), create(3)]
    outcomes = hubspot.write(operations)
    assert [outcome.status for outcome in outcomes] == ["applied", "rejected", "rejected", "applied"]
    assert (outcomes[2].code, "name or a domain" in outcomes[2].reason) == ("REQUIRED_FIELD_MISSING", True)
    assert set(names(portal)) == {"a0", "a3"}


def test_without_a_truly_unique_match_field_nothing_is_made_and_it_says_what_to_do(empty_portal: HubSpotCrm) -> None:
    portal = empty_portal
    missing = portal.connect().write([create(0)])[0]
    assert (missing.code, "crm setup" in missing.reason) == ("NO_MATCH_FIELD", True)
    portal.connect().setup([replace(need, unique=False) for need in portal.needs()], dry_run=False)
    plain = connect(portal.destination()).write([create(0)])[0]
    assert (plain.status, plain.code) == ("rejected", "NO_MATCH_FIELD")
    assert "name another one" in plain.reason
    assert portal.company_count() == 0


def test_an_account_somebody_made_at_the_same_moment_is_found_next_time(portal: HubSpotCrm, hubspot: Connector) -> None:
    message = "Cannot set PropertyValueCoordinates{value=a0} on 5. 6 already has that value."
    error = {"category": "VALIDATION_ERROR", "message": message, "context": {"objectWriteTraceId": ["0"]}}
    body = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}
    fault = {"kind": "status", "args": {"status": 207, "body": body}, "match": {"path_regex": "companies/batch/upsert"}}
    portal.control("faults", fault)
    assert [(one.status, one.code) for one in hubspot.write([create(0)])] == [("retry", "UNIQUE_VALUE")]
    assert hubspot.write([create(0)])[0].status == "applied"
