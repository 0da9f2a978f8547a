"""Text from outside is text: no markup, and nothing that a terminal obeys."""

from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from connectors.base.values import one_line, printable
from worker.rendering.console import UNFOLDED, OneLine, PlainConsole

_STYLES = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "[/x] A\x1b]0;owned\x07\x1b[2J\u202e[bold]b[/bold] :smile:"


def printed(renderable: object, *, terminal: bool = False, width: int = UNFOLDED) -> str:
    file = io.StringIO()
    PlainConsole(file=file, width=width, force_terminal=terminal, color_system="standard").print(renderable)
    return file.getvalue()


def table(text: str) -> Table:
    made = Table(title=text)
    made.add_column(text)
    made.add_row(text)
    return made


def test_brackets_are_no_markup_and_colons_no_emoji() -> None:
    for renderable in (HOSTILE, table(HOSTILE), Tree(HOSTILE), Text(HOSTILE, style="bold")):
        shown = printed(renderable)
        assert "[/x] A" in shown
        assert "[bold]b[/bold] :smile:" in shown


@given(st.text())
def test_no_character_of_a_text_controls_the_terminal(text: str) -> None:
    for renderable in (text, table(text), Tree(text), Text(text, style="red")):
        plain = _STYLES.sub("", printed(renderable, terminal=True))
        assert all(c == "\n" or c.isprintable() for c in plain)


@given(st.text())
def test_an_ascii_terminal_gets_ascii(text: str) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    console = PlainConsole(file=file, width=60)
    for renderable in (text, table(text), Tree(text), Text(text, style="red"), OneLine("1 → 2 · – …")):
        console.print(renderable)
    file.flush()
    assert raw.getvalue().decode("ascii").endswith("1 -> 2 - - ...\n")


@given(st.text())
def test_a_value_never_makes_another_line(text: str) -> None:
    made = (table, Tree, OneLine, lambda one: OneLine("a ").append(one), lambda one: one, lambda one: Group(one, one))
    for renderable in made:
        assert printed(renderable(text)) == printed(renderable(one_line(text)))


@given(st.text())
def test_printable_changes_only_what_cannot_be_shown(text: str) -> None:
    clean = printable(text)
    assert len(clean) == len(text)
    assert all(a == b or not a.isprintable() for a, b in zip(text, clean, strict=True))
    assert printable(clean) == clean


def wide_table() -> Table:
    made = Table("destination", "what", title="Outbox", title_justify="left", caption="and more")
    made.add_row("salesforce-production", Text("the CRM rejected the value of Health_Score__c"))
    made.add_row("hubspot", "")
    return made


def test_a_table_folds_between_words_when_they_fit_side_by_side() -> None:
    lines = _STYLES.sub("", printed(wide_table(), width=45)).splitlines()
    assert max(map(len, lines)) <= 45
    shown = " ".join(line.strip("│┃ ") for line in lines)
    assert "salesforce-production" in shown
    assert "Health_Score__c" in shown


def test_a_table_whose_words_do_not_fit_is_printed_as_lists() -> None:
    assert _STYLES.sub("", printed(wide_table(), width=35)).splitlines() == [
        "Outbox",
        "destination: salesforce-production",
        "what: the CRM rejected the value of",
        "Health_Score__c",
        "",
        "destination: hubspot",
        "and more",
    ]


def test_no_line_ends_with_blanks() -> None:
    tree = Tree("branch  ")
    tree.add(Text("leaf \n next  ", style="red"))
    for renderable in ("text  ", Text("a  \nb ", style="bold"), wide_table(), tree, Group("x ", "")):
        lines = _STYLES.sub("", printed(renderable)).split("\n")
        assert lines == [line.rstrip() for line in lines]


def test_a_pipe_gets_every_text_in_one_line() -> None:
    assert printed(Text("word " * 500)) == ("word " * 500).strip() + "\n"


def test_a_row_of_a_table_is_one_line_where_it_fits() -> None:
    table = Table()
    for title in ("object", "state"):
        table.add_column(title)
    table.add_row("account", OneLine("created"))
    assert len(_STYLES.sub("", printed(table, width=60)).splitlines()) == 5
