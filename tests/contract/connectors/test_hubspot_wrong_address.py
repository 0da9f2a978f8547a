"""Calls that went where HubSpot does not take them: one call for all records, and the settings to check."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.base import AccessDenied
from tests.contract.connectors.drive import companies, statuses, update, values
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start

NO_SUCH_PATH = {"status": "error", "message": "resource not found", "correlationId": "1"}


@pytest.fixture(scope="module")
def running_portal() -> Iterator[HubSpotCrm]:
    portal = start()
    yield portal
    portal.stop()


@pytest.fixture
def portal(running_portal: HubSpotCrm) -> HubSpotCrm:
    return running_portal.set_up()


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 301},
        {"status": 302},
        {"status": 404, "body": NO_SUCH_PATH},
        {"status": 405},
        {"status": 410},
    ],
    ids=str,
)
def test_no_record_is_blamed_and_a_hundred_of_them_cost_one_call(portal: HubSpotCrm, answer: dict[str, object]) -> None:
    records = companies(portal, 100)
    hubspot = portal.connect()
    portal.control("faults", {"kind": "status", "args": answer, "match": {"path_regex": "batch/update"}})
    portal.forget_calls()
    with pytest.raises(AccessDenied, match="base_url"):
        hubspot.write([update(portal, record, score=4) for record in records])
    assert [call.status for call in portal.calls()] == [answer["status"]]
    assert values(portal, records, "score") == [None] * 100
    assert set(statuses(hubspot.write([update(portal, record, score=4) for record in records]))) == {"applied"}
    hubspot.close()
