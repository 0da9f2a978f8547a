"""HubSpot answers a batch read for a part of it only: a record that it leaves out does not count as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from connectors.base import Unavailable
from connectors.hubspot.connector import HubSpotConnector
from connectors.hubspot.transport import HttpResponse, HubSpotTransport
from tests.contract.connectors.drive import companies, statuses, task
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start

FAILED = {"status": "error", "category": "INTERNAL_ERROR", "message": "internal error"}
NOTHING = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [FAILED]}


class Faltering(HubSpotTransport):
    """The real transport; HubSpot fails inside batch reads of tasks as often as the test wants."""

    failures = 1

    def send(self, method: str, path: str, query: Mapping[str, str], body: object, token: str) -> HttpResponse:
        answer = super().send(method, path, query, body, token)
        if not self.failures or not path.endswith("tasks/batch/read"):
            return answer
        self.failures -= 1
        return replace(
            answer, status=207, body={"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [FAILED]}
        )


@pytest.fixture
def portal() -> Iterator[HubSpotCrm]:
    portal = start()
    yield portal.set_up()
    portal.stop()


def test_a_task_a_person_completed_stays_completed_when_it_could_not_be_read(portal: HubSpotCrm) -> None:
    [record] = companies(portal, 1)
    wanted = task(record, owner_id=portal.add_owner("ann@example.com"))
    [made] = portal.connect().write([wanted])
    portal.human_completes_task(made.record_id or "")
    place = portal.destination()
    hubspot = HubSpotConnector(place, Faltering(place.base_url, place.timeout_s))
    portal.forget_calls()
    with pytest.raises(Unavailable):
        hubspot.write([wanted])
    assert not any(call.write for call in portal.calls())
    assert statuses(hubspot.write([wanted])) == ["applied"]
    assert [(seen.id, seen.status) for seen in portal.tasks()] == [(made.record_id, "completed")]
    hubspot.close()
