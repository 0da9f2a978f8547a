"""A number and its noun agree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import worker
from worker.language.plural import counted

_NOUNS = (
    "accounts|alerts|calls|effects|errors|events|fields|files|jobs|playbooks|problems|records|results|rows|runs|"
    "secrets|tables|tasks|tests|values|warnings|writes"
)
_ALWAYS_SEVERAL = {
    "{limit:,} daily calls",
    "{settings.daily:,} daily calls",
    "{len(best)} PQL tasks",
    "{_MOST_TESTS} tests",
    "{text} runs",
    "{need.type} values",
    "{health.calls_limit:,} API calls",
    "{len(found)} accounts",
}
"""Numbers that are never 1 where they are printed, and what is no number."""


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 errors"), (1, "1 error"), (2, "2 errors"), (1_000, "1,000 errors"), (-1, "-1 errors")]
)
def test_one_is_singular_and_every_other_number_plural(count: int, text: str) -> None:
    assert counted(count, "error") == text


def test_a_verb_agrees_too() -> None:
    assert [counted(n, "row waits", "rows wait") for n in (1, 2)] == ["1 row waits", "2 rows wait"]


def test_no_message_puts_a_bare_number_before_a_plural() -> None:
    assert set(_bare_numbers()) == _ALWAYS_SEVERAL


def _bare_numbers() -> Iterator[str]:
    for file in Path(worker.__file__).parent.rglob("*.py"):
        for text in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(text, ast.JoinedStr):
                for number, after in zip(text.values, text.values[1:], strict=False):
                    noun = re.match(rf" (\w+ )?({_NOUNS})\b", str(getattr(after, "value", "")))
                    if isinstance(number, ast.FormattedValue) and isinstance(after, ast.Constant) and noun:
                        yield f"{ast.unparse(ast.JoinedStr([number]))[2:-1]}{noun[0]}"
