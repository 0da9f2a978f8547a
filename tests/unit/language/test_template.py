"""Templates, units and suggestions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from worker.language.errors import LanguageError
from worker.language.expression import parse_expression
from worker.language.suggest import nearest, suggestion
from worker.language.template import parse_template
from worker.language.units import Duration, Rate, parse_duration, parse_number, parse_rate
from worker.language.values import Value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        ("", "unknown"),
        ("  ", "unknown"),
        (" Acme ", "Acme"),
        (72, "72"),
        (72.0, "72"),
        (0.1 + 0.2, "0.3"),
        (-0.001, "0"),
        (float("nan"), "unknown"),
        (True, "yes"),
        (date(2026, 11, 23), "2026-11-23"),
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23"),
        (datetime(2026, 11, 23, 10, 5, tzinfo=UTC), "2026-11-23 10:05 UTC"),
    ],
)
def test_a_filled_gap_reads_well_and_is_never_blank(value: Value, shown: str) -> None:
    assert parse_template("<{{ x.y }}>").render({"x.y": value}) == f"<{shown}>"


def test_a_template_of_one_gap_keeps_the_kind_of_its_value() -> None:
    assert parse_template("{{pql.score}}").value({"pql.score": 72.5}) == 72.5
    assert parse_template("{{pql.score}}").value({}) is None
    assert parse_template("PQL {{pql.score}}").value({"pql.score": 72.5}) == "PQL 72.5"


def test_a_template_cuts_with_an_ellipsis() -> None:
    assert parse_template("{{a}}").render({"a": "x" * 300}, cut=255) == "x" * 254 + "…"
    assert parse_template("{{a}}").render({"a": "x" * 255}, cut=255) == "x" * 255


def test_a_function_can_be_filled_in() -> None:
    template = parse_template("{{count(Signed In, 7d)}} sign-ins")
    assert [mention.need.key for mention in template.mentions] == ["count(Signed In, 7d)"]
    assert template.render({"count(Signed In, 7d)": 3}) == "3 sign-ins"


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("Hi {{}}", 5, "empty"),
        ("Hi {{ a | upper }}", 8, "filters"),
        ("Hi {account.name}", 3, "two braces"),
        ("Hi {{a", 3, 'no "}}"'),
        ("Hi a}}", 4, 'no "{{"'),
        ("{% if x %}", 0, "not available"),
        ("Hi {{ a + 1 }}", 6, "one field or function"),
        ("Hi {{ a b }}", 8, "did not expect"),
        ("x" * 20_001, 0, "longer than 20000 characters"),
    ],
)
def test_a_wrong_template_says_where(text: str, column: int, says: str) -> None:
    with pytest.raises(LanguageError) as caught:
        parse_template(text)
    assert says in caught.value.message
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("24h", Duration("hours", 24)),
        ("3d", Duration("days", 3)),
        ("2w", Duration("days", 14)),
        ("5bd", Duration("business_days", 5)),
        ("2 runs", Duration("runs", 2)),
        ("1 run", Duration("runs", 1)),
    ],
)
def test_durations(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration
    assert parse_duration(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("3 days", "write 3d"),
        ("2 business days", "write 2bd"),
        ("3", "needs a unit"),
        ("5 minutes", "hours"),
        ("soon", "24h"),
        ("36501d", "too large"),
        ("1234567890d", "too large"),
    ],
)
def test_a_wrong_duration_says_what_to_write(text: str, says: str) -> None:
    with pytest.raises(LanguageError, match=says):
        parse_duration(text)


def test_rates_and_numbers() -> None:
    assert parse_rate("5 per day") == Rate(5, 1)
    assert parse_rate("2 per 365d") == Rate(2, 365)
    assert parse_rate("3 per week") == Rate(3, 7)
    assert parse_number("80%") == 0.8
    assert parse_number("-50%") == -0.5
    for text in ("5 a day", "per day", "5 per 0d"):
        with pytest.raises(LanguageError):
            parse_rate(text)
    for text in ("many", "1" * 70, "1" * 30):
        with pytest.raises(LanguageError):
            parse_number(text)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("healht.score", "health.score"),
        ("fre", "free"),
        ("rde", "red"),
        ("Plan", "plan"),
        ("score", "health.score"),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_guess_is_near_or_not_made(word: str, meant: str | None) -> None:
    known = ["health.score", "free", "plan", "health.band", "red"]
    assert nearest(word, known) == meant
    assert suggestion(word, known, ". Known: some") == (f'. Did you mean "{meant}"?' if meant else ". Known: some")


def test_an_expression_names_what_it_needs() -> None:
    expression = parse_expression(" seats_used / users(Signed In, 28d) ")
    assert {need.key for need in expression.needs()} == {"seats_used", "users(Signed In, 28d)"}
    assert expression.value({"seats_used": 3, "users(Signed In, 28d)": 2}) == 1.5
    assert expression.value({"seats_used": 3}) is None
    assert expression.value({"seats_used": 3, "users(Signed In, 28d)": 0}) is None


@pytest.mark.parametrize(("text", "span"), [("36h", timedelta(hours=36)), ("2w", timedelta(days=14))])
def test_hours_and_days_have_a_fixed_length(text: str, span: timedelta) -> None:
    assert parse_duration(text).span == span


@pytest.mark.parametrize("text", ["5bd", "2 runs"])
def test_business_days_and_runs_have_no_fixed_length(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{text} has no fixed length$"):
        parse_duration(text).span  # noqa: B018 - reading it is what is refused
