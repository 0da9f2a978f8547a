"""A CRM task as its owner sees it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from worker.rendering.console import OneLine


@dataclass(frozen=True, slots=True)
class TaskCard:
    """The fields of one CRM task that a person reads."""

    subject: str
    company: str
    owner: str
    due: str
    priority: str
    body: str


def render_task_card(card: TaskCard) -> RenderableType:
    """Subject, company, owner and due date, then the text."""
    head = OneLine(f"{card.company} · {card.owner} · due {card.due} · {card.priority.lower()} priority", style="dim")
    return Panel(
        Group(head, Text(card.body.strip())), title=OneLine(card.subject, style="bold"), title_align="left", width=100
    )
