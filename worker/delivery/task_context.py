"""What an outbox row keeps beside the payload of a CRM task, as JSON in the column ``context``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from worker.rules.actions import Contact
from worker.settings.playbook import Assignee

REASONS = "reasons"
"""Where every row's ``context`` keeps why it was queued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """The entry a task belongs to, and what completes the task once its account has a record.

    ``day`` (``YYYY-MM-DD``) is the as-of day of the run that decided it. ``assignee_candidates`` are in order of
    preference. ``no_person`` says why a task with a ``contact`` names no person. ``reasons`` are its provenance.
    """

    task_key: str = ""
    entry: int = 0
    close_when_leaves: bool = False
    day: str = ""
    assignee_candidates: tuple[Assignee, ...] = ()
    contact: Contact | None = None
    no_person: str = ""
    reasons: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The context as the outbox stores it, under the names that older versions read."""
        stored: dict[str, Any] = {
            "task_key": self.task_key,
            "entry": self.entry,
            "close_when_leaves": self.close_when_leaves,
            "day": self.day,
            "wishes": [{"kind": one.kind, "name": one.name} for one in self.assignee_candidates],
        }
        stored |= {"contact": asdict(self.contact), "no_person": self.no_person} if self.contact else {}
        return stored | ({REASONS: dict(self.reasons)} if self.reasons else {})

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> TaskContext:
        """The context that any version wrote; what it did not write has its default, unknown names are left out."""
        contact = stored.get("contact")
        return cls(
            task_key=stored.get("task_key", ""),
            entry=stored.get("entry", 0),
            close_when_leaves=stored.get("close_when_leaves", False),
            day=stored.get("day", ""),
            assignee_candidates=tuple(Assignee(one["kind"], one["name"]) for one in stored.get("wishes", ())),
            contact=Contact(contact["field"], contact["email"]) if contact else None,
            no_person=stored.get("no_person", ""),
            reasons=stored.get(REASONS, {}),
        )
