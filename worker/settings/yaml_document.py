"""One YAML file, read safely, with the position of every key and value in it.

Only what settings need is read: one document of blocks, lists, texts, numbers, dates and true/false. No tags,
no anchors, so nothing in a file can build objects or grow without limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import Reader

from worker.settings.base import Loc
from worker.settings.problems import ConfigError, Problem, Severity, excerpt_at, names_a_secret
from worker.settings.yaml_traps import Trap, complex_key_trap, explain, key_traps, value_traps

_MOST_BYTES = 512_000
_MOST_NODES = 20_000
_DEEPEST = 40
_LONGEST_MESSAGE = 600
_BEYOND_NUMBERS = 2**63
_REMEMBERED = 256
_BEGINS_WRONG = re.compile("scanning an? (alias|anchor|tag|directive)")
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as PyYAML counts lines
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a key or value begins, from 0; ``style`` is the quote or block indicator, None for a plain text."""

    line: int
    column: int
    text: str | None = None
    style: str | None = None
    one_line: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a file, and the line and column of every part of it.

    ``problems`` are the traps found while reading; ``data`` is complete in spite of them.
    """

    file: str
    data: dict[str, Any]
    lines: tuple[str, ...]
    values: dict[Loc, Position]
    keys: dict[Loc, Position]
    problems: tuple[Problem, ...]

    def position(self, loc: Loc, offset: int = 0, *, of_key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the text at ``loc`` (of its key: ``of_key``), or of what holds it.

        A block or list is pointed at by its key. ``offset`` counts characters inside the text that stands there.
        """
        for end in range(len(loc), 0, -1):
            part = loc[:end]
            position = self.values.get(part)
            if end < len(loc) or of_key or (position is not None and position.text is None):
                position, offset = self.keys.get(part) or position, 0
            if position is not None:
                return _inside(position, offset, self.lines)
        return _inside(self.values[()], 0, self.lines)

    def problem(
        self, loc: Loc, message: str, *, offset: int = 0, of_key: bool = False, severity: Severity = "error"
    ) -> Problem:
        """A problem at ``loc``, with its line as the excerpt."""
        line, column = self.position(loc, offset, of_key=of_key)
        return _problem(self.file, self.lines, line - 1, column - 1, message, severity)

    def written(self, loc: Loc) -> str | None:
        """The text of a scalar as its author typed it, without quotes; None for anything else."""
        position = self.values.get(loc)
        return position.text if position else None


def load_document(path: Path, file: str | None = None) -> Document:
    """Read a YAML file. ``file`` is the name problems show. Raises `ConfigError` when nothing can be read."""
    name = file or path.as_posix()
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        message = "this link leads to a file that is missing" if path.is_symlink() else "this file is missing"
        raise ConfigError([Problem(name, 1, 1, message)]) from None
    except OSError as error:
        raise ConfigError([Problem(name, 1, 1, f"cannot be read: {error.strerror or error}")]) from None
    return read_document(name, content)


@lru_cache(_REMEMBERED)
def read_document(file: str, content: bytes) -> Document:
    """The bytes of a file as a document. Raises `ConfigError` when they are not one YAML block of settings.

    A process that reads the same bytes again gets the same document: readers do not change it.
    """
    text = _decode(file, content)
    lines = tuple(_LINE_END.split(text))
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(file, lines, error)]) from None
    except (ValueError, OverflowError):  # an escape such as "\U00110000" that is no character
        message = 'this text contains an escape after "\\" that is no character'
        raise ConfigError([_problem(file, lines, loader.line, loader.column, message)]) from None
    finally:
        loader.dispose()
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        raise ConfigError([_problem(file, lines, 0, 0, "this file is empty")])
    if not isinstance(node, yaml.MappingNode):
        mark = node.start_mark
        message = 'expected a block of settings ("name: value" on each line) at the top of the file'
        raise ConfigError([_problem(file, lines, mark.line, mark.column, message)])
    builder = _Builder(file, lines, loader)
    data = builder.mapping(node, ())
    return Document(file, data, lines, builder.values, builder.keys, tuple(builder.problems))


def _decode(file: str, content: bytes) -> str:
    if len(content) > _MOST_BYTES:
        raise ConfigError([Problem(file, 1, 1, f"this file is larger than {_MOST_BYTES:,} bytes")])
    content = content.removeprefix(_UTF8_MARK)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode("utf-8")
        lines = _LINE_END.split(readable)
        message = "this is not UTF-8 text; save the file as UTF-8"
        raise ConfigError([_problem(file, lines, len(lines) - 1, len(lines[-1]), message)]) from None
    if bad := Reader.NON_PRINTABLE.search(text):
        before = _LINE_END.split(text[: bad.start()])
        message = f"character U+{ord(bad.group()):04X} cannot stand in a YAML file"
        raise ConfigError([_problem(file, _LINE_END.split(text), len(before) - 1, len(before[-1]), message)])
    return text


class _NotSupported(yaml.MarkedYAMLError):
    """YAML that settings do not support; ``problem`` tells what to write instead."""


class _Loader(yaml.SafeLoader):
    """Composes nodes; rejects anchors, aliases, tags, deep nesting and too many values before anything is built."""

    depth = nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            message = (
                'anchors and aliases ("&" and "*") are not supported; write the value out, or put quotes around it'
            )
            raise _NotSupported(None, None, message, event.start_mark)
        if getattr(event, "tag", None) is not None:
            message = 'tags ("!") are not supported; put quotes around a text that begins with "!"'
            raise _NotSupported(None, None, message, event.start_mark)
        if self.depth >= _DEEPEST:
            raise _NotSupported(None, None, f"nested deeper than {_DEEPEST} levels", event.start_mark)
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            message = f"a file may have {_MOST_NODES:,} keys and values, and this is one more; put lists into a table"
            raise _NotSupported(None, None, message, event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Builder:
    """Turns nodes into plain data and remembers where each came from."""

    def __init__(self, file: str, lines: tuple[str, ...], loader: _Loader) -> None:
        self.file, self.lines, self.loader = file, lines, loader
        self.values: dict[Loc, Position] = {}
        self.keys: dict[Loc, Position] = {}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, loc: Loc) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, loc)
        self.values[loc] = _position_of(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*loc, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - the composer makes three kinds of node
        key = next((part for part in reversed(loc) if isinstance(part, str)), "")
        self._report(node, value_traps(node, self._line(node.end_mark.line), secret=names_a_secret(key)))
        return self._scalar(node)

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        self.values[loc] = _position_of(node)
        data: dict[str, Any] = {}
        in_list = bool(loc) and isinstance(loc[-1], int) and len(node.value) == 1
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(key_node, [complex_key_trap(key_node)])
                continue
            self._report(key_node, key_traps(key_node, alone_in_list=in_list))
            key = key_node.value
            at = (*loc, key)
            if key in data:
                first = self.keys[at].line + 1
                self._report(key_node, [Trap(f'"{key}" is already set on line {first}')])
                continue
            self.keys[at] = _position_of(key_node)
            data[key] = self.build(value_node, at)
        return data

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            value = self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            self._report(node, [Trap("this is no number or date that exists; put quotes around a text")])
            return node.value
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not abs(value) < _BEYOND_NUMBERS:
            self._report(node, [Trap("this is too large, or no number that can be compared")])
            return node.value
        return value

    def _line(self, index: int) -> str:
        return self.lines[index] if index < len(self.lines) else ""

    def _report(self, node: yaml.Node, traps: Iterable[Trap]) -> None:
        for trap in traps:
            mark = node.end_mark if trap.at_end else node.start_mark
            self.problems.append(_problem(self.file, self.lines, mark.line, mark.column, trap.message, trap.severity))


def _position_of(node: yaml.Node) -> Position:
    start = node.start_mark
    if not isinstance(node, yaml.ScalarNode):
        return Position(start.line, start.column)
    return Position(start.line, start.column, node.value, node.style, node.end_mark.line == start.line)


def _inside(position: Position, offset: int, lines: tuple[str, ...]) -> tuple[int, int]:
    """The line and column, from 1, of character ``offset`` of the text at a place; its beginning if folded."""
    line, column = position.line, position.column
    if position.style == "|" and position.text is not None and offset:
        before = position.text[:offset].split("\n")
        first = next((text for text in lines[line + 1 :] if text.strip()), "")
        line += len(before)
        column = len(first) - len(first.lstrip(" ")) + len(before[-1])
    elif position.one_line and offset:
        column += offset + (1 if position.style in {"'", '"'} else 0)
    return _clamped(lines, line, column)


def _clamped(lines: Sequence[str], line: int, column: int) -> tuple[int, int]:
    line = max(0, min(line, len(lines) - 1))
    return line + 1, max(0, min(column, len(lines[line]))) + 1


def _problem(
    file: str, lines: Sequence[str], line: int, column: int, message: str, severity: Severity = "error"
) -> Problem:
    shown_line, shown_column = _clamped(lines, line, column)
    message = message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"
    return Problem(file, shown_line, shown_column, message, severity, excerpt_at(lines, shown_line - 1))


def _syntax_problem(file: str, lines: tuple[str, ...], error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    if _BEGINS_WRONG.search(error.context or "") or "unexpected end" in (error.problem or ""):
        mark = error.context_mark or mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if isinstance(error, _NotSupported):
        message = str(error.problem)
    elif "another document" in str(error.problem):
        message = 'a second document begins here; one file holds one document, without "---" in between'
    else:
        shown_line, shown_column = _clamped(lines, line, column)
        message = explain(error, lines[shown_line - 1], shown_column - 1)
    return _problem(file, lines, line, column, message)
