"""JSON is read and written fast, and as Python's own json module would."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.wire import compact_json, parse_json

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()))
)
DOCUMENTS = st.recursive(SCALARS, lambda one: st.lists(one) | st.dictionaries(st.text(), one), max_leaves=20)


@given(DOCUMENTS)
def test_a_document_is_read_as_json_reads_it(document: Any) -> None:
    raw = json.dumps(document).encode()
    assert parse_json(raw) == json.loads(raw)


@given(DOCUMENTS)
def test_a_document_is_written_so_that_json_reads_the_same(document: Any) -> None:
    wanted = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    assert json.loads(compact_json(document)) == wanted


def test_it_is_compact_and_keeps_letters() -> None:
    assert compact_json({"a": ["Zoë", 1.0, None, True]}) == '{"a":["Zoë",1.0,null,true]}'.encode()
    assert compact_json(2**70) == str(2**70).encode()


@pytest.mark.parametrize("raw", [b"", b"{", b"NaN", b'{"a": Infinity}', b"\xff", b"[1,]", b"'a'"])
def test_what_is_no_json_is_rejected(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(raw)


def test_deep_nesting_and_half_surrogate_pairs_do_not_break_it() -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse_json(b"[" * 200_000)
    assert parse_json(b'"\\ud800"') == "\ud800"
    assert math.isclose(parse_json(b"1e2"), 100)
