"""What is written comes back as the same value, so that nothing is written twice; and days are the portal's days."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Connector, FieldSpec, FieldType, MatchKey, UpdateFields
from connectors.coerce import Invalid, coerce
from connectors.hubspot.describe import canonical
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)
WANTED = {
    "plgsync_score": st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e9, 1e9, allow_nan=False)),
    "plgsync_ratio": st.floats(0, 1),
    "plgsync_band": TEXTS,
    "plgsync_since": st.one_of(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.datetimes(timezones=st.just(UTC))),
    "plgsync_seen_at": st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "plgsync_flag": st.booleans(),
    "plgsync_kind": st.sampled_from(["a", "b", "A"]),
}


@pytest.fixture(scope="module")
def record(running_portal: HubSpotCrm) -> str:
    running_portal.reset()
    running_portal.connect().setup(running_portal.needs(), dry_run=False)
    [record] = running_portal.add_companies([Company("Acme", "acme.example", "a1")])
    running_portal.pass_time(60)
    return str(record)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({}, optional=WANTED))
def test_what_was_written_is_what_is_read(running_portal: HubSpotCrm, record: str, wanted: dict[str, Any]) -> None:
    running_portal.control("config", {"plan_max": 100_000})
    hubspot = running_portal.connect()
    specs = hubspot.describe("account")
    values = {name: coerce(specs[name], value) for name, value in wanted.items()}
    if values:
        assert hubspot.write([UpdateFields("k", "account", record, values)])[0].status == "applied"
    [found] = hubspot.match([MatchKey("a1", record, {})], list(wanted))
    assert dict(found.values) == values
    hubspot.close()


def test_days_are_those_of_the_portals_people(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = portal.add_companies([Company("Acme", "acme.example")])
    specs = hubspot.describe("account")
    late = datetime(2026, 11, 2, 3, 30, tzinfo=UTC)  # half past ten in the evening before, there
    values = {
        "plgsync_since": coerce(specs["plgsync_since"], late),
        "plgsync_seen_at": coerce(specs["plgsync_seen_at"], date(2026, 11, 2)),
    }
    assert hubspot.write([UpdateFields("k", "account", record, values)])[0].status == "applied"
    stored = portal.properties(record)
    assert (stored["plgsync_since"], stored["plgsync_seen_at"]) == ("2026-11-01", "2026-11-02T05:00:00Z")


@pytest.mark.parametrize(
    ("type_", "stored", "value"),
    [
        ("date", "1641038400000", "2022-01-01"),
        ("date", "1640995200000", "2022-01-01"),
        ("date", "2022-01-01", "2022-01-01"),
        ("datetime", "1641038400000", "2022-01-01T12:00:00Z"),
        ("datetime", "2022-01-01T12:00:00.500Z", "2022-01-01T12:00:00Z"),
    ],
)
def test_a_stored_day_is_the_same_day_in_every_zone(type_: FieldType, stored: Any, value: Any) -> None:
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        assert canonical(FieldSpec(name="since", type=type_, zone=zone), stored) == value


def test_a_choice_hubspot_does_not_have_is_refused_before_sending(portal: HubSpotCrm, hubspot: Connector) -> None:
    spec = hubspot.describe("account")["plgsync_kind"]
    portal.forget_calls()
    with pytest.raises(Invalid, match="takes one of: a, b"):
        coerce(spec, "c")
    assert portal.calls() == []


def test_a_text_beyond_hubspots_length_is_cut_where_a_reader_sees_it(portal: HubSpotCrm, hubspot: Connector) -> None:
    [record] = portal.add_companies([Company("Acme", "acme.example")])
    text = coerce(hubspot.describe("account")["plgsync_band"], "x" * 70_000)
    assert hubspot.write([UpdateFields("k", "account", record, {"plgsync_band": text})])[0].status == "applied"
    assert len(str(text)) == 65_536
    assert portal.properties(record)["plgsync_band"].endswith("x…")
