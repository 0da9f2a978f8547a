"""Sending records: whatever the CRM does to some of them, every record gets its own true outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import AccessDenied, Outcome, Unavailable, UpdateFields
from connectors.salesforce import write as writing
from connectors.salesforce.errors import RequestRejected, Unanswered
from connectors.salesforce.write import Entry, send, update_fields

OK = {"success": True, "errors": []}
LOCK = {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "lock", "fields": []}]}
BAD = {"success": False, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "x", "fields": ["Note"]}]}


@dataclass
class FakeOrg:
    """Answers by what each record carries: ``do`` is ok, bad, poison (the whole call is refused), lock (once)."""

    failures: list[Exception | None] = field(default_factory=list)
    packed: int = 1
    root: str = "/services/data/v67.0/"
    calls: list[list[str]] = field(default_factory=list)
    applied: set[str] = field(default_factory=set)
    locked: set[str] = field(default_factory=set)

    def write(self, method: str, path: str, body: dict[str, Any]) -> Any:
        if path == "composite":
            return {"compositeResponse": [self._part(part) for part in body["compositeRequest"]][::-1]}
        return self._batch(method, path, body)

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        assert part["url"] == f"{self.root}composite/sobjects"
        name, status = part["referenceId"], 200
        try:
            answered: Any = self._batch(part["method"], part["url"], part["body"])
        except RequestRejected as refused:
            status, answered = refused.status, [{"errorCode": refused.code, "message": refused.reason}]
        except Unavailable:
            status, answered = 503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "x"}]
        except AccessDenied:
            status, answered = 403, [{"errorCode": "API_DISABLED_FOR_ORG", "message": "x"}]
        except Unanswered:
            status, answered = 500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "x"}]
        return {"referenceId": name, "httpStatusCode": status, "body": answered}

    def _batch(self, _method: str, _path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        records = body["records"]
        assert 0 < len(records) <= 200
        assert body["allOrNone"] is False
        self.calls.append([record["Id"] for record in records])
        failure = self.failures.pop(0) if self.failures else None
        if failure and not isinstance(failure, Unanswered):
            raise failure
        if any(record["do"] == "poison" for record in records):
            raise RequestRejected(400, "JSON_PARSER_ERROR", "cannot read")
        results = [self._one(record) for record in records]
        if failure:
            raise failure
        return results

    def _one(self, record: dict[str, Any]) -> dict[str, Any]:
        name = record["Id"]
        if record["do"] == "bad":
            return BAD
        if record["do"] == "lock" and name not in self.locked:
            self.locked.add(name)
            return LOCK
        self.applied.add(name)
        return {**OK, "id": name}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LOCK_WAIT", (0.0, 0.0))


def entries(kinds: Sequence[str]) -> list[Entry]:
    return [
        (f"k{n}", {"attributes": {"type": "Account"}, "Id": f"{n:05}", "do": do}, f"{n:05}")
        for n, do in enumerate(kinds)
    ]


def send_to(org: FakeOrg, kinds: Sequence[str]) -> list[Outcome]:
    return send(org, "PATCH", "composite/sobjects", entries(kinds))  # type: ignore[arg-type]


PACKED = st.sampled_from([1, 2, 5])
EXPECTED = {"ok": "applied", "lock": "applied", "bad": "rejected", "poison": "rejected"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["ok", "ok", "ok", "bad", "lock", "poison"]), min_size=1, max_size=450), PACKED)
def test_every_record_gets_what_it_deserves_and_no_neighbour_pays(kinds: Any, packed: int) -> None:
    org = FakeOrg(packed=packed)
    outcomes = send_to(org, kinds)
    assert [outcome.key for outcome in outcomes] == [f"k{n}" for n in range(len(kinds))]
    assert [outcome.status for outcome in outcomes] == [EXPECTED[do] for do in kinds]
    assert org.applied == {f"{n:05}" for n, do in enumerate(kinds) if EXPECTED[do] == "applied"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["ok", "bad", "lock", "poison"]), min_size=1, max_size=450),
    st.lists(st.sampled_from(["none", "lost", "down", "denied"]), max_size=6),
    PACKED,
)
def test_no_failure_makes_an_outcome_untrue(kinds: Any, failures: Any, packed: int) -> None:
    made = {"none": None, "lost": Unanswered("x"), "down": Unavailable("x", 1), "denied": AccessDenied("x")}
    org = FakeOrg([made[name] for name in failures], packed)
    try:
        outcomes = send_to(org, kinds)
    except (Unavailable, AccessDenied):
        assert org.applied == set()
        return
    for n, outcome in enumerate(outcomes):
        is_there = f"{n:05}" in org.applied
        assert outcome.status != "applied" or is_there
        assert outcome.status in ("applied", "unknown") or not is_there


def test_450_records_take_three_calls_sorted_by_the_record_they_lock() -> None:
    org = FakeOrg()
    send(org, "PATCH", "composite/sobjects", entries(["ok"] * 450)[::-1])  # type: ignore[arg-type]
    assert [len(call) for call in org.calls] == [200, 200, 50]
    sent = [name for call in org.calls for name in call]
    assert sent == sorted(sent)


def test_only_the_locked_are_sent_again_and_only_once() -> None:
    org = FakeOrg()
    send_to(org, ["ok", "lock", "ok", "lock"])
    assert org.calls == [["00000", "00001", "00002", "00003"], ["00001", "00003"]]


def test_a_record_that_stays_locked_is_for_a_later_run() -> None:
    class Stuck(FakeOrg):
        def _one(self, _record: dict[str, Any]) -> dict[str, Any]:
            return LOCK

    org = Stuck()
    assert [outcome.status for outcome in send_to(org, ["ok", "ok"])] == ["retry", "retry"]
    assert len(org.calls) == 2


def test_a_lost_answer_leaves_what_comes_behind_unsent() -> None:
    org = FakeOrg([None, Unanswered("no answer")])
    outcomes = send_to(org, ["ok"] * 600)
    assert [outcome.status for outcome in outcomes] == ["applied"] * 200 + ["unknown"] * 200 + ["retry"] * 200
    assert len(org.calls) == 2


def test_a_failure_before_anything_was_sent_is_raised_later_ones_are_not() -> None:
    with pytest.raises(Unavailable):
        send_to(FakeOrg([Unavailable("down", 5)]), ["ok"] * 3)
    outcomes = send_to(FakeOrg([None, Unavailable("down", 5)]), ["ok"] * 300)
    assert [outcome.status for outcome in outcomes] == ["applied"] * 200 + ["retry"] * 100


@pytest.mark.parametrize("first", ["down", "lost"])
def test_a_part_without_an_answer_is_unknown_whatever_became_of_the_part_beside_it(first: str) -> None:
    down, lost = Unavailable("down", 5), Unanswered("no answer")
    org = FakeOrg([down, lost] if first == "down" else [lost, down], packed=2)
    outcomes = send_to(org, ["ok"] * 400)
    answered = ["retry"] * 200 + ["unknown"] * 200
    assert [outcome.status for outcome in outcomes] == (answered if first == "down" else answered[::-1])
    assert len(org.applied) == 200


def test_an_unknown_column_costs_one_more_call_not_a_search() -> None:
    class Strict(FakeOrg):
        def _one(self, record: dict[str, Any]) -> dict[str, Any]:
            if "Ghost__c" in record:
                raise RequestRejected(400, "INVALID_FIELD", "No such column 'Ghost__c' on sobject of type Account")
            return super()._one(record)

    org = Strict()
    operations = [UpdateFields(f"k{n}", "account", f"{n:05}", {"do": "ok"}) for n in range(100)]
    operations[40] = UpdateFields("k40", "account", "00040", {"do": "ok", "Ghost__c": 1})
    outcomes = update_fields(org, operations, "Account")  # type: ignore[arg-type]
    assert [n for n, outcome in enumerate(outcomes) if outcome.status == "rejected"] == [40]
    assert len(org.calls) == 2


def test_another_number_of_results_than_records_is_no_answer() -> None:
    class Short(FakeOrg):
        def write(self, method: str, path: str, body: dict[str, Any]) -> Any:
            return super().write(method, path, body)[1:]

    assert [outcome.status for outcome in send_to(Short(), ["ok", "ok"])] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("code", "status", "stale"),
    [
        ("UNABLE_TO_LOCK_ROW", "retry", False),
        ("ENTITY_IS_DELETED", "rejected", True),
        ("MALFORMED_ID", "rejected", False),
    ],
)
def test_a_call_refused_for_its_only_record_means_what_the_record_would(code: str, status: str, stale: bool) -> None:
    class Strict(FakeOrg):
        def _one(self, _record: dict[str, Any]) -> dict[str, Any]:
            raise RequestRejected(400, code, "x")

    [outcome] = send_to(Strict(), ["ok"])
    assert (outcome.status, outcome.code, outcome.stale_record) == (status, code, stale)
