"""One HubSpot sandbox, served for real; every test starts with an empty portal and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.sandbox.serve import Credentials, running
from tests.contract.sandbox_hubspot.client import TOKEN, Portal


@pytest.fixture(scope="session")
def served() -> Iterator[Portal]:
    credentials = Credentials("unused", "unused", TOKEN)
    with running(salesforce_port=None, credentials=credentials) as addresses:
        yield Portal(addresses["hubspot"]["url"])


@pytest.fixture
def portal(served: Portal) -> Portal:
    """An empty portal whose limits are out of the way."""
    served.control("reset", {})
    served.control("clock", {"run": True})
    served.control("clock", {"freeze": "2026-11-23T12:00:00Z"})
    served.control("config", {"plan_max": 10_000, "search_max": 10_000})
    return served
