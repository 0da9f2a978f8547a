"""Five Collections calls packed into one: the same outcomes for a fifth of the calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Connector, Unavailable, UpdateFields
from connectors.registry import connect
from tests.contract.connectors.drive import companies, keys_of_tasks, statuses, task, update, values
from tests.contract.connectors.harness_salesforce import SalesforceCrm

pytestmark = pytest.mark.parametrize("running", ["salesforce"], indirect=True)


@pytest.fixture
def packed(crm: SalesforceCrm) -> Iterator[Connector]:
    connector = connect(replace(crm.destination(), options={"composite": True}))
    yield connector
    connector.close()


def calls(crm: SalesforceCrm) -> list[str]:
    """The last part of the path of every call that is not a login."""
    return [one.path.rpartition("/")[2] for one in crm.calls() if "oauth2" not in one.path]


def scores(crm: SalesforceCrm, records: Sequence[str]) -> list[UpdateFields]:
    return [update(crm, record, score=n % 101) for n, record in enumerate(records)]


def fault(crm: SalesforceCrm, kind: str, path: str, **args: Any) -> None:
    crm.control("faults", {"kind": kind, "args": args, "match": {"path_regex": path}})


def test_a_thousand_records_are_one_call(crm: SalesforceCrm, packed: Connector) -> None:
    records = companies(crm, 1_000)
    crm.forget_calls()
    assert statuses(packed.write(scores(crm, records))) == ["applied"] * 1_000
    assert calls(crm) == ["composite"]
    assert (packed.usage().calls, packed.usage().write_calls) == (1, 1)
    assert values(crm, records, "score") == [n % 101 for n in range(1_000)]


def test_unpacked_they_are_five(crm: SalesforceCrm, connector: Connector) -> None:
    records = companies(crm, 1_000)
    crm.forget_calls()
    assert statuses(connector.write(scores(crm, records))) == ["applied"] * 1_000
    assert calls(crm) == ["sobjects"] * 5


def test_two_hundred_need_no_packing(crm: SalesforceCrm, packed: Connector) -> None:
    records = companies(crm, 200)
    crm.forget_calls()
    packed.write(scores(crm, records))
    assert calls(crm) == ["sobjects"]


def test_a_bad_record_costs_only_itself(crm: SalesforceCrm, packed: Connector) -> None:
    records = companies(crm, 450)
    operations = scores(crm, records)
    for bad in (0, 250, 449):
        operations[bad] = update(crm, records[bad], band="secret words beyond sixteen characters")
    outcomes = packed.write(operations)
    assert [n for n, one in enumerate(outcomes) if one.status != "applied"] == [0, 250, 449]
    assert [one.key for one in outcomes] == [op.key for op in operations]


def test_a_part_refused_whole_is_halved_and_costs_the_other_parts_nothing(
    crm: SalesforceCrm, packed: Connector
) -> None:
    records = sorted(companies(crm, 600))
    operations = scores(crm, records)
    operations[300] = replace(operations[300], values={crm.field("score"): {"not": "a number"}})  # type: ignore[dict-item]
    outcomes = packed.write(operations)
    assert [n for n, one in enumerate(outcomes) if one.status != "applied"] == [300]
    assert values(crm, [records[299], records[301], records[599]], "score") == [299 % 101, 301 % 101, 599 % 101]


def test_without_an_answer_all_of_them_are_unknown_and_a_replay_settles_it(
    crm: SalesforceCrm, packed: Connector
) -> None:
    records = companies(crm, 450)
    fault(crm, "drop_after", "/composite$")
    assert statuses(packed.write(scores(crm, records))) == ["unknown"] * 450
    assert statuses(packed.write(scores(crm, records))) == ["applied"] * 450


def test_an_org_that_is_down_is_reported_once_for_all(crm: SalesforceCrm, packed: Connector) -> None:
    fault(crm, "status", "/composite$", status=503)
    with pytest.raises(Unavailable):
        packed.write(scores(crm, companies(crm, 450)))


def test_an_org_that_refuses_the_packing_gets_them_one_by_one(crm: SalesforceCrm, packed: Connector) -> None:
    records = companies(crm, 450)
    refused = [{"errorCode": "LIMIT_EXCEEDED", "message": "too many"}]
    fault(crm, "status", "/composite$", status=400, body=refused)
    crm.forget_calls()
    assert statuses(packed.write(scores(crm, records))) == ["applied"] * 450
    assert calls(crm) == ["composite", "sobjects", "sobjects", "sobjects"]


def test_tasks_are_packed_too_and_are_made_once(crm: SalesforceCrm, packed: Connector) -> None:
    operations = [task(record) for record in companies(crm, 450)]
    assert statuses(packed.write(operations)) == ["applied"] * 450
    assert statuses(packed.write(operations)) == ["applied"] * 450
    assert keys_of_tasks(crm) == {op.key: 1 for op in operations}
