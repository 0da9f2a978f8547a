"""How values of several accounts become one: unknown is not zero, and the worst account's fields belong together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

import pytest

from worker.language.values import Value
from worker.planning.combine import Combined, combine, of_kind
from worker.settings.crm_fields import Combine, FieldKind

DAY, LATER = date(2026, 3, 1), datetime(2026, 3, 1, 9, tzinfo=UTC)
A, B, AB = ("a",), ("b",), ("a", "b")


def made(how: Combine, source: str = "seats", main: Mapping[str, Value] | None = None, **values: Value) -> Combined:
    return combine(how, values, "a", main or {}, source)


@pytest.mark.parametrize(
    ("how", "first", "second", "value", "accounts"),
    [
        ("sum", 3, 4, 7, AB),
        ("sum", 3, None, None, B),
        ("sum", 0.1, 0.2, pytest.approx(0.3), AB),
        ("lowest", 3, 4, 3, A),
        ("highest", 3, 4, 4, B),
        ("highest", None, 4, 4, B),
        ("highest", None, None, None, ()),
        ("highest", 4, 4, 4, A),
        ("earliest", LATER, DAY, DAY, B),
        ("latest", LATER, DAY, LATER, A),
        ("latest", None, DAY, DAY, B),
        ("any", True, None, True, A),
        ("any", False, None, None, B),
        ("any", False, False, False, AB),
        ("any", None, None, None, ()),
        ("any", None, "team", "team", B),
        ("any", "free", "team", "free", A),
        ("all", True, None, None, B),
        ("all", False, None, False, A),
        ("all", True, True, True, AB),
        ("top", "free", "team", "free", A),
        ("top", None, "team", None, A),
    ],
)
def test_values_of_two_accounts(
    how: Combine, first: Value, second: Value, value: Value, accounts: tuple[str, ...]
) -> None:
    assert made(how, a=first, b=second) == Combined(value, accounts)


@pytest.mark.parametrize(
    ("how", "value"), [("sum", True), ("sum", "7"), ("lowest", "7"), ("latest", "2026"), ("any", 7), ("all", 7)]
)
def test_what_does_not_fit_is_a_problem_and_no_value(how: Combine, value: Value) -> None:
    found = made(how, a=True if how in {"any", "all"} else 1 if how != "latest" else DAY, b=value)
    assert found.value is None
    assert found.problem


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("number", "12.5", 12.5),
        ("number", True, True),
        ("number", "many", "many"),
        ("bool", "no", False),
        ("bool", 1, True),
        ("date", "2026-03-01", DAY),
        ("datetime", "2026-03-01T09:00:00Z", LATER),
        ("datetime", DAY, DAY),
        ("string", "7", "7"),
        ("string", " ", None),
        ("number", None, None),
    ],
)
def test_a_text_is_read_as_the_kind_of_its_field(kind: FieldKind, value: Value, read: Value) -> None:
    assert of_kind(kind, value) == read


SCORES: Mapping[str, Value] = {"a": 80, "b": 30, "c": None}


@pytest.mark.parametrize(
    ("how", "source", "values", "value", "accounts"),
    [
        ("worst", "health.score", SCORES, 30, B),
        ("best", "health.score", SCORES, 80, A),
        ("worst", "health.reasons", {"a": "fine", "b": "few logins", "c": "nothing"}, "few logins", B),
        ("worst", "health.change_28d", {"a": -20, "b": None, "c": None}, None, B),
        ("worst", "health.status", {"a": "ok", "b": "ok", "c": "not_enough_data"}, "ok", B),
        ("best", "health.band", {"a": "green", "b": "red", "c": None}, "green", A),
        # A band lasts a while after its score has moved on: a red account is not hidden behind a lower yellow one.
        ("worst", "health.band", {"a": "red", "b": "yellow", "c": None}, "red", A),
        ("worst", "onboarding.status", {"a": "complete", "b": "behind", "c": "not_enough_data"}, "behind", B),
    ],
)
def test_the_worst_and_the_best_account_of_a_score(
    how: Combine, source: str, values: Mapping[str, Value], value: Value, accounts: tuple[str, ...]
) -> None:
    assert combine(how, values, "a", SCORES, source) == Combined(value, accounts)


def test_without_any_score_the_first_known_value_stands() -> None:
    values: Mapping[str, Value] = {"a": None, "b": "not_enough_data"}
    assert combine("worst", values, "a", {"a": None, "b": None}, "health.status") == Combined("not_enough_data", B)
    assert combine("worst", dict.fromkeys(AB), "a", dict.fromkeys(AB), "health.score") == Combined(None)
