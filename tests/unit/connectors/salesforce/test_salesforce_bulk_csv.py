"""The CSV of a bulk job: what goes out comes back the same, and refusals are read as real orgs write them."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import UpdateFields
from connectors.salesforce import bulk_csv
from connectors.salesforce.bulk_csv import CLEAR, Row, Upload, cells_of, fitting, result_of, rows_of
from connectors.salesforce.errors import outcome
from tests.conftest import SHARED

RECORDED = SHARED / "crm" / "recorded" / "salesforce.json"

CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
CELLS = st.dictionaries(st.sampled_from(["A__c", "B__c", "Z_c"]), CELL, max_size=3)
ROWS = st.dictionaries(st.from_regex(r"001[A-Za-z0-9]{15}", fullmatch=True), CELLS, max_size=30)


@given(ROWS)
def test_every_cell_comes_back_as_it_went(rows: Any) -> None:
    sent = b"".join(Upload(rows))
    assert rows_of(sent) == {record_id: Row(cells) for record_id, cells in rows.items()}


@given(ROWS)
def test_an_upload_is_the_same_bytes_each_time_in_the_order_of_ids(rows: Any) -> None:
    upload = Upload(rows)
    assert list(upload) == list(upload)
    assert b"\r" not in b"".join(upload)
    ids = [line.partition(b",")[0] for line in b"".join(upload).splitlines()[1:]]
    assert ids == sorted(ids)


def test_long_uploads_are_made_piece_by_piece() -> None:
    rows = {f"{n:018}": {"A__c": "x"} for n in range(2_500)}
    assert [piece.count(b"\n") for piece in Upload(rows)] == [1_001, 1_000, 500]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, CLEAR),
        ("", CLEAR),
        (True, "true"),
        (False, "false"),
        (72, "72"),
        (72.0, "72"),
        (0.25, "0.25"),
        (" x", " x"),
    ],
)
def test_each_value_as_a_cell(value: Any, cell: str) -> None:
    assert cells_of(UpdateFields("k", "account", "001", {"A__c": value})) == {"A__c": cell}


@pytest.mark.parametrize("value", ["a\nb", "a\rb", CLEAR])
def test_a_value_that_would_be_misread_does_not_travel_so(value: Any) -> None:
    assert cells_of(UpdateFields("k", "account", "001", {"A__c": value, "B__c": 1})) is None


def test_one_job_takes_so_many_rows_and_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {f"{n:018}": {"A__c": "x" * 50} for n in range(100)}
    assert len(fitting(rows)) == 100
    monkeypatch.setattr(bulk_csv, "MOST_ROWS", 40)
    assert list(fitting(rows)) == list(rows)[:40]
    monkeypatch.setattr(bulk_csv, "MOST_BYTES", 1_250)
    taken = fitting(rows)
    assert 0 < len(b"".join(Upload(taken))) <= 1_250


@pytest.mark.parametrize(
    ("error", "code", "message", "fields"),
    [
        ("STRING_TOO_LONG:Note: too long: a:b:Note__c --", "STRING_TOO_LONG", "Note: too long: a:b", ["Note__c"]),
        ("REQUIRED_FIELD_MISSING:Missing: [A, B]:A,B --", "REQUIRED_FIELD_MISSING", "Missing: [A, B]", ["A", "B"]),
        ("UNABLE_TO_LOCK_ROW:unable: 001x:--", "UNABLE_TO_LOCK_ROW", "unable: 001x", []),
        ("UNKNOWN", "UNKNOWN", "", []),
        ("CODE:words without an end", "CODE", "words without an end", []),
    ],
)
def test_a_refusal_in_salesforces_words(error: str, code: str, message: str, fields: Any) -> None:
    assert result_of(error) == {
        "success": False,
        "errors": [{"statusCode": code, "message": message, "fields": fields}],
    }


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")
def test_the_recorded_results_of_a_real_job_are_read() -> None:
    recorded = json.loads(RECORDED.read_text())
    [body] = [one["response"]["body"] for one in recorded if str(one["request"]["path"]).endswith("failedResults")]
    reader = csv.reader(body.splitlines())
    errors = [line[1] for line in list(reader)[1:]]
    assert errors
    for error in errors:
        found, consequence = outcome("k", result_of(error), {"Id": "001"})
        assert (found.status, found.code, consequence) == ("rejected", "INVALID_FIELD", "rejected")
        assert "is not a valid value for the type xsd:" in found.reason
