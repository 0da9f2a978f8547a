"""The key of a CRM task, made of what the CRM and the settings know, so that it survives the loss of local state.

``project.day.digest``: the id of the project, the UTC day of the run that let the account in, and 32 hex digits of
playbook, account and action. A second entry on that day is the same task. No text that an admin may edit is part of it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date

_KEY = re.compile(r"([a-z0-9-]+)\.(\d{8})\.([0-9a-f]{32})")
_COUNTED_KEY = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class KeyParts:
    """What a key says in clear text: the project, the day of entry, and the digest that `digest_of` makes."""

    project_id: str
    day: date
    digest: str


def task_key_of(project_id: str, day: date, playbook_id: str, account_id: str, action: str) -> str:
    """The key of one action of the entry that began on a UTC day."""
    return f"{key_prefix(project_id)}{day:%Y%m%d}.{digest_of(playbook_id, account_id, action)}"


def digest_of(playbook_id: str, account_id: str, action: str) -> str:
    """The part of a key that says whose task it is, and of which playbook and action."""
    return hashlib.sha256(f"{playbook_id}\0{account_id}\0{action}".encode()).hexdigest()[:32]


def counted_key_of(playbook_id: str, account_id: str, entry: int, action: str) -> str:
    """The key of an entry that began before keys had a day: of the number that the local database gave it."""
    identity = "\0".join((playbook_id, account_id, str(entry), action))
    return hashlib.sha256(identity.encode()).hexdigest()[:40]


def key_prefix(project_id: str) -> str:
    """How every key of a project begins, and no key of another one."""
    return f"{project_id}."


def without_project(key: str) -> str:
    """What a key says of the entry: the same whatever the project was called. A counted key is left as it is."""
    return key.lower().partition(".")[2] or key.lower()


def parts_of(key: str) -> KeyParts | None:
    """The parts of a key; None for a counted key and for a text that is none of ours. CRMs may change its case."""
    found = _KEY.fullmatch(key.lower())
    if found is None:
        return None
    project_id, day, digest = found.groups()
    try:
        return KeyParts(project_id, date.fromisoformat(day), digest)
    except ValueError:
        return None


def is_counted(key: str) -> bool:
    """Whether a key has the form of those without a day."""
    return _COUNTED_KEY.fullmatch(key.lower()) is not None
