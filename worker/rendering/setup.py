"""The result of ``crm setup``, and what a person still has to do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from connectors.base import SetupStep
from worker.rendering.console import OneLine

_WORDS = {
    "exists": ("exists", ""),
    "created": ("created", "green"),
    "would_create": ("would be created", "cyan"),
    "todo": ("to do by an admin", "yellow"),
    "wrong": ("exists, but does not fit", "red"),
}


def render_setup(name: str, steps: Sequence[SetupStep]) -> RenderableType:
    """One line per field, then a list of what is left to do."""
    table = Table(title=f"Fields of {name}", title_justify="left", header_style="bold")
    for title in ("object", "field", "type", "state"):
        table.add_column(title)
    for step in steps:
        words, style = _WORDS[step.status]
        table.add_row(step.need.object, step.need.name, step.need.type, OneLine(words, style=style))
    left = [step for step in steps if step.status in {"todo", "wrong"}]
    if not left:
        return table
    list_ = [OneLine(f"  {n}. {step.need.name}: {step.detail}") for n, step in enumerate(left, start=1)]
    return Group(table, OneLine("Still to do:", style="bold"), *list_)
