"""What is wrong in a file its author wrote, and exactly where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

_WIDEST_EXCERPT = 160
_SECRET_VALUE = re.compile(
    r"""(?ix) ( \b [\w.-]* (?: secret | token | passw | private_key | api_key | session_id ) [\w.-]* ["']? \s* : \s* )
        (?! ["']? (?: env: | file: ) ) [^\s,}{] [^,}]* """
)
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One complaint about one place. ``line`` and ``column`` count from 1; ``excerpt`` is that line of the file."""

    file: str
    line: int
    column: int
    message: str
    severity: Severity = "error"
    excerpt: str = ""

    def format(self) -> str:
        """``file:line:column  error: message`` and, where there is one, the offending line below it."""
        head = f"{self.file}:{self.line}:{self.column}  {self.severity}: {self.message}"
        return f"{head}\n{self.line:>7} | {self.excerpt}" if self.excerpt else head


class ConfigError(Exception):
    """The author of the YAML has to act. Carries every problem found, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(problem.format() for problem in self.problems))


def excerpt_of(text: str) -> str:
    """A line of a file as it may be shown: no control characters, not endless, and no secret in it."""
    shown = "".join(c if c.isprintable() else " " for c in text.rstrip())
    shown = _URL_PASSWORD.sub(r"\1***@", _SECRET_VALUE.sub(r"\1***", shown))
    return shown if len(shown) <= _WIDEST_EXCERPT else shown[: _WIDEST_EXCERPT - 1] + "…"
