"""Adoption in Salesforce: what its field history, recycle bin and task relations say, and what they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.base import CloseTask, Connector, CreateRecord
from connectors.registry import connect
from tests.contract.connectors.drive import companies, record_ids, task, update
from tests.contract.connectors.harness_salesforce import SalesforceCrm
from tests.contract.connectors.test_contract_adoption import make

pytestmark = pytest.mark.parametrize("running", ["salesforce"], indirect=True)


def wrote(crm: SalesforceCrm, connector: Connector, record: str, logical: str = "score") -> bool | None:
    return connector.field_writers([record], [crm.field(logical)])[record][crm.field(logical)]


@pytest.mark.parametrize("options", [{}, {"hidden_objects": ["AccountHistory"]}], ids=["not tracked", "not permitted"])
def test_without_history_only_a_record_that_nobody_saved_again_is_known(
    crm: SalesforceCrm, connector: Connector, options: dict[str, object]
) -> None:
    crm.control("config", options)
    theirs, changed = companies(crm, 2, score=10)
    new = {**crm.new_company("new", "New"), crm.field("score"): 10}
    [ours] = record_ids(connector.write([CreateRecord("r", "account", new)]))
    crm.pass_time(60)
    connector.write([update(crm, changed, score=55)])  # our user is the last, but the band may be a person's
    assert [wrote(crm, connector, one) for one in (ours, theirs, changed)] == [True, False, None]


def test_a_row_whose_value_is_not_the_value_of_now_says_nothing(crm: SalesforceCrm, connector: Connector) -> None:
    crm.admin_tracks_fields("score")
    [record] = companies(crm, 1)
    crm.pass_time(60)
    connector.write([update(crm, record, score=55)])
    crm.admin_tracks_fields()
    crm.human_edits(record, "score", 1)
    assert wrote(crm, connector, record) is None
    crm.human_edits(record, "score", 55)  # cannot be told from ours, and needs not
    assert wrote(crm, connector, record) is True


def test_of_two_changes_in_one_second_the_one_with_the_value_counts(crm: SalesforceCrm, connector: Connector) -> None:
    crm.admin_tracks_fields("score")
    ours, theirs, unclear = companies(crm, 3)
    crm.control("clock", {"freeze": True})
    for record, score in ((ours, 1), (unclear, 55)):
        crm.human_edits(record, "score", score)
    connector.write([update(crm, one, score=55 + (one == unclear)) for one in (ours, theirs, unclear)])
    connector.write([update(crm, unclear, score=55)])
    crm.human_edits(theirs, "score", 1)
    assert [wrote(crm, connector, one) for one in (ours, theirs, unclear)] == [True, False, None]
    crm.control("clock", {"run": True})


def test_history_beyond_the_first_page_is_read_until_every_field_has_a_row(
    crm: SalesforceCrm, connector: Connector
) -> None:
    crm.admin_tracks_fields("score", "ratio")
    old, busy = companies(crm, 2)
    for score in range(15):
        crm.pass_time(60)
        crm.human_edits(old, "score", score)
    crm.pass_time(60)
    connector.write([update(crm, one, score=5, ratio=0.5) for one in (old, busy)])
    crm.control("config", {"page_size": 10})
    for score in range(25):
        crm.pass_time(60)
        crm.human_edits(busy, "score", score)
    fields = [crm.field("score"), crm.field("ratio")]
    crm.forget_calls()
    found = connector.field_writers([old, busy], fields)
    assert found == {old: dict.fromkeys(fields, True), busy: {fields[0]: False, fields[1]: True}}
    assert [call.path.rpartition("-")[2] for call in crm.calls() if "/query/" in call.path] == ["10", "20"]


def test_who_completed_a_task_is_unknown_once_it_was_saved_again(crm: SalesforceCrm, connector: Connector) -> None:
    records = companies(crm, 2)
    ids = make(connector, records, "p.1", "p.2")
    connector.write([CloseTask("p.1", ids["p.1"])])
    crm.human_completes_task(ids["p.2"])
    crm.pass_time(60)
    for task_id in ids.values():
        crm.human_retitles_task(task_id, "Called")
    crm.mutate(do="archive", id=ids["p.2"])
    crm.pass_time(60)
    found = {one.key: (one.status, one.completed_by_us) for one in connector.our_tasks()}
    assert found == {"p.1": ("completed", None), "p.2": ("completed", None)}


def test_a_task_is_on_the_account_of_the_deal_it_was_moved_to(crm: SalesforceCrm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    ids = make(connector, [record], "p.1")
    crm.mutate(do="edit", id=ids["p.1"], values={"WhatId": crm.add_deal(record)})
    assert connector.our_tasks()[0].record_ids == (record,)


def test_where_accounts_are_leads_a_task_is_on_its_lead_or_the_contact_that_became_of_it(crm: SalesforceCrm) -> None:
    connector = connect(replace(crm.destination(), object="Lead", match_field="Sync_Ext__c", fallbacks=()))
    leads = [
        crm.mutate(do="create", object="Lead", values={"LastName": name, "Company": name, "Sync_Ext__c": name})["id"]
        for name in ("ann", "bob", "cid", "dot")
    ]
    connector.write([replace(task(one), key=f"p.{n}") for n, one in enumerate(leads)])
    crm.mutate(do="merge", survivor=leads[0], losers=[leads[1]])
    crm.mutate(do="delete", id=leads[3])
    contact = crm.mutate(do="convert_lead", id=leads[2])["contact"]
    found = {one.key: (one.record_ids, one.status) for one in connector.our_tasks()}
    assert found == {
        "p.0": ((leads[0],), "open"),
        "p.1": ((leads[0],), "open"),
        "p.2": ((contact,), "open"),
        "p.3": ((leads[3],), "deleted"),
    }
    deleted = {one.account_id: (one.record_id, one.merged_into) for one in connector.deleted_records()}
    assert deleted == {"bob": (leads[1], leads[0]), "dot": (leads[3], None)}
    connector.close()
