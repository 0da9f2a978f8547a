"""Which accounts may enter: the holdout, and the capacity that the limits of one run leave."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from worker.rules.actions import Action, MakeTask
from worker.rules.context import RunContext
from worker.settings.playbook import Playbook


def in_holdout(playbook: Playbook, account_id: str) -> bool:
    """Whether an account belongs to the holdout: the same answer at any time, on any machine."""
    digest = hashlib.sha256(f"{playbook.id}\0{account_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < playbook.holdout


def owners_of(actions: Iterable[Action], context: RunContext) -> Counter[str]:
    """How many of these tasks each person would get, by person."""
    owners: Counter[str] = Counter()
    for action in actions:
        if isinstance(action, MakeTask):
            assignees = [assignee for assignee in (action.to, action.if_no_owner) if assignee is not None]
            found = (context.owner_of(action.account_id, assignee) for assignee in assignees)
            owner = next((one for one in found if one is not None), None)
            if owner is not None:
                owners[owner] += 1
    return owners


class Capacity:
    """The capacity that the limits of a playbook leave in one run.

    ``taken``: the tasks, by person, of each account that an earlier run as of the same moment let in.
    """

    def __init__(self, playbook: Playbook, context: RunContext, taken: Iterable[Mapping[str, int]]) -> None:
        self._per_owner = playbook.limits.per_owner
        self._usage = Counter(context.tasks_today)
        entered = 0
        for owners in taken:
            self._usage.update(owners)
            entered += 1
        per_run = playbook.limits.per_run
        self._left = None if per_run is None else per_run - entered

    def try_acquire(self, owners: Mapping[str, int]) -> bool:
        """Reserve capacity for one account whose tasks go to ``owners``; False when there is not enough.

        A person without a task today can always get the tasks of one account; otherwise a limit of 1 would exclude
        for ever an account that makes 2 tasks.
        """
        if self._left is not None and self._left <= 0:
            return False
        if self._per_owner is not None and not all(self._may_get(one, tasks) for one, tasks in owners.items()):
            return False
        self._left = None if self._left is None else self._left - 1
        self._usage.update(owners)
        return True

    def _may_get(self, owner: str, tasks: int) -> bool:
        has = self._usage[owner]
        return has == 0 or self._per_owner is None or has + tasks <= self._per_owner.n
