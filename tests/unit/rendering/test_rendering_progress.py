"""The progress of a command: one line on a terminal, after two seconds, of which nothing is left."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import copy_context

import pytest

from tests.terminal import Terminal, open_terminal
from worker.rendering.progress import ProgressLine, progress
from worker.telemetry.steps import Step, report_step


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    with open_terminal() as one:
        yield one


@contextmanager
def working(terminal: Terminal, clock: Callable[[], float]) -> Iterator[None]:
    """Work on a terminal."""
    with redirect_stderr(terminal.stream), progress(clock):
        yield


def test_nothing_is_written_before_two_seconds(terminal: Terminal, clock: Clock) -> None:
    with working(terminal, clock):
        report_step("reading the accounts")
        clock.seconds = 1.9
        report_step("scoring accounts")
    assert terminal.written() == ""


def test_the_step_its_count_and_the_seconds_are_shown_and_then_erased(terminal: Terminal, clock: Clock) -> None:
    with working(terminal, clock):
        clock.seconds = 2.0
        report_step("checking table events", 2, 5)
        clock.seconds = 3.0
        report_step("scoring accounts")
    assert "checking table events (2 of 5), 2 s" in terminal.written()
    assert "scoring accounts, 3 s" in terminal.written()
    assert terminal.screen() == []


def test_a_long_step_is_shown_although_nothing_is_reported_meanwhile(terminal: Terminal, clock: Clock) -> None:
    line = ProgressLine(terminal.stream, clock)
    line.begin(Step("checking table events", 2, 5))
    clock.seconds = 65
    line.refresh()
    assert terminal.screen() == ["checking table events (2 of 5), 65 s"]


def test_the_line_is_refreshed_beside_the_work(terminal: Terminal, clock: Clock) -> None:
    drawn = threading.Event()

    def ticks() -> float:
        if threading.current_thread().name == "progress":
            drawn.set()
        return clock.seconds

    with working(terminal, ticks):
        assert drawn.wait(20)


def test_destinations_side_by_side_are_shown_beside_each_other_until_the_next_step(
    terminal: Terminal, clock: Clock
) -> None:
    with working(terminal, clock):
        clock.seconds = 4
        report_step("planning")
        for name, sent in (("salesforce", 0), ("hubspot", 40), ("salesforce", 1200)):
            work = threading.Thread(
                target=copy_context().run, args=(lambda n=name, s=sent: report_step(f"to {n}", s, 1500, lane=n),)
            )
            work.start()
            work.join()
        report_step("updating the alerts")
    shown = terminal.written()
    assert "to salesforce (1,200 of 1,500); to hubspot (40 of 1,500), 4 s" in shown
    assert "planning; " not in shown
    assert "; updating" not in shown


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_after_an_error_or_ctrl_c(terminal: Terminal, clock: Clock, error: type[BaseException]) -> None:
    def fail() -> None:
        with working(terminal, clock):
            clock.seconds = 9
            report_step("scoring accounts")
            raise error

    with pytest.raises(error):
        fail()
    assert "scoring accounts" in terminal.written()
    assert terminal.screen() == []


def test_a_message_replaces_the_line_which_comes_back_below_it(terminal: Terminal, clock: Clock) -> None:
    with working(terminal, clock):
        clock.seconds = 5
        report_step("scoring accounts")
        sys.stderr.write("retrying\n")
        sys.stderr.write("half a ")
        clock.seconds = 6
        report_step("planning")
        sys.stderr.write("line\n")
        report_step("storing")
    assert terminal.screen() == ["retrying", "half a line"]
    assert "planning" not in terminal.written()
    assert terminal.written().index("retrying") < terminal.written().index("storing, 6 s")


def test_results_on_the_same_terminal_replace_the_line_until_the_next_step(terminal: Terminal, clock: Clock) -> None:
    with redirect_stdout(terminal.stream), working(terminal, clock):
        clock.seconds = 5
        report_step("planning")
        print("the result")
        report_step("storing")
        print("the end")
    assert terminal.screen() == ["the result", "the end"]


def test_after_a_result_the_last_step_is_not_shown_again(terminal: Terminal, clock: Clock) -> None:
    line = ProgressLine(terminal.stream, clock)
    clock.seconds = 5
    line.begin(Step("planning"))
    line.write(terminal.stream, "the result\n", ends_step=True)
    clock.seconds = 6
    line.refresh()
    assert terminal.screen() == ["the result"]


def test_a_line_longer_than_the_terminal_is_cut_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with open_terminal(columns=20) as narrow, working(narrow, clock):
        clock.seconds = 5
        report_step("looking up the words of the settings in the data")
    assert "looking up the word" in narrow.written()
    assert narrow.screen() == []


@pytest.mark.parametrize("variable", ["TERM=dumb", "TTY_COMPATIBLE=0"])
def test_a_terminal_that_cannot_erase_gets_nothing(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(*variable.split("="))
    with working(terminal, clock):
        clock.seconds = 5
        report_step("planning")
    assert terminal.written() == ""


def test_a_pipe_gets_nothing_even_where_colours_are_forced(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with redirect_stderr(io.StringIO()) as pipe, progress(clock):
        clock.seconds = 5
        report_step("planning")
        assert sys.stderr is pipe
    assert pipe.getvalue() == ""


def test_the_line_has_no_colour(terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with working(terminal, clock):
        clock.seconds = 5
        report_step("planning", 1, 2)
    assert terminal.written().replace("\x1b[2K", "").replace("\r", "") == "planning (1 of 2), 5 s"


def test_a_command_in_the_background_does_not_write_into_the_shell(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _terminal: os.getpgrp() + 1)
    with working(terminal, clock):
        clock.seconds = 5
        report_step("planning")
    assert terminal.written() == ""


def test_a_terminal_that_is_gone_does_not_end_the_work(terminal: Terminal, clock: Clock) -> None:
    class Gone(io.StringIO):
        def fileno(self) -> int:
            return terminal.stream.fileno()

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    line = ProgressLine(Gone(), clock)
    clock.seconds = 5
    line.begin(Step("planning"))
    line.begin(Step("storing"))
    line.close()
