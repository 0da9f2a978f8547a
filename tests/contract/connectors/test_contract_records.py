"""Records to create: one per account for ever, whatever is replayed, lost or raced; none that is there is touched."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from connectors.base import Connector, CreateRecord, Scalar
from tests.contract.connectors.drive import deliver, key_of, match_key, statuses, update, write_calls
from tests.contract.connectors.harness import Company, Crm, Fault


def create(crm: Crm, account_id: str, name: str = "", **values: Scalar) -> CreateRecord:
    fields = {crm.field(logical): value for logical, value in values.items()}
    named = crm.new_company(account_id, name or f"Company {account_id}")
    return CreateRecord(key_of("record", account_id), "account", {**named, **fields})


def each_has_one(crm: Crm, account_ids: Sequence[str]) -> bool:
    return crm.company_count() == len(account_ids) and all(len(crm.companies_of(one)) == 1 for one in account_ids)


def test_a_record_is_made_with_its_values_and_found_by_its_account(crm: Crm, connector: Connector) -> None:
    [outcome] = connector.write([create(crm, "a1", "Acme", score=72, band="Healthy")])
    assert outcome.status == "applied"
    assert crm.companies_of("a1") == [outcome.record_id]
    assert crm.company_name(str(outcome.record_id)) == "Acme"
    assert (crm.company(str(outcome.record_id))["score"], crm.company(str(outcome.record_id))["band"]) == (
        72,
        "Healthy",
    )
    crm.pass_time(60)
    [found] = connector.match([match_key("a1")], [])
    assert (found.status, found.record_id) == ("matched", outcome.record_id)


def test_many_records_take_as_few_write_calls_as_the_crm_allows(crm: Crm, connector: Connector) -> None:
    accounts = [f"a{n}" for n in range(230)]
    crm.forget_calls()
    outcomes = connector.write([create(crm, one) for one in accounts])
    assert statuses(outcomes) == ["applied"] * 230
    assert write_calls(crm) == math.ceil(230 / crm.batch)
    assert each_has_one(crm, accounts)
    assert [crm.companies_of(one) for one in accounts[:3]] == [[outcome.record_id] for outcome in outcomes[:3]]


def test_a_record_that_is_there_is_taken_as_it_stands(crm: Crm, connector: Connector) -> None:
    [record] = crm.add_companies([Company("Acme", None, "a1")])
    crm.human_renames_company(record, "Acme as sales calls it")
    crm.pass_time(60)
    outcomes = connector.write([create(crm, "a1", "Acme"), create(crm, "a2", "Bolt")])
    assert statuses(outcomes) == ["applied", "applied"]
    assert outcomes[0].record_id == record
    assert crm.company_name(record) == "Acme as sales calls it"
    assert each_has_one(crm, ["a1", "a2"])


def test_sending_the_same_again_makes_none_and_costs_no_write(crm: Crm, connector: Connector) -> None:
    operations = [create(crm, f"a{n}") for n in range(5)]
    first = connector.write(operations)
    crm.pass_time(60)
    crm.forget_calls()
    again = connector.write(operations)
    assert [outcome.record_id for outcome in again] == [outcome.record_id for outcome in first]
    assert statuses(again) == ["applied"] * 5
    assert write_calls(crm) == 0
    assert each_has_one(crm, [f"a{n}" for n in range(5)])


@pytest.mark.parametrize("fault", ["answer_lost", "answer_lost_midway", "garbled_answer", "connection_lost"])
def test_whatever_is_lost_there_is_one_record_per_account(crm: Crm, connector: Connector, fault: Fault) -> None:
    operations = [create(crm, f"a{n}") for n in range(20)]
    crm.arm(fault)
    settled = deliver(crm, operations)
    assert {outcome.status for outcome in settled.values()} == {"applied"}
    assert each_has_one(crm, [f"a{n}" for n in range(20)])
    assert {settled[op.key].record_id for op in operations} == {crm.companies_of(f"a{n}")[0] for n in range(20)}


def test_two_clients_that_make_the_same_account_at_once_end_with_one_record(crm: Crm, connector: Connector) -> None:
    operations = [create(crm, f"a{n}") for n in range(3)]
    crm.arm("own_record_race")
    settled = deliver(crm, operations)
    assert {outcome.status for outcome in settled.values()} == {"applied"}
    assert each_has_one(crm, ["a0", "a1", "a2"])


def test_a_record_the_crm_refuses_costs_only_itself(crm: Crm, connector: Connector) -> None:
    field, value = crm.refused()
    good = [create(crm, f"a{n}") for n in range(4)]
    bad = CreateRecord(key_of("bad"), "account", {**crm.new_company("a9", "Bad"), field: value})
    outcomes = connector.write([*good[:2], bad, *good[2:]])
    assert statuses(outcomes) == ["applied", "applied", "rejected", "applied", "applied"]
    assert str(value) not in outcomes[2].reason
    assert each_has_one(crm, ["a0", "a1", "a2", "a3"])


def test_an_account_twice_in_one_call_is_refused_before_sending(crm: Crm, connector: Connector) -> None:
    crm.forget_calls()
    with pytest.raises(ValueError, match="twice"):
        connector.write([create(crm, "a1", "Acme"), create(crm, "a1", "Acme again")])
    assert crm.calls() == []


def test_a_made_record_takes_field_writes_at_once(crm: Crm, connector: Connector) -> None:
    [made] = connector.write([create(crm, "a1")])
    assert statuses(connector.write([update(crm, str(made.record_id), score=5)])) == ["applied"]
    assert crm.company(str(made.record_id))["score"] == 5
