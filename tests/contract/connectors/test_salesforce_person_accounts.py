"""An org in which an account can be a person: found by its address, scored like any account, named by its task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.base import MatchKey
from tests.contract.connectors.drive import statuses, task, update
from tests.contract.connectors.harness_salesforce import MATCH_FIELD, SalesforceCrm, start


@pytest.fixture
def consumers() -> Iterator[SalesforceCrm]:
    """An org of its own in which an account can be a person, since such an org stays one for good."""
    crm = start()
    crm.control("config", {"person_accounts": True})
    connector = crm.connect()
    connector.setup(crm.needs(), dry_run=False)
    connector.close()
    yield crm
    crm.stop()


def test_a_person_account_is_found_gets_its_fields_and_is_whom_its_task_names(consumers: SalesforceCrm) -> None:
    values = {"LastName": "Own", "PersonEmail": "pia@own.example", MATCH_FIELD: "acc-7"}
    person = str(consumers.mutate(do="create", object="Account", values=values)["id"])
    connector = consumers.connect()
    [found] = connector.people(["pia@own.example"])
    [account] = consumers.records("Account")
    assert (found.status, found.person_id, found.record_id) == ("matched", account["PersonContactId"], person)

    [match] = connector.match([MatchKey("acc-7", None, {"account_id": "acc-7"})], [])
    assert (match.status, match.record_id) == ("matched", person)
    operations = [update(consumers, person, score=72)], [replace(task(person), person_id=found.person_id)]
    assert [statuses(connector.write(some)) for some in operations] == [["applied"], ["applied"]]
    assert consumers.company(person)["score"] == 72
    [made] = consumers.records("Task")
    assert (made["WhatId"], made["WhoId"]) == (person, found.person_id)
    connector.close()
