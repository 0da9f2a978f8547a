"""Problems of files, with file, line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from connectors.base.values import one_line, printable

Severity = Literal["error", "warning"]

_WIDEST_EXCERPT = 160
_LONGEST_SECRET = 200  # lines of a key in PEM form, generously
_HIDDEN = r"[\w.-]*(?:secret|token|passw|private_key|api_key|session_id)[\w.-]*"
_SECRET_VALUE = re.compile(
    rf"""(?ix) (\b (?:{_HIDDEN}|auth) ["']? \s* : \s*) (?! ["']? (?:env:|file:)) [^\s,}}{{] [^,}}]* """
)
_SECRET_BELOW = re.compile(rf"""(?ix) .* \b {_HIDDEN} ["']? \s* : \s* [|>+-]* \s* (?:\#.*)? """)
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+(?:@|…)")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem at one position. ``line`` and ``column`` count from 1; ``excerpt`` is that line of the file."""

    file: str
    line: int
    column: int
    message: str
    severity: Severity = "error"
    excerpt: str = ""

    def format(self) -> str:
        """``file:line:column  error: message`` and, where there is one, the offending line below it."""
        head = one_line(f"{self.file}:{self.line}:{self.column}  {self.severity}: {self.message}")
        return f"{head}\n{self.line:>7} | {self.excerpt}" if self.excerpt else head


class ConfigError(Exception):
    """The author of the YAML has to act. Carries every problem found, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(problem.format() for problem in self.problems))


class CommandError(Exception):
    """A command cannot do what it was asked for; the message says why, and what exists."""


def names_a_secret(key: str) -> bool:
    """Whether the value under such a key must not be shown."""
    return re.fullmatch(_HIDDEN, key[:_WIDEST_EXCERPT], re.IGNORECASE) is not None


def excerpt_of(text: str) -> str:
    """A line of text that is safe to show: no control characters, a limited length, and no secret."""
    text = text.rstrip()
    text = text if len(text) <= _WIDEST_EXCERPT else text[: _WIDEST_EXCERPT - 1] + "…"
    return _URL_PASSWORD.sub(r"\1***@", _SECRET_VALUE.sub(r"\1***", printable(text)))


def excerpt_at(lines: Sequence[str], index: int) -> str:
    """One line of a file that is safe to show, also when it continues a secret from a line above."""
    return "***" if _below_a_secret(lines, index) else excerpt_of(lines[index])


def _below_a_secret(lines: Sequence[str], index: int) -> bool:
    """Whether the line continues the value of a key above it whose value is a secret."""
    depth = _depth(lines[index])
    near = reversed(lines[max(0, index - _LONGEST_SECRET) : index])
    above = next((line for line in near if line.strip() and _depth(line) < depth), "")
    return _SECRET_BELOW.fullmatch(above[-_WIDEST_EXCERPT:]) is not None


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
