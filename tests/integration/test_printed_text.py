"""What commands print fits the terminal between words; a pipe gets whole lines without trailing blanks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.conftest import AS_OF, RUN_DAYS, Stage
from tests.integration.measured import remembering
from worker import service
from worker.cli import app
from worker.reports import fields

INDENT = 10
DRAWN = str.maketrans("", "", "│┃─━┏┳┓┡╇┩├┼┤└┴┘└╰╭╮╯…")


def once(work: Callable[..., Any]) -> Callable[..., Any]:
    """What the first call answers, for every call."""
    found: list[Any] = []

    def answer(*arguments: Any, **more: Any) -> Any:
        found[:] = found or [work(*arguments, **more)]
        return found[0]

    return answer


@pytest.fixture(autouse=True)
def measured_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A report is made once and printed at every width: each measures all signals, for two seconds."""
    for module, name in ((service, "make_plan"), (service, "explain_account"), (fields, "list_fields")):
        monkeypatch.setattr(module, name, once(getattr(module, name)))
    with remembering():
        yield


def printed(stage: Stage, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    return CliRunner().invoke(app, [*command, "--project", str(stage.folder)], env=environment).stdout


def words(text: str) -> set[str]:
    """The words of a text, without the lines of tables, the colon after a title, and times, which pass."""
    return {word.rstrip(":") for word in text.translate(DRAWN).split() if not re.fullmatch(r"\d\d:\d\d", word)}


def test_every_report_is_whole_in_a_pipe_and_keeps_its_words_in_a_narrow_terminal(
    stage_after_runs: Stage,
) -> None:
    stage, as_of = stage_after_runs, ("--as-of", RUN_DAYS[-1])
    account = min(stage.results()["salesforce"]["fields"])
    later = ("--as-of", AS_OF.isoformat())
    for command in (
        ["status"],
        ["plan", *later],
        ["outbox", "list"],
        ["history", account],
        ["explain", account, *as_of],
        ["fields"],
    ):
        piped = printed(stage, command).splitlines()
        assert piped, command
        assert [line for line in piped if line != line.rstrip()] == [], command
        for columns in (60, 80):
            narrow = printed(stage, command, {"COLUMNS": str(columns)})
            assert max(map(len, narrow.splitlines())) <= columns, command
            whole = words("\n".join(piped))
            too_long = " ".join(word for word in whole if len(word) > columns - INDENT)
            assert [word for word in words(narrow) - whole if word not in too_long] == [], (command, columns)
