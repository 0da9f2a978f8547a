"""A HubSpot task that was made but not tied to its company, before a person deleted the company."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.connectors.drive import companies, statuses, task
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start


@pytest.fixture
def portal() -> Iterator[HubSpotCrm]:
    portal = start()
    portal.reset()
    yield portal
    portal.stop()


def test_a_task_that_lost_its_company_before_it_was_tied_is_done_and_made_once(portal: HubSpotCrm) -> None:
    hubspot = portal.connect()
    hubspot.setup(portal.needs(), dry_run=False)
    (company,) = companies(portal, 1)
    one = task(company)
    portal.control("faults", {"kind": "drop_before", "match": {"path_regex": "associate/default"}, "times": None})
    assert statuses(hubspot.write([one]))[0] in {"retry", "unknown"}
    portal.control("faults", {"clear": True})
    portal.human_deletes_company(company)
    assert statuses(hubspot.write([one])) == ["applied"]
    assert len(portal.tasks()) == 1
    hubspot.close()
