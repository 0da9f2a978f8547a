"""The actions of a playbook for one account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from worker.language.values import Value
from worker.settings.playbook_steps import Assignee, IfOpenTask, Priority


@dataclass(frozen=True, slots=True)
class SetField:
    """Keep this value in a CRM field, named by our name of it, until the account leaves."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Contact:
    """The person a task is about: the field with the e-mail address, and its value."""

    field: str
    email: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeTask:
    """Create one CRM task. ``key`` is the same in every run and every attempt.

    ``due`` is a day of the account's calendar; ``rank`` (0-100, higher first) orders tasks when not all can be sent.
    """

    key: str
    task_key: str
    account_id: str
    playbook_id: str
    entry: int
    to: Assignee
    if_no_owner: Assignee | None
    subject: str
    body: str
    priority: Priority
    due: date
    if_open_task: IfOpenTask
    close_when_leaves: bool
    rank: float
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class CloseTasks:
    """Close the tasks of this entry that no person has started."""

    playbook_id: str
    account_id: str
    entry: int


Action: TypeAlias = SetField | MakeTask | CloseTasks
