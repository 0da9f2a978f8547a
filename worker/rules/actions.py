"""The actions of a playbook for one account."""

from __future__ import annotations

import hashlib
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


def task_key_of(playbook_id: str, account_id: str, entry: int, task_key: str) -> str:
    """The idempotency key of a task: 40 hex characters that do not depend on any text an admin may edit."""
    identity = "\0".join((playbook_id, account_id, str(entry), task_key))
    return hashlib.sha256(identity.encode()).hexdigest()[:40]
