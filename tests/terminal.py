"""A terminal for tests: a pty, everything that was written to it, and what is on its screen at the end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_END = "\x04"
_PIECE = re.compile(r"\x1b\[2K|\x1b\[[\d;?]*[A-Za-z]|.", re.DOTALL)


class Terminal:
    """The screen of a pty. ``stream`` writes to it."""

    def __init__(self, stream: TextIO, screen_side: int, columns: int) -> None:
        self.stream, self._columns, self._written = stream, columns, ""
        self._side = screen_side
        fcntl.ioctl(stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._written.endswith(_END):
            self._written += os.read(self._side, 65536).decode()

    def written(self) -> str:
        """Everything that was written. Nothing can be written afterwards."""
        if self._reader.is_alive():
            self.stream.write(_END)
            self.stream.flush()
            self._reader.join(60)
        return self._written.removesuffix(_END)

    def screen(self) -> list[str]:
        """The lines with text that a person sees at the end."""
        rows, row, column = {0: ""}, 0, 0
        for piece in _PIECE.findall(self.written()):
            if piece == "\r":
                column = 0
            elif piece == "\n":
                row += 1
            elif piece == "\x1b[2K":
                rows[row] = ""
            else:
                assert not piece.startswith("\x1b"), f"the screen of the tests does not know {piece!r}"
                if column == self._columns:
                    row, column = row + 1, 0
                line = rows.get(row, "").ljust(column)
                rows[row], column = line[:column] + piece + line[column + 1 :], column + 1
        return [line.rstrip() for line in rows.values() if line.strip()]


@contextmanager
def open_terminal(columns: int = 80) -> Iterator[Terminal]:
    """A terminal as wide as ``columns``."""
    screen_side, program_side = pty.openpty()
    with os.fdopen(program_side, "w", buffering=1) as stream:
        terminal = Terminal(stream, screen_side, columns)
        try:
            yield terminal
        finally:
            terminal.written()
            os.close(screen_side)
