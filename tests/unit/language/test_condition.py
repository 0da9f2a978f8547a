"""Trees of tests: three-valued answers, traces, and every mistake at once."""

from __future__ import annotations

import pytest

from worker.language.condition import parse_condition, with_loc
from worker.language.errors import LanguageError
from worker.language.need import Need

T, F, U = "t is true", "f is true", "u is true"
FACTS = {"t": True, "f": False}


@pytest.mark.parametrize(
    ("node", "truth"),
    [
        ({"all": [T, F, U]}, False),
        ({"all": [T, U]}, None),
        ({"all": [T, T]}, True),
        ({"any": [F, U, T]}, True),
        ({"any": [F, U]}, None),
        ({"any": [F, F]}, False),
        ({"not": U}, None),
        ({"not": {"any": [F]}}, True),
        ({"if": U, "when_missing": False}, False),
        ({"if": U, "when_missing": True}, True),
        ({"if": T, "when_missing": False}, True),
    ],
)
def test_unknown_is_neither_true_nor_false(node: object, truth: bool | None) -> None:
    assert parse_condition(node).truth(FACTS) is truth


def test_the_pql_example_of_the_design() -> None:
    node = {"any": ["count(Hand Raised, 7d) >= 1", {"all": ["fit.score >= 50", "pql.score >= 70"]}]}
    condition = parse_condition(node)
    assert condition.truth({"count(Hand Raised, 7d)": 1}) is True
    assert condition.truth({"count(Hand Raised, 7d)": 0, "pql.score": 10}) is False
    assert condition.truth({"count(Hand Raised, 7d)": 0, "pql.score": 90}) is None


def test_a_trace_shows_every_test_with_what_it_saw() -> None:
    trace = parse_condition({"all": ["a / b >= 80%", {"not": "plan is free"}]}, ("audience",)).trace({"a": 8, "b": 10})
    assert (trace.text, trace.truth) == ("all", None)
    assert [(one.text, one.truth, one.seen, one.loc) for one in trace.tests()] == [
        ("a / b >= 80%", True, (("a", 8), ("b", 10)), ("audience", "all", 0)),
        ("plan is free", None, (("plan", None),), ("audience", "all", 1, "not")),
    ]


def test_needs_carry_their_place() -> None:
    condition = parse_condition({"any": ["count(Signed In, 1w) / seats > 2", "change(mrr, 28d) > 0"]})
    assert list(condition.needs()) == [
        (("any", 0), Need("count", "Signed In", 7)),
        (("any", 0), Need("field", "seats")),
        (("any", 1), Need("change", "mrr", 28)),
    ]
    assert [mention.column for _, mention in condition.mentions()] == [0, 23, 0]


def test_every_wrong_line_is_reported_not_only_the_first() -> None:
    node = {"all": ["a == 1", "b is 2", {"any": ["c", "d > red"]}]}
    with pytest.raises(LanguageError) as caught:
        parse_condition(node, ("when", "enters"))
    assert [(problem.loc, problem.column) for problem in caught.value.problems] == [
        (("when", "enters", "all", 0), 2),
        (("when", "enters", "all", 2, "any", 0), 1),
        (("when", "enters", "all", 2, "any", 1), 4),
    ]


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (None, "nothing here"),
        (True, "not just true"),
        (1.1, "not just 1.1"),
        ([T], "under all: (every one must hold) or any:"),
        ({"all": []}, "empty"),
        ({"all": T}, "needs a list"),
        ({"all": [T], "any": [F]}, "stand side by side"),
        ({"all": [T], "note": "x"}, 'unexpected key "note" beside "all"'),
        ({"all": [T] * 501}, "more than 500 tests"),
        ({"al": [T]}, 'Did you mean "all"?'),
        ({"account.country is Acme": "x"}, "put quotes around the whole line"),
        ({"if": T}, "also needs when_missing"),
        ({"if": T, "when_missing": "no"}, "true or false"),
        ({"if": T, "when_mising": True}, 'Did you mean "when_missing"?'),
        ({}, "expected a test"),
    ],
)
def test_shapes_that_are_no_condition_are_refused_with_advice(node: object, says: str) -> None:
    with pytest.raises(LanguageError, match=says.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        parse_condition(node)


def test_endless_nesting_is_refused() -> None:
    node: object = T
    for _ in range(100):
        node = {"not": node}
    with pytest.raises(LanguageError, match="nested more than"):
        parse_condition(node)


def test_conditions_are_values() -> None:
    one, same = parse_condition({"all": [T, "a  =  1"]}), parse_condition({"all": [T, "a is 1"]}, ("elsewhere",))
    assert one == same
    assert hash(one) == hash(same)
    assert parse_condition("a is true") != parse_condition("a is 1")
    assert next(iter(with_loc(one, ("goal", "when")).comparisons()))[0] == ("goal", "when", "all", 0)


def test_a_condition_is_shown_in_one_line() -> None:
    node = {"all": [T, {"any": [F, {"not": U}]}, {"if": U, "when_missing": False}]}
    assert str(parse_condition(node)) == (
        "all(t is true; any(f is true; not(u is true)); when_missing(u is true, false))"
    )
