"""Setup and describe: fields as the CRM really has them, made once, and only what is missing."""

from __future__ import annotations

from dataclasses import replace

from connectors.base import Connector
from tests.contract.connectors.drive import companies, match_key, statuses, update
from tests.contract.connectors.harness import Crm


def test_setup_makes_everything_and_a_second_time_changes_nothing(running: Crm) -> None:
    running.reset()
    needs = running.needs()
    first = running.connect().setup(needs, dry_run=False)
    assert {step.need.name: step.status for step in first} == {need.name: "created" for need in needs}
    running.forget_calls()
    second = running.connect().setup(needs, dry_run=False)
    assert {step.status for step in second} == {"exists"}
    assert not any(call.write for call in running.calls())


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(running: Crm) -> None:
    running.reset()
    running.forget_calls()
    steps = running.connect().setup(running.needs(), dry_run=True)
    assert {step.status for step in steps} == {"would_create"}
    assert not any(call.write for call in running.calls())
    assert running.field("score") not in running.connect().describe("account")


def test_describe_shows_types_as_the_crm_has_them(crm: Crm, connector: Connector) -> None:
    specs = connector.describe("account")
    expected = {
        "score": "number",
        "ratio": "number",
        "band": "string",
        "since": "date",
        "seen_at": "datetime",
        "flag": "bool",
        "kind": "enum",
    }
    assert {name: specs[crm.field(name)].type for name in expected} == expected
    assert all(specs[crm.field(name)].writable for name in expected)
    assert set(specs[crm.field("kind")].options) == {"a", "b"}
    settings = crm.destination()
    assert specs[settings.match_field].unique
    assert settings.tasks is not None
    assert connector.describe("task")[settings.tasks.key_field].type == "string"


def test_a_field_of_the_wrong_type_is_reported_and_left_alone(crm: Crm, connector: Connector) -> None:
    [need] = [need for need in crm.needs() if need.name == crm.field("score")]
    crm.forget_calls()
    [step] = connector.setup([replace(need, type="date", precision=None, scale=None)], dry_run=False)
    assert step.status == "wrong"
    assert crm.field("score") in step.detail
    assert not any(call.write for call in crm.calls())


def test_a_field_we_may_not_see_is_left_out_and_the_rest_still_works(crm: Crm, connector: Connector) -> None:
    [record] = companies(crm, 1, score=5)
    crm.admin_hides_field("band")
    crm.pass_time(60)
    assert crm.field("band") not in connector.describe("account")
    [found] = connector.match([match_key("a0")], [crm.field("band"), crm.field("score")])
    assert dict(found.values) == {crm.field("score"): 5}
    outcomes = connector.write([update(crm, record, band="x")])
    assert statuses(outcomes) == ["rejected"]
