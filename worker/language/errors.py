"""The one error of the language: what is wrong, and at which column."""

from __future__ import annotations

from typing import TypeAlias

Loc: TypeAlias = tuple[str | int, ...]
"""Where a text stands in its file: YAML keys and list positions from the top."""


class LanguageError(ValueError):
    """A text of the language cannot be accepted; the author has to change it.

    ``column`` is the offset in the text at ``loc``, from 0. When several tests of one condition are wrong,
    ``problems`` holds all of them in order; the error itself is the first.
    """

    def __init__(self, message: str, column: int = 0, loc: Loc = (), problems: tuple[LanguageError, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.loc = loc
        self._problems = problems

    @property
    def problems(self) -> tuple[LanguageError, ...]:
        """Every problem found, this one included."""
        return self._problems or (self,)

    def at(self, loc: Loc) -> LanguageError:
        """The same problem, at ``loc``."""
        return LanguageError(self.message, self.column, loc)

    def shifted(self, columns: int) -> LanguageError:
        """The same problem, ``columns`` further right."""
        return LanguageError(self.message, self.column + columns, self.loc)

    @staticmethod
    def of(problems: list[LanguageError]) -> LanguageError:
        """One error that carries them all; ``problems`` must not be empty."""
        every = tuple(one for problem in problems for one in problem.problems)
        first = every[0]
        return LanguageError(first.message, first.column, first.loc, every)
