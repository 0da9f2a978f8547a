"""Each contract case runs once per CRM, against its sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import cast

import pytest

from connectors.base import Connector
from tests.contract.connectors.harness import Crm

KINDS = ["salesforce", "hubspot"]


@pytest.fixture(scope="session", params=KINDS)
def running(request: pytest.FixtureRequest) -> Iterator[Crm]:
    crm = cast(Crm, import_module(f"tests.contract.connectors.harness_{request.param}").start())
    yield crm
    crm.stop()


@pytest.fixture
def crm(running: Crm) -> Crm:
    return running.set_up()


@pytest.fixture
def connector(crm: Crm) -> Iterator[Connector]:
    connector = crm.connect()
    yield connector
    connector.close()
