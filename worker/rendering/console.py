"""The console of all commands: what it prints is text, whatever the text says, and it fits the width between words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import StyleType
from rich.table import Table
from rich.text import Text, TextType

from connectors.base.values import one_line, printable

_PLAIN = str.maketrans(dict(zip("→…·–−“”×÷±", ("->", "...", "-", "-", "-", '"', '"', "x", "/", "+-"), strict=True)))
"""What stands for our own signs where the terminal has ASCII only."""
UNFOLDED = 10_000
"""The width of what nobody reads on a screen: wider than every line."""


class OneLine(Text):
    """One line of text: a line break in a value from outside is a space. Only `Text` itself may have several lines."""

    def __init__(self, text: str = "", style: StyleType = "", **options: Any) -> None:
        super().__init__(one_line(text), style, **options)

    def append(self, text: TextType, style: StyleType | None = None) -> Self:
        """Add text at the end of the line."""
        super().append(one_line(text) if isinstance(text, str) else text, style)
        return self


class PlainConsole(Console):
    """A console for names, CRM words and file contents from outside.

    Brackets are never markup, colons never emoji, and no character of a text controls the terminal. No line ends with
    blanks. A table folds between words; where its longest words do not fit side by side, its rows are printed as lists.
    A ``str`` is one line.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text of a ``str``: what is printed, and the cells, titles and labels of tables and trees."""
        return super().render_str(one_line(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable, each with printable text only, and no blank before a line ends."""
        options = options or self.options
        if isinstance(renderable, Table) and renderable.show_header:
            renderable = self._fitted(renderable, options)
        segments = super().render(renderable, options)
        yield from _without_trailing_blanks(map(_as_ascii, segments) if options.ascii_only else segments)

    def _fitted(self, table: Table, options: ConsoleOptions) -> RenderableType:
        unfolded = options.update(width=UNFOLDED)
        whole = Measurement.get(self, unfolded, table)
        room = options.max_width - whole.minimum
        if whole.maximum <= options.max_width:
            return table
        if room < 0:
            return _as_lists(table)
        cells = ([column.header, *column.cells] for column in table.columns)
        needs = [_measured([Measurement.get(self, unfolded, cell) for cell in column]) for column in cells]
        more = sum(need.span for need in needs)
        fitted = copy(table)
        fitted.columns = [
            replace(column, width=need.minimum + room * need.span // more)
            for column, need in zip(table.columns, needs, strict=True)
        ]
        return fitted


def _measured(cells: Sequence[Measurement]) -> Measurement:
    return Measurement(max(cell.minimum for cell in cells), max(cell.maximum for cell in cells))


def _as_lists(table: Table) -> Group:
    """The rows of a table as lines of ``title: value``, with an empty line between two rows."""
    parts: list[RenderableType] = [OneLine(str(table.title), style="italic")] if table.title else []
    titles = [str(column.header) for column in table.columns]
    for number, row in enumerate(zip(*(column.cells for column in table.columns), strict=True)):
        parts += [Text()] if number else []
        parts += [
            OneLine.assemble((f"{title}: ", "bold"), cell if isinstance(cell, Text) else str(cell))
            for title, cell in zip(titles, row, strict=True)
            if str(cell)
        ]
    return Group(*parts, *([OneLine(str(table.caption), style="dim")] if table.caption else []))


def _as_ascii(segment: Segment) -> Segment:
    text = segment.text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
    return segment if segment.control else Segment(text, segment.style)


def _without_trailing_blanks(segments: Iterable[Segment]) -> Iterator[Segment]:
    line: list[Segment] = []
    for segment in segments:
        if segment.control:
            line.append(segment)
            continue
        *ended, rest = printable(segment.text).split("\n")
        for text in ended:
            yield from _stripped([*line, Segment(text, segment.style)])
            yield Segment("\n")
            line = []
        if rest:
            line.append(Segment(rest, segment.style))
    yield from line


def _stripped(line: list[Segment]) -> list[Segment]:
    while line and not line[-1].control:
        last = line.pop()
        if text := last.text.rstrip(" "):
            return [*line, Segment(text, last.style)]
    return line
