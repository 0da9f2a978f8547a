"""The same sandbox portal the contract suite drives, for what only HubSpot does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.base import Connector
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start


@pytest.fixture(scope="session")
def running_portal() -> Iterator[HubSpotCrm]:
    crm = start()
    yield crm
    crm.stop()


@pytest.fixture
def empty_portal(running_portal: HubSpotCrm) -> HubSpotCrm:
    running_portal.reset()
    return running_portal


@pytest.fixture
def portal(running_portal: HubSpotCrm) -> HubSpotCrm:
    return running_portal.set_up()


@pytest.fixture
def hubspot(portal: HubSpotCrm) -> Iterator[Connector]:
    connector = portal.connect()
    yield connector
    connector.close()
