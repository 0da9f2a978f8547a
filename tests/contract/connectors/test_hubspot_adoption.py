"""Adoption in HubSpot: what property history and the list of deleted records say, and what they do not."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from connectors.base import Connector
from connectors.hubspot import records as records_module
from tests.contract.connectors.drive import companies, update
from tests.contract.connectors.faults_hubspot import MATCH_FIELD
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm
from tests.contract.connectors.test_contract_adoption import make

pytestmark = pytest.mark.parametrize("running", ["hubspot"], indirect=True)


def wrote(crm: HubSpotCrm, connector: Connector, *records: str) -> list[bool | None]:
    found = connector.field_writers(records, [crm.field("score")])
    return [found[one][crm.field("score")] for one in records]


def other_app(crm: HubSpotCrm, connector: Connector, record: str, score: int) -> None:
    """Another app of the portal writes the score."""
    ours = crm.control("config", {})["app_id"]
    crm.control("config", {"app_id": "4711"})
    connector.write([update(crm, record, score=score)])
    crm.control("config", {"app_id": ours})


def test_apps_imports_and_workflows_are_not_us(crm: HubSpotCrm, connector: Connector) -> None:
    records = companies(crm, 4)
    make(connector, records[:1], "p.1")
    crm.pass_time(60)
    connector.write([update(crm, one, score=55) for one in records])
    for record, source in zip(records[1:3], ("IMPORT", "AUTOMATION_PLATFORM"), strict=True):
        edit = {"type": "companies", "id": record, "properties": {crm.field("score"): "1"}}
        crm.mutate(action="edit", source=source, **edit)
    other_app(crm, connector, records[3], 1)
    assert wrote(crm, connector, *records) == [True, False, False, False]


def test_without_tasks_the_app_that_wrote_the_account_id_is_us(crm: HubSpotCrm, connector: Connector) -> None:
    [stamped] = companies(crm, 1)
    by_hand, untouched = crm.add_companies([Company("By hand"), Company("Untouched")])
    values = {MATCH_FIELD: "a9"}
    crm.mutate(action="edit", type="companies", id=by_hand, properties=values)
    connector.write([update(crm, one, score=55) for one in (stamped, by_hand)])
    assert wrote(crm, connector, stamped, by_hand, untouched) == [True, None, None]
    crm.human_edits(by_hand, "score", 1)
    assert wrote(crm, connector, by_hand) == [False]


def test_a_value_that_a_merge_brought_is_its_first_writers(crm: HubSpotCrm, connector: Connector) -> None:
    first, ours, second, theirs = companies(crm, 4)
    make(connector, [first], "p.1")
    crm.pass_time(60)
    connector.write([update(crm, ours, score=55)])
    crm.human_edits(theirs, "score", 1)
    crm.human_merges(first, ours)
    crm.human_merges(second, theirs)
    assert [crm.company(one)["score"] for one in (first, second)] == [55, 1]
    assert wrote(crm, connector, first, second, ours) == [True, False, True]


def test_more_deleted_tasks_than_are_read_are_said(
    crm: HubSpotCrm, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "DELETED_PAGES", 1)
    [record] = companies(crm, 1)
    ids = make(connector, [record] * 101, *(f"p.{n}" for n in range(101)))
    for task_id in ids.values():
        crm.human_deletes_task(task_id)
    with capture_logs() as logs:
        tasks = connector.our_tasks()
    assert [one.status for one in tasks] == ["deleted"] * 100
    assert [(one["object"], one["pages"]) for one in logs] == [("tasks", 1)]


def test_without_our_property_no_task_is_ours(crm: HubSpotCrm) -> None:
    crm.reset()
    connector = crm.connect()
    assert connector.our_tasks() == []
    connector.close()
