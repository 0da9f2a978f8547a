"""A refused session costs three calls at most, whatever was asked for; threads log in once for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from drive import companies, match_key, task, update
from harness_salesforce import SalesforceCrm
from paper_journal import PaperJournal
from test_contract_records import create

from connectors.base import AccessDenied, Connector, Person
from connectors.registry import connect

pytestmark = pytest.mark.parametrize("running", ["salesforce"], indirect=True)

ASKED: dict[str, Callable[[SalesforceCrm, Connector, str], object]] = {
    "check": lambda _crm, connector, _record: connector.check(),
    "describe": lambda _crm, connector, _record: connector.describe("task"),
    "match": lambda _crm, connector, record: connector.match([match_key("a0", record, domain="c0.example")], []),
    "people": lambda _crm, connector, _record: connector.people(["ann@c0.example"]),
    "owners": lambda _crm, connector, _record: connector.owners(),
    "read back": lambda _crm, connector, _record: connector.read_back({}, [], {}),
    "write fields": lambda crm, connector, record: connector.write([update(crm, record, score=1)]),
    "write tasks": lambda _crm, connector, record: connector.write([task(record)]),
    "write records": lambda crm, connector, _record: connector.write([create(crm, "new")]),
    "write in bulk": lambda crm, connector, record: connector.write([update(crm, record, score=1)]),
}


@pytest.mark.parametrize("what", ASKED)
def test_a_session_refused_for_good_costs_three_calls_at_most(crm: SalesforceCrm, tmp_path: Path, what: str) -> None:
    [record] = companies(crm, 1)
    options = {"bulk_from": 1} if what == "write in bulk" else {}
    connector = connect(replace(crm.destination(), options=options), PaperJournal(tmp_path))
    connector.owners()
    crm.forget_calls()
    crm.arm("access_revoked")
    with pytest.raises(AccessDenied):
        ASKED[what](crm, connector, record)
    connector.close()
    assert 1 <= len(crm.calls()) <= 3


def test_threads_that_read_with_an_expired_session_share_one_login(crm: SalesforceCrm, connector: Connector) -> None:
    ann = crm.human_adds_person("ann@c0.example")
    connector.people(["ann@c0.example"])
    crm.forget_calls()
    crm.mutate(do="expire_sessions")
    found: list[Person] = []
    gate = threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        found.extend(connector.people(["ann@c0.example"]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [person.person_id for person in found] == [ann] * 8
    assert sum("oauth2" in call.path for call in crm.calls()) == 1
