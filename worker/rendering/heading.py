"""Headings of a long text for terminals."""

from __future__ import annotations

from rich.console import RenderableType
from rich.constrain import Constrain
from rich.rule import Rule

_WIDTH = 100


def heading(text: str) -> RenderableType:
    """A line with a title, also in a pipe no wider than a screen."""
    return Constrain(Rule(text, align="left"), _WIDTH)
