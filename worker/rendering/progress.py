"""Progress on a terminal: one line on stderr with the current step, from two seconds on, erased at the end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from connectors.clock import stopwatch
from worker.rendering.console import PlainConsole
from worker.telemetry.steps import Step, observing_steps

_SILENT_S = 2.0
_EVERY_S = 0.25
_USUAL_WIDTH = 80
_ERASE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


@contextmanager
def progress(clock: Callable[[], float] = stopwatch) -> Iterator[None]:
    """Show on stderr which step of the block runs, once the block has run for two seconds.

    Shows nothing where stderr is no terminal, where the terminal cannot erase a line, and in the background. What the
    block writes to stdout or stderr replaces the line.
    """
    stderr = sys.stderr
    console = PlainConsole(file=stderr)
    if not stderr.isatty() or not console.is_terminal or console.is_dumb_terminal:
        yield
        return
    line = ProgressLine(stderr, clock)
    ended = threading.Event()

    def refresh() -> None:
        while not ended.wait(_EVERY_S):
            line.refresh()

    threading.Thread(target=refresh, name="progress", daemon=True).start()
    messages = cast("TextIO", _Replacing(stderr, line))
    results = cast("TextIO", _Replacing(sys.stdout, line, ends_step=True))
    try:
        with redirect_stderr(messages), redirect_stdout(results), observing_steps(line.begin):
            yield
    finally:
        ended.set()
        line.close()


class ProgressLine:
    """The line with the current steps and the seconds since the start. Threads may share it.

    A terminal that is gone ends the line and not the command.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream, self._clock, self._started = stream, clock, clock()
        self._console = PlainConsole(file=stream, color_system=None)
        self._lock = threading.RLock()
        self._steps: dict[str, Step] = {}
        self._shown = ""
        self._at_line_start, self._closed = True, False

    def begin(self, step: Step) -> None:
        """Make ``step`` the current one, beside those of other lanes."""
        with self._lock:
            if not step.lane or "" in self._steps:
                self._steps.clear()
            self._steps[step.lane] = step
            self.refresh()

    def refresh(self) -> None:
        """Draw the line where it is due and has changed."""
        with self._lock:
            seconds = self._clock() - self._started
            if self._steps and self._at_line_start and seconds >= _SILENT_S and not self._closed:
                try:
                    self._draw(f"{'; '.join(map(str, self._steps.values()))}, {seconds:.0f} s")
                except OSError:
                    self._closed = True

    def write(self, stream: TextIO, text: str, *, ends_step: bool) -> int:
        """Write to ``stream`` in place of the line, which comes back below, or with the next step."""
        with self._lock:
            self._erase()
            if ends_step:
                self._steps.clear()
            self._at_line_start = text.endswith("\n") if text else self._at_line_start
            return stream.write(text)

    def close(self) -> None:
        """Erase the line for good."""
        with self._lock:
            self._closed = True
            self._erase()

    def _draw(self, words: str) -> None:
        text = Text(words)
        text.truncate((os.get_terminal_size(self._stream.fileno()).columns or _USUAL_WIDTH) - 1)  # else it would wrap
        if text.plain != self._shown and _in_foreground(self._stream):
            self._erase()
            self._shown = text.plain
            self._console.print(text, end="", soft_wrap=True)
            self._stream.flush()

    def _erase(self) -> None:
        if self._shown:
            with suppress(OSError):
                self._console.control(_ERASE)
                self._stream.flush()
            self._shown = ""


def _in_foreground(terminal: TextIO) -> bool:
    """Whether the shell of ``terminal`` waits for this process; a terminal of no shell has no background."""
    try:
        return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return True


class _Replacing:
    """A stream whose text replaces the line."""

    def __init__(self, stream: TextIO, line: ProgressLine, *, ends_step: bool = False) -> None:
        self._stream, self._line, self._ends_step = stream, line, ends_step

    def write(self, text: str) -> int:
        return self._line.write(self._stream, text, ends_step=self._ends_step)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
