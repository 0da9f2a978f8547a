"""What a playbook wants done about one account."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from worker.language.values import Value
from worker.settings.playbook_steps import Assignee, IfOpenTask, Priority


@dataclass(frozen=True, slots=True)
class SetField:
    """Hold this value in a CRM field of ours, by our own name of it, until the account leaves."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Contact:
    """The human a task is about: the field that holds the e-mail address, and what it held."""

    field: str
    email: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeTask:
    """Make one CRM task. ``key`` is the same whenever and however often this is asked for.

    ``due`` is a day of the business calendar; ``rank`` (0-100, higher first) orders tasks when not all can be sent.
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
    """Close the tasks of this entry that nobody has started."""

    playbook_id: str
    account_id: str
    entry: int


Action: TypeAlias = SetField | MakeTask | CloseTasks


def task_key_of(playbook_id: str, account_id: str, entry: int, task_key: str) -> str:
    """The idempotency key of a task: 40 hex characters that depend on nothing an admin may reword."""
    identity = "\0".join((playbook_id, account_id, str(entry), task_key))
    return hashlib.sha256(identity.encode()).hexdigest()[:40]
