"""Field writes: exactly the records named, in the fewest calls, and one outcome each."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest

from connectors.base import Connector, Scalar, Unavailable, UpdateFields
from tests.contract.connectors.drive import companies, deliver, statuses, update, values, write_calls
from tests.contract.connectors.harness import Crm, Fault


def test_writing_450_records_takes_as_few_calls_as_the_crm_allows(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 450)
    crm.forget_calls()
    outcomes = connector.write([update(crm, record, score=n % 101) for n, record in enumerate(records)])
    assert statuses(outcomes) == ["applied"] * 450
    assert [outcome.record_id for outcome in outcomes] == records
    assert write_calls(crm) == math.ceil(450 / crm.batch) == connector.usage().write_calls
    assert values(crm, records, "score") == [n % 101 for n in range(450)]


def test_the_batch_size_is_the_crms(crm: Crm, connector: Connector) -> None:
    assert connector.batch_size(UpdateFields, waiting=1) == crm.batch


def test_nothing_to_write_costs_no_call(crm: Crm, connector: Connector) -> None:
    assert list(connector.write([])) == []
    assert crm.calls() == []


def test_every_type_is_stored_as_meant_and_none_clears(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    full: dict[str, Scalar] = {
        "score": 72,
        "ratio": 0.25,
        "band": "Healthy",
        "since": "2026-11-01",
        "seen_at": "2026-11-22T08:30:00Z",
        "flag": True,
        "kind": "a",
    }
    assert statuses(connector.write([update(crm, record, **full)])) == ["applied"]
    assert {name: crm.company(record)[name] for name in full} == full
    cleared = [update(crm, record, score=None, band=None, since=None, seen_at=None, kind=None)]
    assert statuses(connector.write(cleared)) == ["applied"]
    left = crm.company(record)
    assert [left[name] for name in ("score", "band", "since", "seen_at", "kind")] == [None] * 5
    assert left["ratio"] == 0.25


def test_a_bad_record_costs_only_itself(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 120)
    field, value = crm.refused()
    operations = [update(crm, record, score=5) for record in records]
    for bad in (0, 57, 119):
        operations[bad] = type(operations[bad])(operations[bad].key, "account", records[bad], {field: value})
    outcomes = connector.write(operations)
    assert [n for n, outcome in enumerate(outcomes) if outcome.status != "applied"] == [0, 57, 119]
    assert {outcomes[n].status for n in (0, 57, 119)} == {"rejected"}
    assert values(crm, records, "score") == [None if n in (0, 57, 119) else 5 for n in range(120)]


def test_a_reason_names_what_is_wrong_but_never_the_value(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    field, value = crm.refused()
    operation = update(crm, record, score=1)
    [outcome] = connector.write([type(operation)(operation.key, "account", record, {field: value})])
    assert outcome.status == "rejected"
    assert outcome.code
    assert outcome.reason
    assert str(value) not in outcome.reason


def test_a_field_the_crm_does_not_have_is_rejected_for_its_records_only(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    operations = [update(crm, record, score=5) for record in records]
    operations[1] = type(operations[1])(operations[1].key, "account", records[1], {"no_such_field__c": 1})
    assert statuses(connector.write(operations)) == ["applied", "rejected", "applied"]
    assert values(crm, records, "score") == [5, None, 5]


def test_a_company_that_is_gone_is_stale_and_never_made_again(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 3)
    crm.human_deletes_company(records[1])
    before = crm.company_count()
    outcomes = connector.write([update(crm, record, score=9) for record in records])
    assert statuses(outcomes) == ["applied", "rejected", "applied"]
    assert [outcome.stale_record for outcome in outcomes] == [False, True, False]
    assert crm.company_count() == before


def test_no_company_is_ever_created(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 2)
    stranger = records[0][:-3] + "999" if records[0].isdecimal() else records[0][:-5] + "zzAAA"
    outcome = connector.write([update(crm, stranger, score=1)])[0]
    assert outcome.status == "rejected"
    assert crm.company_count() == 2


def test_a_record_twice_in_one_call_is_refused_before_sending(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1)
    crm.forget_calls()
    with pytest.raises(ValueError, match="twice"):
        connector.write([update(crm, record, score=1), update(crm, record, score=2)])
    assert crm.calls() == []


def test_a_locked_record_is_sent_again_alone(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 20)
    crm.arm("row_locked")
    settled = deliver(crm, [update(crm, record, score=3) for record in records])
    assert {outcome.status for outcome in settled.values()} == {"applied"}
    assert values(crm, records, "score") == [3] * 20


@pytest.mark.parametrize("fault", ["answer_lost", "answer_lost_midway", "garbled_answer"])
def test_without_an_answer_the_outcome_is_unknown_and_a_replay_settles_it(
    crm: Crm, connector: Connector, fault: Any
) -> None:
    records = companies(crm, 50)
    operations = [update(crm, record, score=44) for record in records]
    crm.arm(fault)
    assert set(statuses(connector.write(operations))) == {"unknown"}
    assert {outcome.status for outcome in deliver(crm, operations).values()} == {"applied"}
    assert values(crm, records, "score") == [44] * 50


@pytest.mark.parametrize("fault", ["unavailable", "connection_lost"])
def test_a_crm_that_is_down_applies_nothing_and_gets_it_later(crm: Crm, connector: Connector, fault: Fault) -> None:
    records = companies(crm, 5)
    operations = [update(crm, record, score=44) for record in records]
    crm.arm(fault)
    with contextlib.suppress(Unavailable):
        assert set(statuses(connector.write(operations))) <= {"unknown", "retry"}
    assert values(crm, records, "score") == [None] * 5
    assert {outcome.status for outcome in deliver(crm, operations).values()} == {"applied"}
    assert values(crm, records, "score") == [44] * 5


def test_one_lost_answer_never_loses_the_outcomes_of_the_calls_before(crm: Crm, connector: Connector) -> None:
    records = companies(crm, crm.batch * 2)
    operations = [update(crm, record, score=8) for record in records]
    first = connector.write(operations[: crm.batch])
    assert set(statuses(first)) == {"applied"}
    crm.arm("answer_lost")
    outcomes = connector.write(operations)
    assert "unknown" in statuses(outcomes)
    assert {outcome.status for outcome in deliver(crm, operations).values()} == {"applied"}
    assert values(crm, records, "score") == [8] * len(records)
