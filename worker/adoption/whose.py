"""Whose tasks these are: the account, the playbook, the action and the entry behind the key of each task in a CRM."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from connectors.base import OurTask
from worker.rules.task_keys import counted_key_of, digest_of, is_counted, parts_of
from worker.settings.playbook import Playbook

Whose = tuple[str, str, str]
"""The playbook, the account and the action of a task."""
_MOST_COUNTED = 40
"""Of the entries that keys without a day may count: more than any account had while such keys were made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedTask:
    """A task whose entry is known.

    ``day`` is the UTC day of the entry, by its key. A counted key has the number of the ``entry`` instead; ``day`` is
    then the one on which the CRM got the task.
    """

    task: OurTask
    destination: str
    playbook_id: str
    account_id: str
    action: str
    day: date
    entry: int = 0

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
    project_ids: Collection[str],
    playbooks: Iterable[Playbook],
    accounts: Collection[str],
) -> TasksInCrm:
    """Sort the tasks of one CRM by whose they are. ``accounts`` are all that the data or the state knows."""
    actions = [(playbook.id, task.key) for playbook in playbooks for _, task in playbook.tasks()]
    tasks, found = list(tasks), TasksInCrm()
    keys = {task.key: key for task in tasks if (key := parts_of(task.key))}
    digests = _owners({key.digest for key in keys.values()}, actions, accounts)
    counted = _owners_of_counted({task.key.lower() for task in tasks if is_counted(task.key)}, actions, accounts)
    for task in tasks:
        key = keys.get(task.key)
        if key and key.project_id not in project_ids:
            found.of_others[key.project_id] = found.of_others.get(key.project_id, 0) + 1
        elif key and (whose := digests.get(key.digest)):
            found.adopted.append(_adopted(destination, task, whose, key.day, 0))
        elif key:
            found.unclaimed.append(task)
        elif of_entry := counted.get(task.key.lower()):
            found.adopted.append(_adopted(destination, task, of_entry[0], task.created_at.date(), of_entry[1]))
    return found


def _adopted(destination: str, task: OurTask, whose: Whose, day: date, entry: int) -> AdoptedTask:
    playbook_id, account_id, action = whose
    return AdoptedTask(
        task=task,
        destination=destination,
        playbook_id=playbook_id,
        account_id=account_id,
        action=action,
        day=day,
        entry=entry,
    )


def _owners(
    digests: Collection[str], actions: Iterable[tuple[str, str]], accounts: Collection[str]
) -> dict[str, Whose]:
    every = ((p, account_id, action) for p, action in actions for account_id in accounts)
    return {digest: whose for whose in every if (digest := digest_of(*whose)) in digests}


def _owners_of_counted(
    keys: Collection[str], actions: Iterable[tuple[str, str]], accounts: Collection[str]
) -> dict[str, tuple[Whose, int]]:
    """Whose the counted keys are, and of which entry; the search ends with the last key that is found."""
    found: dict[str, tuple[Whose, int]] = {}
    for entry in range(1, _MOST_COUNTED + 1):
        for playbook_id, action in actions:
            if len(found) == len(keys):
                return found
            for account_id in accounts:
                key = counted_key_of(playbook_id, account_id, entry, action)
                if key in keys:
                    found[key] = (playbook_id, account_id, action), entry
    return found


def by_enrollment(tasks: Iterable[AdoptedTask]) -> Mapping[tuple[str, str], list[AdoptedTask]]:
    """By playbook and account, the tasks of all CRMs; those of one counted entry have the day of its first task."""
    found: dict[tuple[str, str], list[AdoptedTask]] = {}
    first: dict[tuple[str, str, int], date] = {}
    for one in sorted(tasks, key=lambda one: one.day):
        day = first.setdefault((one.playbook_id, one.account_id, one.entry), one.day) if one.entry else one.day
        found.setdefault((one.playbook_id, one.account_id), []).append(replace(one, day=day))
    return found
