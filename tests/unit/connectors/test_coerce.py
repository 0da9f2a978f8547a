"""Coercing: what the CRM would store, so that equal means nothing to write."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.base import FieldSpec
from connectors.coerce import Invalid, canonical, coerce, text

NUMBER = FieldSpec(name="Score", type="number", precision=5, scale=2)
WHOLE = FieldSpec(name="Score", type="number", precision=3, scale=0)
NOTE = FieldSpec(name="Note", type="string", length=16)
DAY = FieldSpec(name="Since", type="date")
MOMENT = FieldSpec(name="Seen", type="datetime")
BAND = FieldSpec(name="Band", type="enum", options=("Healthy", "At risk"), restricted=True)
TAGS = FieldSpec(name="Tags", type="multi_enum", options=("a", "b", "c"), restricted=True)
EASTERN = "America/New_York"
THERE_DAY = FieldSpec(name="Since", type="date", zone=EASTERN)
THERE_MOMENT = FieldSpec(name="Seen", type="datetime", zone=EASTERN)
KINDS = [
    THERE_DAY,
    THERE_MOMENT,
    NUMBER,
    WHOLE,
    NOTE,
    DAY,
    MOMENT,
    BAND,
    TAGS,
    FieldSpec(name="Flag", type="bool"),
    FieldSpec(name="Any", type="other"),
]

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])),
    st.sampled_from(["healthy", "a;b", "b;a;a", "2026-11-01", "1641038400000", "12.345", " x ", "true"]),
)


@given(st.sampled_from(KINDS), values)
def test_coercing_twice_changes_nothing_and_only_invalid_is_raised(spec: FieldSpec, value: Any) -> None:
    try:
        once = coerce(spec, value)
    except Invalid:
        return
    assert coerce(spec, once) == once
    assert type(coerce(spec, once)) is type(once)


@given(st.sampled_from(KINDS), values)
def test_what_the_crm_holds_always_has_a_form(spec: FieldSpec, value: Any) -> None:
    assume(not (isinstance(value, float) and not math.isfinite(value)))
    assert canonical(spec, value) is None or isinstance(canonical(spec, value), str | int | float | bool)


@given(st.floats(min_value=-999, max_value=999, allow_nan=False))
def test_float_noise_below_the_scale_is_no_difference(number: float) -> None:
    rounded = coerce(NUMBER, number)
    assert isinstance(rounded, int | float)
    assert abs(rounded - number) <= 0.005 + 1e-9
    assert coerce(NUMBER, rounded + 1e-9) == rounded


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        (WHOLE, 72.5, 73),
        (WHOLE, "72.4", 72),
        (NUMBER, 0.1 + 0.2, 0.3),
        (NUMBER, -0.001, 0),
        (FieldSpec(name="Id", type="number", scale=0), 9007199254740993, 9007199254740993),
        (NOTE, "  spaced  ", "spaced"),
        (NOTE, "12345678901234567", "123456789012345…"),
        (NOTE, "", None),
        (NOTE, 3.0, "3"),
        (NOTE, True, "true"),
        (DAY, datetime(2026, 11, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5))), "2026-11-02"),
        (DAY, "2026-11-01T23:30:00-05:00", "2026-11-02"),
        (DAY, "1641038400000", "2022-01-01"),
        (MOMENT, "2026-11-22T08:30:00.000+0000", "2026-11-22T08:30:00Z"),
        (MOMENT, "1641038400000", "2022-01-01T12:00:00Z"),
        (MOMENT, date(2026, 11, 1), "2026-11-01T00:00:00Z"),
        (THERE_DAY, "2026-11-02T03:30:00Z", "2026-11-01"),
        (THERE_DAY, datetime(2026, 7, 1, 4, tzinfo=UTC), "2026-07-01"),
        (THERE_DAY, "2026-11-01", "2026-11-01"),
        (THERE_MOMENT, "2026-11-01", "2026-11-01T04:00:00Z"),
        (THERE_MOMENT, date(2026, 11, 2), "2026-11-02T05:00:00Z"),
        (THERE_MOMENT, "2026-11-22T08:30:00Z", "2026-11-22T08:30:00Z"),
        (BAND, "healthy", "Healthy"),
        (FieldSpec(name="Open", type="enum", options=("a",)), "else", "else"),
        (TAGS, "c; a;a", "a;c"),
        (FieldSpec(name="Flag", type="bool"), "Yes", True),
        (FieldSpec(name="Flag", type="bool"), 0, False),
        (FieldSpec(name="Long", type="string", length=0), "no limit is known", "no limit is known"),
    ],
)
def test_the_form_of_one_value(spec: FieldSpec, value: Any, expected: Any) -> None:
    got = coerce(spec, value)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (WHOLE, 1000),
        (WHOLE, 999.5),
        (WHOLE, "secret"),
        (WHOLE, True),
        (WHOLE, math.inf),
        (NUMBER, 1e300),
        (FieldSpec(name="Score", type="number"), 1e300),
        (DAY, "secret"),
        (MOMENT, "99999999999999999999"),
        (BAND, "secret"),
        (TAGS, "a;secret"),
        (FieldSpec(name="Flag", type="bool"), "secret"),
        (FieldSpec(name="Key", type="string", length=4, unique=True), "secret"),
        (FieldSpec(name="Owner", type="reference", length=4), "secret"),
    ],
)
def test_what_cannot_be_held_is_refused_without_telling_it(spec: FieldSpec, value: Any) -> None:
    with pytest.raises(Invalid, match=spec.name) as caught:
        coerce(spec, value)
    assert "secret" not in str(caught.value)


def test_what_the_crm_holds_is_kept_even_when_its_own_field_would_refuse_it() -> None:
    assert canonical(BAND, "Retired option") == "Retired option"


def test_text_of_a_moment_is_utc() -> None:
    assert text(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == "2025-12-31T23:00:00Z"
