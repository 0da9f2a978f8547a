"""Companies are made once per account id, or taken as they are; never where the match field is not unique."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness import Company
from harness_hubspot import MATCH_FIELD, HubSpotCrm

from connectors.base import Connector, CreateRecord, Scalar
from connectors.registry import connect


def create(n: int, **values: Scalar) -> CreateRecord:
    known = values or {"name": f"Company {n}", "domain": f"c{n}.example"}
    return CreateRecord(f"make-a{n}", "account", {MATCH_FIELD: f"a{n}", **known})


def names(portal: HubSpotCrm) -> dict[str, str]:
    found = [one["properties"] for one in portal._records("companies") if not one["archived"]]
    assert len({one.get(MATCH_FIELD) for one in found}) == len(found)
    return {one[MATCH_FIELD]: one.get("name", "") for one in found}


def test_a_hundred_companies_are_made_in_one_write_call(portal, hubspot: Connector):
    outcomes = hubspot.write([create(n, name=f"C {n}", plgsync_score=n) for n in range(100)])
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert sum(call.write for call in portal.calls()) == 1 == hubspot.fewest_calls(CreateRecord, 100)
    assert names(portal) == {f"a{n}": f"C {n}" for n in range(100)}
    assert portal.company(outcomes[7].record_id)["score"] == 7


def test_a_company_that_has_the_account_id_is_taken_as_it_is(portal, hubspot: Connector):
    [there] = portal.add_companies([Company("Renamed by Ann", "acme.example", "a0")])
    first, second = hubspot.write([create(0), create(1)])
    assert (first.status, first.record_id) == ("applied", there)
    assert second.status == "applied"
    assert names(portal) == {"a0": "Renamed by Ann", "a1": "Company 1"}


@pytest.mark.parametrize(
    "fault", [{"kind": "drop_after"}, {"kind": "partial_apply", "args": {"drop": True}}, {"kind": "drop_before"}]
)
def test_whatever_is_lost_there_is_one_company_per_account(portal, hubspot: Connector, fault):
    operations = [create(n) for n in range(10)]
    portal._control("faults", {"match": {"path_regex": "companies/batch/upsert"}, **fault})
    assert {outcome.status for outcome in hubspot.write(operations)} == {"unknown"}
    assert {outcome.status for outcome in hubspot.write(operations)} == {"applied"}
    assert len(names(portal)) == portal.company_count() == 10


def test_two_clients_that_make_the_same_company_at_once_end_with_one(portal, hubspot: Connector):
    fault = {"kind": "own_key_race", "args": {"property": MATCH_FIELD}, "match": {"path_regex": "batch/upsert"}}
    portal._control("faults", fault)
    outcomes = [*hubspot.write([create(n) for n in range(3)]), *hubspot.write([create(n) for n in range(3)])]
    assert {outcome.status for outcome in outcomes[3:]} == {"applied"}
    assert len(names(portal)) == portal.company_count() == 3


def test_a_bad_company_costs_only_itself_and_nameless_ones_are_not_sent(portal, hubspot: Connector):
    operations = [create(0), create(1, name="C", plgsync_score="many"), create(2, plgsync_score=2), create(3)]
    outcomes = hubspot.write(operations)
    assert [outcome.status for outcome in outcomes] == ["applied", "rejected", "rejected", "applied"]
    assert (outcomes[2].code, "name or a domain" in outcomes[2].reason) == ("REQUIRED_FIELD_MISSING", True)
    assert set(names(portal)) == {"a0", "a3"}


def test_an_account_twice_in_one_call_is_refused_before_sending(portal, hubspot: Connector):
    with pytest.raises(ValueError, match="twice"):
        hubspot.write([create(0), replace(create(0), key="another")])
    assert portal.calls() == []


def test_without_a_truly_unique_match_field_nothing_is_made_and_it_says_what_to_do(empty_portal):
    portal = empty_portal
    missing = portal.connect().write([create(0)])[0]
    assert (missing.code, "crm setup" in missing.reason) == ("NO_MATCH_FIELD", True)
    portal.connect().setup([replace(need, unique=False) for need in portal.needs()], dry_run=False)
    plain = connect(portal.destination()).write([create(0)])[0]
    assert (plain.status, plain.code) == ("rejected", "NO_MATCH_FIELD")
    assert "name another one" in plain.reason
    assert portal.company_count() == 0
