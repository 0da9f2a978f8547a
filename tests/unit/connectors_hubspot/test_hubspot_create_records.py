"""What only HubSpot wants of a new company: a name or a domain, and a match field that is truly unique."""

from __future__ import annotations

from dataclasses import replace

from faults_hubspot import MATCH_FIELD
from harness_hubspot import HubSpotCrm

from connectors.base import Connector, CreateRecord, Scalar
from connectors.registry import connect


def create(n: int, **values: Scalar) -> CreateRecord:
    known = values or {"name": f"Company {n}", "domain": f"c{n}.example"}
    return CreateRecord(f"make-a{n}", "account", {MATCH_FIELD: f"a{n}", **known})


def names(portal: HubSpotCrm) -> dict[str, str]:
    found = [one["properties"] for one in portal._records("companies") if not one["archived"]]
    assert len({one.get(MATCH_FIELD) for one in found}) == len(found)
    return {one[MATCH_FIELD]: one.get("name", "") for one in found}


def test_a_bad_company_costs_only_itself_and_nameless_ones_are_not_sent(portal, hubspot: Connector):
    operations = [create(0), create(1, name="C", plgsync_score="many"), create(2, plgsync_score=2), create(3)]
    outcomes = hubspot.write(operations)
    assert [outcome.status for outcome in outcomes] == ["applied", "rejected", "rejected", "applied"]
    assert (outcomes[2].code, "name or a domain" in outcomes[2].reason) == ("REQUIRED_FIELD_MISSING", True)
    assert set(names(portal)) == {"a0", "a3"}


def test_without_a_truly_unique_match_field_nothing_is_made_and_it_says_what_to_do(empty_portal):
    portal = empty_portal
    missing = portal.connect().write([create(0)])[0]
    assert (missing.code, "crm setup" in missing.reason) == ("NO_MATCH_FIELD", True)
    portal.connect().setup([replace(need, unique=False) for need in portal.needs()], dry_run=False)
    plain = connect(portal.destination()).write([create(0)])[0]
    assert (plain.status, plain.code) == ("rejected", "NO_MATCH_FIELD")
    assert "name another one" in plain.reason
    assert portal.company_count() == 0
