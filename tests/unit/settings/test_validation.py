"""What a model refuses is said in an admin's words, at the line and column of what is wrong."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import AwareDatetime, Field, model_validator

from worker.settings.base import (
    ConditionTree,
    DurationText,
    ExpressionText,
    Finding,
    NumberText,
    Percent,
    RateText,
    SecretRef,
    Strict,
    TemplateText,
)
from worker.settings.problems import Problem
from worker.settings.validation import place_findings, validate
from worker.settings.yaml_document import read_document


class Call(Strict):
    kind: Literal["call"]
    number: str


class Mail(Strict):
    kind: Literal["mail"]
    subject: TemplateText
    priority: Literal["high", "low"] = "low"


class Part(Strict):
    name: str
    weight: Annotated[float, Field(gt=0)] = 1
    from_: str | None = Field(default=None, alias="from")

    @model_validator(mode="after")
    def _named(self) -> Part:
        if self.name == "nobody":
            raise ValueError("nobody is no name")
        return self


class Demo(Strict):
    version: Literal[1]
    title: str = ""
    mode: Literal["off", "preview", "live"] = "preview"
    count: Annotated[int, Field(ge=1, le=5)] = 1
    live: bool = False
    day: date | None = None
    wait: DurationText | None = None
    limit: RateText | None = None
    share: Percent = 0.5
    bad: NumberText = 0
    token: SecretRef = "env:TOKEN"
    when: ConditionTree | None = None
    measure: ExpressionText | None = None
    parts: tuple[Part, ...] = ()
    groups: dict[str, Part] = Field(default_factory=dict)
    steps: tuple[Annotated[Call | Mail, Field(discriminator="kind")], ...] = ()
    names: str | list[str] = ""
    tags: Annotated[tuple[str, ...], Field(max_length=2)] = ()
    code: Annotated[str, Field(min_length=2)] = "ab"
    at: AwareDatetime | None = None
    place: str | dict[str, Part] = ""


def check(text: str) -> tuple[Demo | None, list[Problem]]:
    settings, problems = validate(Demo, read_document("demo.yaml", text.encode()))
    return settings, list(problems)


def only(text: str) -> Problem:
    settings, problems = check(text)
    assert settings is None
    (problem,) = problems
    return problem


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("title: x\n", 1, 1, '"version" is missing'),
        ("version: 2\n", 1, 10, "2 is not a version this program reads; write 1"),
        ("version: 1\nmood: live\n", 2, 1, 'unknown setting "mood". Did you mean "mode"?'),
        (
            "version: 1\nparts:\n  - {name: a, wieght: 3}\n",
            3,
            15,
            'unknown setting "wieght" in parts. Did you mean "weight"?',
        ),
        (
            "version: 1\nparts:\n  - {name: a, from_: b}\n",
            3,
            15,
            'unknown setting "from_" in parts. Did you mean "from"?',
        ),
        ("version: 1\ngroups:\n  one: {nam: a, name: b}\n", 3, 9, 'unknown setting "nam" in one. Did you mean "name"?'),
        ("version: 1\ngroups:\n  one: {}\n", 3, 3, '"name" is missing in one'),
        ("version: 1\nparts:\n  - weight: 2\n", 3, 5, '"name" is missing in parts'),
        ("version: 1\nmode: lvie\n", 2, 7, '"lvie" is not one of: off, preview, live. Did you mean "live"?'),
        ("version: 1\ntitle: 67.0\n", 2, 8, '67.0 is read as a number: put quotes around it: "67.0"'),
        ("version: 1\ntitle: 2026-11-23\n", 2, 8, "2026-11-23 is read as a date"),
        ("version: 1\ntitle: true\n", 2, 8, "true is read as true/false"),
        ("version: 1\ntitle:\n", 2, 7, "expected text; nothing is written here"),
        ("version: 1\ntitle: [a]\n", 2, 1, "expected text, not a list"),
        ("version: 1\ntitle: {a: b}\n", 2, 1, "expected text, not a block of settings"),
        ("version: 1\ncount: many\n", 2, 8, "expected a whole number, not many"),
        ("version: 1\ncount: 1.5\n", 2, 8, "expected a whole number, not 1.5"),
        ("version: 1\ncount: 9\n", 2, 8, "must be at most 5"),
        ("version: 1\ncount: true\n", 2, 8, "expected a number, not true"),
        ("version: 1\nparts: [{name: a, weight: false}]\n", 2, 27, "must be more than 0"),
        ("version: 1\ntags: [a, b, c]\n", 2, 1, "must have at most 2 entries"),
        ("version: 1\ncode: a\n", 2, 7, "must have at least 2 characters"),
        ('version: 1\nat: "2026-01-01T00:00:00"\n', 2, 5, "input should have timezone info"),
        ("version: 1\nplace: {one: {name: a, wieght: 3}}\n", 2, 24, 'unknown setting "wieght" in one. Did you mean'),
        ("version: 1\nlive: maybe\n", 2, 7, "expected true or false, not maybe"),
        ("version: 1\nday: soon\n", 2, 6, "expected a date (YYYY-MM-DD), not soon"),
        ("version: 1\nwait: 3\n", 2, 7, "expected text such as 3d"),
        ("version: 1\nwait: 3 months\n", 2, 7, "3 months"),
        ("version: 1\nlimit: often\n", 2, 8, "is not a rate"),
        ("version: 1\nshare: 30\n", 2, 8, "write 30% for 30 per cent"),
        ("version: 1\nshare: 130%\n", 2, 8, "between 0% and 100%"),
        ("version: 1\nbad: much\n", 2, 6, "is not a number"),
        ("version: 1\nparts: {name: a}\n", 2, 1, "expected a list"),
        ("version: 1\nparts: [a]\n", 2, 9, "expected a block of settings"),
        ("version: 1\nparts: [{name: nobody}]\n", 2, 9, "nobody is no name"),
        ("version: 1\ngroups:\n  one:\n    name: nobody\n", 3, 3, "nobody is no name"),
        (
            "version: 1\nsteps:\n  - {kind: mial, subject: a}\n",
            3,
            12,
            '"mial" is not one of: call, mail. Did you mean "mail"?',
        ),
        ("version: 1\nsteps:\n  - {subject: a}\n", 3, 5, '"kind" is missing'),
        ("version: 1\nsteps:\n  - {kind: mail}\n", 3, 5, '"subject" is missing in steps'),
        (
            "version: 1\nsteps:\n  - {kind: mail, subject: a, priority: hihg}\n",
            3,
            40,
            '"hihg" is not one of: high, low. Did you mean "high"?',
        ),
        ("version: 1\nsteps:\n  - {kind: call, number: 5}\n", 3, 26, "5 is read as a number"),
        ("version: 1\nnames: 5\n", 2, 8, "expected text or a list"),
        ("version: 1\nnames: [a, 5]\n", 2, 12, "5 is read as a number"),
    ],
)
def test_each_refusal_has_its_place_and_plain_words(text: str, line: int, column: int, says: str) -> None:
    problem = only(text)
    assert says in problem.message
    assert (problem.line, problem.column) == (line, column)


def test_all_problems_of_a_file_come_at_once_in_order() -> None:
    _, problems = check("mode: lvie\ncount: 9\ntitle: 1\nfour: 4\nlive: on\n")
    assert [problem.line for problem in problems] == [1, 1, 2, 3, 4, 5]


def test_a_condition_is_pointed_at_inside_its_text() -> None:
    problem = only("version: 1\nwhen:\n  all:\n    - plan is pro\n    - health.score << 40\n")
    assert problem.line == 5
    assert problem.column > len("    - health.score")


def test_every_wrong_test_of_a_condition_is_said() -> None:
    _, problems = check("version: 1\nwhen:\n  any:\n    - plan ist pro\n    - plan is free\n    - score => 5\n")
    assert [problem.line for problem in problems] == [4, 6]


def test_right_settings_come_out_parsed() -> None:
    settings, problems = check(
        "version: 1\nwait: 3d\nshare: 30%\nbad: -50%\nwhen: plan is pro\nparts: [{name: a, from: b}]\n"
    )
    assert problems == []
    assert settings is not None
    assert (settings.share, settings.bad) == (0.3, -0.5)
    assert settings.when is not None
    assert settings.when.truth({"plan": "pro"}) is True
    assert settings.parts[0].from_ == "b"


@pytest.mark.parametrize("secret", ["hunter2", "'hunter2'", "12345678", "plain:hunter2"])
def test_a_secret_in_clear_is_refused_and_never_repeated(secret: str) -> None:
    problem = only(f"version: 1\ntoken: {secret}\n")
    assert "must not stand in a file in clear" in problem.message
    assert (problem.line, problem.column) == (2, 8)
    assert secret.strip("'") not in problem.format()


def test_a_secret_where_a_block_belongs_is_not_repeated() -> None:
    problem = only("version: 1\nsteps: [{kind: mail, subject: a}, hunter2]\n")
    assert "hunter2" not in problem.message


@pytest.mark.parametrize("reference", ['"env:"', "'file:'", '"env: X"'])
def test_a_reference_to_nothing_is_refused(reference: str) -> None:
    settings, problems = check(f"version: 1\ntoken: {reference}\n")
    assert settings is None
    assert problems


def test_a_trap_is_not_complained_of_twice() -> None:
    problem = only("version: 1\ntitle: NO\n")
    assert "read as false" in problem.message


def test_a_lost_zero_matters_only_where_text_is_expected() -> None:
    problem = only("version: 1\ntitle: 1.10\n")
    assert 'put quotes around it: "1.10"' in problem.message
    settings, problems = check("version: 1\nshare: 0.50\n")
    assert settings is not None
    assert [problem.severity for problem in problems] == ["warning"]


def test_findings_of_a_check_get_their_place() -> None:
    document = read_document("demo.yaml", b"groups:\n  one:\n    name: a bc\n")
    findings = [
        Finding(("groups", "one", "name"), "inside", column=2),
        Finding(("groups", "one"), "block"),
        Finding(("groups", "one", "name"), "key", of_key=True, severity="warning"),
        Finding(("groups", "two", "x"), "not there"),
    ]
    placed = [(one.line, one.column, one.message, one.severity) for one in place_findings(document, findings)]
    assert placed == [
        (3, 13, "inside", "error"),
        (2, 3, "block", "error"),
        (3, 5, "key", "warning"),
        (1, 1, "not there", "error"),
    ]
