"""Whose tasks these are: the account, the playbook, the action and the entry behind the key of each task in a CRM."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from connectors.base import OurTask
from worker.rules.task_keys import counted_key_of, digest_of, is_counted, parts_of
from worker.settings.playbook import Playbook

_MOST_COUNTED = 40
"""Of the entries that keys without a day may count: more than any account had while such keys were made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedTask:
    """A task whose entry is known. ``day`` is the UTC day of the entry: of its key, or the task's own in the CRM."""

    task: OurTask
    destination: str
    playbook_id: str
    account_id: str
    action: str
    day: date

    @property
    def finished(self) -> bool:
        return self.task.status in {"completed", "deleted"}


@dataclass(slots=True)
class TasksInCrm:
    """The tasks of one CRM that carry a key: ours, ours of an account or playbook that is gone, and other projects'."""

    adopted: list[AdoptedTask] = field(default_factory=list)
    unclaimed: list[OurTask] = field(default_factory=list)
    of_others: dict[str, int] = field(default_factory=dict)


def tasks_in_crm(
    destination: str,
    tasks: Iterable[OurTask],
    project_id: str,
    playbooks: Iterable[Playbook],
    accounts: Collection[str],
) -> TasksInCrm:
    """Sort the tasks of one CRM by whose they are. ``accounts`` are all that the data or the state knows."""
    tasks, found = list(tasks), TasksInCrm()
    actions = [(playbook.id, task.key) for playbook in playbooks for _, task in playbook.tasks()]
    digests = {
        digest_of(p, account_id, action): (p, account_id, action) for account_id in accounts for p, action in actions
    }
    counted = dict(_counted(actions, accounts)) if any(is_counted(one.key) for one in tasks) else {}
    for task in tasks:
        key = parts_of(task.key)
        if key and key.project_id != project_id:
            found.of_others[key.project_id] = found.of_others.get(key.project_id, 0) + 1
            continue
        whose = digests.get(key.digest) if key else counted.get(task.key.lower())
        if whose is not None:
            playbook_id, account_id, action = whose
            found.adopted.append(
                AdoptedTask(
                    task=task,
                    destination=destination,
                    playbook_id=playbook_id,
                    account_id=account_id,
                    action=action,
                    day=key.day if key else task.created_at.date(),
                )
            )
        elif key:
            found.unclaimed.append(task)
    return found


def _counted(
    actions: Iterable[tuple[str, str]], accounts: Collection[str]
) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for playbook_id, action in actions:
        for account_id in accounts:
            for entry in range(1, _MOST_COUNTED + 1):
                yield counted_key_of(playbook_id, account_id, entry, action), (playbook_id, account_id, action)


def by_enrollment(tasks: Iterable[AdoptedTask]) -> Mapping[tuple[str, str], list[AdoptedTask]]:
    """By playbook and account, the tasks of all CRMs."""
    found: dict[tuple[str, str], list[AdoptedTask]] = {}
    for one in tasks:
        found.setdefault((one.playbook_id, one.account_id), []).append(one)
    return found
