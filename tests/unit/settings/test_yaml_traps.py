"""What YAML would read differently from what its author meant is said, at its place."""

from __future__ import annotations

import pytest

from worker.settings.problems import ConfigError, Problem
from worker.settings.yaml_document import read_document


def problems(text: str) -> list[Problem]:
    """What is found in a file that can be read."""
    return list(read_document("demo.yaml", text.encode()).problems)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("wait: 1d\nwait: 2d\n", 2, 1, '"wait" is already set on line 1'),
        ("a: {b: 1, b: 2}\n", 1, 11, '"b" is already set on line 1'),
        ("country: NO\n", 1, 10, 'NO is read as false; write true or false, or "NO" in quotes'),
        ("live: on\n", 1, 7, "on is read as true"),
        ("- x\n".replace("- x", "all: [yes]"), 1, 7, "yes is read as true"),
        ("on: x\n", 1, 1, "a key named on is read as true"),
        ("No: x\n", 1, 1, "a key named No is read as false"),
        ("at: 12:30\n", 1, 5, "12:30 is read as a number to base 60"),
        ("at: 12:30.5\n", 1, 5, "base 60"),
        ("zip: 0123\n", 1, 6, "octal"),
        ("weight: .nan\n", 1, 9, "no number that can be compared"),
        ("weight: .inf\n", 1, 9, "no number that can be compared"),
        ("n: 1.0e+999\n", 1, 4, "too large"),
        ("n: 99999999999999999999\n", 1, 4, "too large"),
        ("day: 2026-02-31\n", 1, 6, "no number or date that exists"),
        ("subject: PQL #1 lead\n", 1, 13, 'everything after " #" is a comment'),
        ("? [a, b]\n: 1\n", 1, 3, "a key must be plain text"),
        ("subject: {{a}}\n", 1, 11, 'begins with "{{"'),
        ("? \n: x\n", 1, 2, 'there is no key before ":"'),
        ("all:\n  - account.country is Acme: Ltd\n", 2, 5, "put quotes around the whole line"),
        ("all:\n  - plan is pro:\n", 2, 5, "put quotes around the whole line"),
        ("enters:\n  score >= 5: x\n", 2, 3, "put quotes around the whole line"),
        ('name: "a\\0b"\n', 1, 7, "invisible control character"),
        ('name: "\\uD800"\n', 1, 7, "invisible control character"),
        ('"a\\x07": 1\n', 1, 1, "invisible control character"),
    ],
)
def test_each_trap_is_an_error_at_its_place(text: str, line: int, column: int, says: str) -> None:
    (problem,) = problems(text)
    assert says in problem.message
    assert (problem.line, problem.column, problem.severity) == (line, column, "error")


def test_a_version_number_that_loses_its_zero_is_warned_of() -> None:
    (problem,) = problems("release: 1.10\n")
    assert (problem.line, problem.column, problem.severity) == (1, 10, "warning")
    assert "1.10 is read as the number 1.1" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "a: true\nb: False\n",
        "a: \"NO\"\nb: 'on'\n",
        '"on": x\n',
        'a: "12:30"\n',
        "a: 1.0\nb: 0.55\nc: 0\nd: 10\ne: -5\n",
        "wait: 1d  # a comment with a space\n",
        "wait: 1d # a comment\n",
        'subject: "PQL #1"\n',
        "url: https://example.com/#top\n",
        "body: |\n  Ticket #1 for {{account.name}}\n",
        "points:\n  Contact Sales Clicked: 25\n  Sign in Clicked: 3\n",
        "list:\n  - create_task: {key: a}\n",
        "text: 'it''s: fine'\n",
    ],
)
def test_what_is_meant_as_it_stands_is_left_alone(text: str) -> None:
    assert problems(text) == []


def test_all_traps_of_a_file_are_found_at_once() -> None:
    found = problems("a: yes\nb: 12:30\na: 1\nc: x #y\n")
    assert [(one.line, one.column) for one in found] == [(1, 4), (2, 4), (3, 1), (4, 5)]


def test_the_first_of_two_equal_keys_stays() -> None:
    assert read_document("demo.yaml", b"a: 1\na: 2\n").data == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("a:\n  b: 1\n c: 2\n", 3, 2, "the indentation of this line does not fit"),
        ("a: 1\n  b: 2\n", 2, 4, "check the indentation of this line"),
        ("a: [1, 2\nb: 3\n", 2, 2, "is missing here"),
        ('a: "b\n', 1, 4, "the closing quote"),
        ("a: @b\n", 1, 4, 'a text cannot begin with "@"'),
    ],
)
def test_a_file_that_is_no_yaml_is_refused_at_the_place(text: str, line: int, column: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_document("demo.yaml", text.encode())
    (problem,) = caught.value.problems
    assert says in problem.message
    assert (problem.line, problem.column) == (line, column)
