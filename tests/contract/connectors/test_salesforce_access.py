"""A refused session costs three calls at most, whatever was asked for; threads log in once for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import AccessDenied, Connector, Person
from connectors.registry import connect
from tests.contract.connectors.drive import companies, match_key, task, update
from tests.contract.connectors.harness_salesforce import SalesforceCrm
from tests.contract.connectors.paper_journal import PaperJournal
from tests.contract.connectors.test_contract_records import create

pytestmark = pytest.mark.parametrize("running", ["salesforce"], indirect=True)

ASKED: dict[str, Callable[[SalesforceCrm, Connector, str], object]] = {
    "check": lambda _crm, connector, _record: connector.check(),
    "describe": lambda _crm, connector, _record: connector.describe("task"),
    "match": lambda _crm, connector, record: connector.match([match_key("a0", record, domain="c0.example")], []),
    "people": lambda _crm, connector, _record: connector.people(["ann@c0.example"]),
    "owners": lambda _crm, connector, _record: connector.owners(),
    "read back": lambda _crm, connector, _record: connector.read_back({}, [], {}),
    "our tasks": lambda _crm, connector, _record: connector.our_tasks(),
    "field writers": lambda crm, connector, record: connector.field_writers([record], [crm.field("score")]),
    "deleted records": lambda _crm, connector, _record: connector.deleted_records(),
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


def answer_all(crm: SalesforceCrm, path: str, status: int, text: str = "") -> None:
    args = {"status": status, "text": text, "headers": {"Location": "https://moved.example/"}}
    crm.control("faults", {"kind": "status", "args": args, "match": {"path_regex": path, "every": 1}})


@pytest.mark.parametrize("composite", [False, True])
@pytest.mark.parametrize(("status", "text"), [(302, ""), (404, ""), (405, ""), (400, "<html>Bad request</html>")])
def test_an_address_that_is_no_api_is_the_admins_to_mend_and_costs_no_record(
    crm: SalesforceCrm, status: int, text: str, composite: bool
) -> None:
    records = companies(crm, 210 if composite else 200)
    connector = connect(replace(crm.destination(), options={"composite": composite, "bulk_from": 0}))
    connector.owners()
    crm.forget_calls()
    answer_all(crm, "/composite", status, text)
    with pytest.raises(AccessDenied, match=f"{status}.*base_url and api_version"):
        connector.write([update(crm, record, score=1) for record in records])
    connector.close()
    assert len(crm.calls()) <= 2
    assert {crm.company(record)["score"] for record in records} == {None}


def test_a_redirect_of_a_read_is_the_admins_to_mend(crm: SalesforceCrm, connector: Connector) -> None:
    answer_all(crm, "/services/data", 301)
    with pytest.raises(AccessDenied, match="base_url and api_version"):
        connector.owners()


def test_a_version_this_org_does_not_have_is_the_admins_to_mend(crm: SalesforceCrm) -> None:
    connector = connect(replace(crm.destination(), api_version="199.0"))
    [record] = companies(crm, 1)
    for operation in (update(crm, record, score=1), task(record), create(crm, "new")):
        with pytest.raises(AccessDenied, match=r"404 NOT_FOUND.*base_url and api_version"):
            connector.write([operation])
    connector.close()
    assert (crm.company_count(), crm.tasks()) == (1, [])


@pytest.mark.parametrize("status", [302, 404, 405])
def test_an_address_without_a_login_is_the_admins_to_mend(
    crm: SalesforceCrm, connector: Connector, status: int
) -> None:
    answer_all(crm, "/oauth2/token", status)
    with pytest.raises(AccessDenied, match=f"{status} to the login: check base_url"):
        connector.owners()
    assert len(crm.calls()) == 1
