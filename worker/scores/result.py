"""What every score returns for an account: its fields, and an explanation as data, which a renderer turns into text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from worker.language.values import Value, tidy


@dataclass(frozen=True, slots=True)
class Note:
    """One line of an explanation."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of an explanation. The last column says what is missing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class ScoreResult(Protocol):
    """A dataclass of plain values with everything that one score says of an account."""

    def fields(self) -> Mapping[str, Value]:
        """The value of every field that the score declares; None where it is unknown."""

    def kept_fields(self) -> Mapping[str, Value]:
        """The fields whose value in the CRM differs from `fields`, because a small move is not written."""

    def explained(self) -> Iterable[Note | Grid]:
        """What the score is made of, for a person who asks why."""


def shown(value: Value | float) -> str:
    """A value for a person; None is ``unknown``."""
    return "unknown" if value is None else tidy(value)


def points(value: float | None) -> str:
    """Points with one digit after the point; None is a dash."""
    return "–" if value is None else f"{value:.1f}"
