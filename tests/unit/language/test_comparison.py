"""One line: what it accepts, what it refuses and how it says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from worker.language.comparison import parse_comparison
from worker.language.condition import parse_condition
from worker.language.errors import LanguageError
from worker.language.values import Fields

FACTS: Fields = {
    "plan": " Pro ",
    "mrr": 120.5,
    "seats_used": 17,
    "seat_limit": 20,
    "no_seats": 0,
    "is_internal": False,
    "created_at": datetime(2026, 1, 1, 15, tzinfo=UTC),
    "renewal": date(2026, 6, 30),
    "age_days": 56,
    "industry": "Financial Services",
    "count(Contact Sales Clicked, 7d)": 2,
    "users(Limit Reached, 14d)": 3,
    "days_since(Signed In)": 4.5,
    "first(Signed In)": datetime(2026, 1, 2, 15, tzinfo=UTC),
    "change(health.score, 28d)": -20,
    "broken": float("nan"),
    "endless": float("inf"),
    "nothing": None,
}


@pytest.mark.parametrize(
    ("line", "truth"),
    [
        ("plan is pro", True),
        ("plan = PRO", True),
        ("plan is not free", True),
        ("plan != pro", False),
        ("plan in [free, 'pro']", True),
        ("plan not in [free, trial]", True),
        ("PLAN is pro", None),
        ('industry is "financial services"', True),
        ("mrr > 120", True),
        ("mrr between 120.5 and 121", True),
        ("seats_used / seat_limit >= 85%", True),
        ("seats_used / seat_limit > 85%", False),
        ("seat_limit - seats_used is 3", True),
        ("seats_used -17 = 0", True),
        ("seats_used * 2 < 34.5", True),
        ("is_internal is false", True),
        ("is_internal is not false", False),
        ("created_at is 2026-01-01", True),
        ("created_at >= 2026-01-02", False),
        ("created_at <= 2026-01-01", True),
        ("created_at > 2026-01-01T14:59Z", True),
        ("created_at > 2026-01-01T16:30+02:00", True),
        ("renewal between 2026-06-01 and 2026-06-30", True),
        ("renewal < 2026-06-30T00:00:01", True),
        ("age_days >= 8w", True),
        ("age_days > 56d", False),
        ("count(Contact Sales Clicked, 7d) >= 1", True),
        ("COUNT( Contact Sales Clicked , 1w ) is 2", True),
        ('users("Limit Reached", 14d) in [3, 4]', True),
        ("days_since(Signed In) <= 5", True),
        ("first(Signed In) < 2026-01-03", True),
        ("FIRST( Signed In ) < 2026-01-02", False),
        ("change(health.score, 28d) <= -20", True),
        ("mrr is known", True),
        ("mrr is missing", False),
        ("nothing is missing", True),
        ("never.heard.of is missing", True),
        ("broken is missing", True),
    ],
)
def test_a_test_answers_from_the_facts(line: str, truth: bool | None) -> None:
    assert parse_condition(line).truth(FACTS) is truth


@pytest.mark.parametrize(
    "line",
    [
        "nothing is pro",
        "nothing is not pro",
        "nothing not in [pro]",
        "nothing between 1 and 2",
        "seats_used / no_seats >= 85%",
        "seats_used / no_seats is not 1",
        "seats_used / nothing < 1",
        "nothing * 0 is 0",
        "broken > 0",
        "broken is not 1",
        "endless > 0",
        "is_internal is 0",
        "is_internal < 1",
        "is_internal + 1 is 1",
        "plan > 3",
        "plan is not true",
        "mrr is not pro",
        "mrr is true",
        "mrr > 2026-01-01",
        "renewal is not 20260630",
    ],
)
def test_missing_divided_by_zero_and_another_kind_are_unknown(line: str) -> None:
    assert parse_condition(line).truth(FACTS) is None


@pytest.mark.parametrize(
    ("line", "column", "says"),
    [
        ("a == 3", 2, 'write "is" or "="'),
        ("a equals 3", 2, 'write "is"'),
        ("a <> 3", 2, '"is not"'),
        ("a is greater than 5", 2, 'write ">"'),
        ("a is at least 5", 2, 'write ">="'),
        ("a ≥ 5", 2, 'write ">="'),
        ("a isn't red", 2, '"is not"'),
        ("a is null", 5, '"is missing"'),
        ("a is not empty", 9, '"is known"'),
        ("a is yes", 5, '"is true"'),
        ("a is not in [b]", 2, '"not in"'),
        ("a contains b", 2, "not available"),
        ("plan is free and seats > 3", 13, "one test per line"),
        ("plan is free && seats > 3", 13, "one test per line"),
        ("plan is free or pro", 13, "one test per line"),
        ("plan is free\nseats > 3", 12, "one test per line"),
        ("not plan is free", 0, '"not:"'),
        ("plan is Financial Services", 18, "in quotes"),
        ("plan in pro, free", 11, "go into a list"),
        ('plan in "pro"', 8, "square brackets"),
        ("plan is pro, free", 11, "into a list"),
        ("a / b / c > 3", 6, "only one arithmetic operator"),
        ("a <= b * 0.6", 7, "only the left side calculates"),
        ("a < 5 + 3", 6, "only the left side calculates"),
        ("cuont(X, 7d) > 1", 0, 'Did you mean "count"?'),
        ("a btween 3 and 6", 2, 'Did you mean "between"?'),
        ("a between 6 and 3", 10, "between 3 and 6"),
        ("a in [1, red]", 9, "of one kind"),
        ("a < red", 4, "not a text; to compare two fields"),
        ("count(X, 7d) is red", 16, "cannot be compared with a text"),
        ("a / b is true", 9, "cannot be compared with true/false"),
        ("count(X, 7h) > 1", 9, "whole days"),
        ("count(X, 0d) > 1", 9, "between 1 and"),
        ("count(X, 100000d) > 1", 9, "too large"),
        ('count("  ", 7d) > 1', 6, "the name of the event is empty"),
        ("count(X) > 1", 7, 'expected ","'),
        ("a > " + "9" * 61, 4, "too many digits"),
        ("a * " + "9" * 61 + " > 1", 4, "too many digits"),
        ("a > 1,000", 5, "thousands"),
        ("a > $5", 4, "currency"),
        ("a > 5 7", 6, "neither a number nor a date"),
        ("a is 2026-13-01", 5, "not a date of the calendar"),
        ("a > 5bd", 4, "cannot be compared with"),
        ("5 < a", 0, "start with the field"),
        ("a", 1, "expected a comparison"),
        ("a >=", 4, "expected a value"),
        ("", 0, "empty"),
        ("a is b" + "b" * 2000, 0, "characters long"),
    ],
)
def test_what_is_refused_says_where_and_what_to_write(line: str, column: int, says: str) -> None:
    with pytest.raises(LanguageError) as caught:
        parse_condition(line)
    assert says in caught.value.message
    assert caught.value.column == column


def test_a_word_with_a_meaning_is_a_text_when_quoted() -> None:
    assert parse_condition('status is "unknown"').truth({"status": "Unknown"}) is True


def test_a_value_of_another_kind_is_named_in_the_trace() -> None:
    trace = parse_condition("mrr is pro").trace({"mrr": 12})
    assert trace.truth is None
    assert trace.incomparable == "mrr is a number, compared with a text"


def test_a_moment_without_a_counterpart_in_utc_is_unknown() -> None:
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    assert parse_condition("renewal < 2026-07-01").truth({"renewal": first}) is None


def test_a_range_is_written_back_as_it_reads() -> None:
    assert str(parse_comparison("seats between 1 and 2.50")) == "seats between 1 and 2.5"
