"""A batch answer is joined to its inputs by name only, and accounts for every one of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import AccessDenied, Unavailable
from connectors.hubspot.batch import Input, write_batch
from connectors.hubspot.records import list_archived, read_batch
from connectors.hubspot.transport import HttpResponse
from tests.unit.connectors.hubspot.scripted import RECORDED, Sent, answer, client, done, recorded

with_recordings = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")


def inputs(count: int) -> list[Input]:
    return [Input(f"key{n}", str(1000 + n), {"score": str(n)}) for n in range(count)]


def echo(one: dict[str, Any], traced: bool = False) -> dict[str, Any]:
    return {"id": one["id"], "properties": one["properties"]} | (
        {"objectWriteTraceId": one["objectWriteTraceId"]} if traced else {}
    )


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)), st.booleans())
def test_each_input_gets_its_own_outcome_whatever_the_order(
    order: Any, refused: Any, dropped: Any, traced: bool
) -> None:
    def reply(sent: Sent) -> HttpResponse:
        asked = sent.body["inputs"]
        results = [echo(asked[n], traced) for n in order if n not in refused | dropped]
        bad = [
            {"category": "VALIDATION_ERROR", "context": {"objectWriteTraceId": [asked[n]["objectWriteTraceId"]]}}
            for n in order
            if n in refused
        ]
        return done(*results, errors=bad)

    outcomes = write_batch(client(reply)[0], "companies", "update", inputs(12))
    for n in range(12):
        expected = "rejected" if n in refused else "unknown" if n in dropped else "applied"
        assert outcomes[f"key{n}"].status == expected
        assert outcomes[f"key{n}"].record_id == (str(1000 + n) if expected == "applied" else None)


def test_every_input_carries_a_distinct_trace_id() -> None:
    hubspot, wire = client(lambda sent: done(*map(echo, sent.body["inputs"])))
    write_batch(hubspot, "companies", "update", inputs(100))
    assert len({one["objectWriteTraceId"] for one in wire.sent[0].body["inputs"]}) == 100


@with_recordings
def test_the_recorded_partial_success_names_the_missing_record() -> None:
    ids = ["171591000199", "unknownIdentifier888"]
    reply = answer(207, recorded("batch_update_contacts_err-partial-success.json"))
    outcomes = write_batch(client(reply)[0], "contacts", "update", [Input(id_, id_, {"a": "b"}) for id_ in ids])
    assert outcomes[ids[0]].status == "applied"
    assert (outcomes[ids[1]].status, outcomes[ids[1]].stale_record) == ("rejected", True)


def test_a_merged_record_answers_under_its_survivor() -> None:
    reply = done({"id": "1000", "properties": {}}, {"id": "77", "properties": {}})
    outcomes = write_batch(client(reply)[0], "companies", "update", inputs(2))
    assert (outcomes["key1"].status, outcomes["key1"].record_id) == ("applied", "77")


@pytest.mark.parametrize("status", ["PENDING", "PROCESSING", "CANCELED", None])
def test_an_answer_that_is_not_complete_is_unknown(status: int) -> None:
    reply = answer(200, {"status": status, "results": [{"id": "1000", "properties": {}}]})
    assert write_batch(client(reply)[0], "companies", "update", inputs(1))["key0"].status == "unknown"


def test_a_cheerful_empty_answer_is_unknown() -> None:
    outcomes = write_batch(client(done())[0], "companies", "update", inputs(3))
    assert {outcome.status for outcome in outcomes.values()} == {"unknown"}


def test_a_whole_refusal_is_halved_until_the_bad_record_stands_alone() -> None:
    def reply(sent: Sent) -> HttpResponse:
        asked = sent.body["inputs"]
        if any(one["id"] == "1013" for one in asked):
            return answer(400, {"category": "VALIDATION_ERROR", "message": "Invalid input JSON"})
        return done(*map(echo, asked))

    hubspot, wire = client(reply)
    outcomes = write_batch(hubspot, "companies", "update", inputs(20))
    assert [key for key, outcome in outcomes.items() if outcome.status != "applied"] == ["key13"]
    assert outcomes["key13"].status == "rejected"
    assert len(wire.sent) <= 12


@with_recordings
def test_records_that_hubspot_names_are_taken_out_of_the_batch() -> None:
    rejection = recorded("batch_update_contacts_err-duplicate-ids.json")

    def reply(sent: Sent) -> HttpResponse:
        asked = sent.body["inputs"]
        named = any(one["id"] == "123456" for one in asked)
        return answer(400, rejection) if named and len(asked) > 1 else done(*map(echo, asked))

    hubspot, wire = client(reply)
    several = [*inputs(10), Input("named", "123456", {"score": "1"})]
    outcomes = write_batch(hubspot, "companies", "update", several)
    assert {outcome.status for outcome in outcomes.values()} == {"applied"}
    assert [len(sent.body["inputs"]) for sent in wire.sent] == [11, 10, 1]


def test_a_locked_batch_is_to_be_sent_again() -> None:
    outcomes = write_batch(client(answer(423, {}))[0], "companies", "update", inputs(3))
    assert {(outcome.status, outcome.code) for outcome in outcomes.values()} == {("retry", "LOCKED")}


def test_a_key_property_that_is_not_unique_is_for_the_admin() -> None:
    message = "Unable to perform update/upsert by non-unique 0-27 property plgsync_key in portal ID 1"
    one = Input("k", "k", {"plgsync_key": "k"}, id_property="plgsync_key")
    hubspot, _ = client(answer(400, {"message": message}))
    with pytest.raises(AccessDenied, match="crm setup"):
        write_batch(hubspot, "tasks", "upsert", [one])


def test_upserts_are_joined_by_the_echoed_key() -> None:
    keys = ["kb", "ka"]
    several = [Input(key, key, {"plgsync_key": key}, id_property="plgsync_key") for key in keys]
    reply = done(*({"id": f"9{key}", "properties": {"plgsync_key": key}} for key in reversed(keys)))
    outcomes = write_batch(client(reply)[0], "tasks", "upsert", several)
    assert {key: outcome.record_id for key, outcome in outcomes.items()} == {"kb": "9kb", "ka": "9ka"}


def test_a_read_asks_singly_only_for_what_was_merged() -> None:
    gone = {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["3"]}}
    batch = done({"id": "1", "properties": {}}, {"id": "50", "properties": {}}, errors=[gone])
    hubspot, wire = client(batch, answer(200, {"id": "50", "properties": {"a": "x"}}))
    found = read_batch(hubspot, "companies", ["1", "2", "3"], ["a"])
    assert {asked: record.id for asked, record in found.items()} == {"1": "1", "2": "50"}
    assert [sent.path.rsplit("/", 1)[1] for sent in wire.sent] == ["read", "2"]


@pytest.mark.parametrize("named", [{}, {"context": {"ids": ["kb"]}}], ids=["names no input", "names one"])
def test_a_record_that_hubspot_could_not_read_is_not_taken_for_absent(named: dict[str, Any]) -> None:
    """Records are then made by upsert, which writes over what is there."""
    half = done({"id": "1", "properties": {"key": "ka"}}, errors=[{"category": "INTERNAL_ERROR", **named}])
    hubspot, wire = client(half)
    with pytest.raises(Unavailable):
        read_batch(hubspot, "tasks", ["ka", "kb"], [], id_property="key")
    assert len(wire.sent) == 1


def test_a_record_that_hubspot_could_not_read_by_id_is_asked_for_singly() -> None:
    failed = {"category": "INTERNAL_ERROR", "context": {"ids": ["2"]}}
    hubspot, _ = client(done({"id": "1"}, errors=[failed]), answer(200, {"id": "2", "properties": {}}))
    assert set(read_batch(hubspot, "companies", ["1", "2"], [])) == {"1", "2"}


def test_reads_are_cut_to_a_hundred_and_with_history_to_fifty() -> None:
    hubspot, wire = client(lambda sent: done(*({"id": one["id"], "properties": {}} for one in sent.body["inputs"])))
    ids = [str(n) for n in range(250)]
    assert set(read_batch(hubspot, "companies", ids, [])) == set(ids)
    assert [len(sent.body["inputs"]) for sent in wire.sent] == [100, 100, 50]
    wire.sent.clear()
    read_batch(hubspot, "companies", ids[:60], [], history=["a"])
    assert [len(sent.body["inputs"]) for sent in wire.sent] == [50, 10]


def test_deleted_records_are_listed_to_the_last_page() -> None:
    pages = [
        answer(200, {"results": [{"id": "1"}], "paging": {"next": {"after": "2"}}}),
        answer(200, {"results": [{"id": "2"}]}),
    ]
    hubspot, wire = client(*pages)
    assert [[one.id for one in page] for page in list_archived(hubspot, "tasks", ["k"])] == [["1"], ["2"]]
    assert [sent.query.get("after") for sent in wire.sent] == [None, "2"]


def test_nothing_to_do_costs_no_call() -> None:
    hubspot, wire = client(answer(500))
    assert read_batch(hubspot, "companies", [], []) == {}
    assert write_batch(hubspot, "companies", "update", []) == {}
    assert wire.sent == []
