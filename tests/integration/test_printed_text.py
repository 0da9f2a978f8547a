"""What commands print fits the terminal between words; a pipe gets whole lines without trailing blanks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from typer.testing import CliRunner

from tests.integration.conftest import AS_OF, Stage
from worker.cli import app

INDENT = 10
DRAWN = str.maketrans("", "", "│┃─━┏┳┓┡╇┩├┼┤└┴┘└╰╭╮╯…")


def printed(stage: Stage, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    return CliRunner().invoke(app, [*command, "--project", str(stage.folder)], env=environment).stdout


def words(text: str) -> set[str]:
    """The words of a text, without the lines of tables, the colon after a title, and times, which pass."""
    return {word.rstrip(":") for word in text.translate(DRAWN).split() if not re.fullmatch(r"\d\d:\d\d", word)}


def test_every_report_is_whole_in_a_pipe_and_keeps_its_words_in_a_narrow_terminal(stage: Stage) -> None:
    as_of = ("--as-of", AS_OF.isoformat())
    stage.plgsync("run", *as_of, "--first-run")
    account = min(stage.results()["salesforce"]["fields"])
    later = ("--as-of", (AS_OF + timedelta(days=1)).isoformat())
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
