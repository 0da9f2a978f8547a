"""Field writes where HubSpot has ways of its own: results missing or doubled, merges, stages, versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Connector, UpdateFields
from connectors.hubspot.batch import property_text
from connectors.registry import connect
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm


def update(record_id: str, **values: Any) -> UpdateFields:
    return UpdateFields(f"key-{record_id}", "account", record_id, values)


def add(portal: HubSpotCrm, count: int) -> list[str]:
    return portal.add_companies([Company(f"C {n}", f"c{n}.example", f"a{n}") for n in range(count)])


@pytest.mark.parametrize("version", ["v3", "2026-03", "2026-09"])
def test_every_version_of_the_api_does_the_whole_job(portal: HubSpotCrm, version: str) -> None:
    [record] = add(portal, 1)
    portal.pass_time(60)
    hubspot = connect(replace(portal.destination(), api_version=version))
    assert hubspot.check().problems == ()
    [outcome] = hubspot.write([update(record, plgsync_score=7)])
    assert outcome.status == "applied"
    assert portal.company(record)["score"] == 7
    assert hubspot.read_back({}, ["plgsync_score"], {}).cursor
    assert {call.status for call in portal.calls()} == {200}
    hubspot.close()


def test_a_thousand_records_take_ten_calls(portal: HubSpotCrm, hubspot: Connector) -> None:
    records = add(portal, 1000)
    portal.forget_calls()
    outcomes = hubspot.write([update(record, plgsync_score=n % 100) for n, record in enumerate(records)])
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert len(portal.calls()) == hubspot.usage().write_calls == 10


@pytest.mark.parametrize(("kind", "unknown"), [("drop_result", 3), ("dup_result", 0)])
def test_results_that_are_missing_are_unknown_and_doubled_ones_harmless(
    portal: HubSpotCrm, hubspot: Connector, kind: str, unknown: Any
) -> None:
    records = add(portal, 10)
    portal.control("faults", {"kind": kind, "args": {"n": 3}, "match": {"path_regex": "batch/update"}})
    outcomes = hubspot.write([update(record, plgsync_score=1) for record in records])
    assert [outcome.status for outcome in outcomes].count("unknown") == unknown
    assert [outcome.status for outcome in outcomes].count("applied") == 10 - unknown


def test_a_merged_company_is_written_through_its_old_id(portal: HubSpotCrm, hubspot: Connector) -> None:
    survivor, loser, other = add(portal, 3)
    portal.human_merges(survivor, loser)
    outcomes = hubspot.write([update(loser, plgsync_score=9), update(other, plgsync_score=8)])
    assert [(outcome.status, outcome.record_id) for outcome in outcomes] == [("applied", survivor), ("applied", other)]
    assert portal.company(survivor)["score"] == 9


def test_a_step_back_of_the_lifecycle_stage_is_not_taken_for_done(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = add(portal, 1)
    assert hubspot.write([update(record, lifecyclestage="customer")])[0].status == "applied"
    [outcome] = hubspot.write([update(record, lifecyclestage="lead", plgsync_score=7)])
    assert (outcome.status, outcome.code) == ("rejected", "LIFECYCLE_BACKWARD")
    assert outcome.rejected_fields == ("lifecyclestage",)
    assert portal.company(record)["score"] == 7, "the other fields of the record are written"


def test_an_account_id_another_company_holds_is_rejected_without_naming_it(
    portal: HubSpotCrm, hubspot: Connector
) -> None:
    _, second = add(portal, 2)
    [outcome] = hubspot.write([update(second, plgsync_account_id="a0")])
    assert (outcome.status, outcome.code) == ("rejected", "UNIQUE_VALUE")
    assert "a0" not in outcome.reason.split()


def test_a_burst_limit_is_waited_out_inside_the_call(portal: HubSpotCrm, hubspot: Connector) -> None:
    records = add(portal, 2)
    portal.control("faults", {"kind": "limit", "args": {"which": "burst"}, "match": {"path_regex": "batch/update"}})
    outcomes = hubspot.write([update(record, plgsync_score=1) for record in records])
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert [call.status for call in portal.calls() if "batch/update" in call.path][-2:] == [429, 200]


def test_only_companies_are_written(hubspot: Connector) -> None:
    with pytest.raises(ValueError, match="contacts"):
        hubspot.write([UpdateFields("k", "contacts", "1", {"a": 1})])


@pytest.mark.parametrize(
    ("value", "sent"),
    [(None, ""), (True, "true"), (False, "false"), (3.0, "3"), (0.25, "0.25"), (" text ", "text"), (0, "0")],
)
def test_values_travel_as_text_and_nothing_clears(value: Any, sent: Any) -> None:
    assert property_text(value) == sent
