"""What of us has surely reached each CRM: its last delivery may have been under way when the state was lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from worker.adoption.crms import CrmContents
from worker.rules.actions import MakeTask
from worker.rules.task_keys import without_project

_CRMS_KEEP_DELETED = timedelta(days=14)
"""For how long a CRM shows a deleted task at least; one of an earlier day that is not there may have been deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One CRM: whether it gets tasks, the keys of those that it has, and the accounts with a record there.

    The keys are without their project. On the day ``seen`` the lost state was there and had delivered what was due
    before; of no day after ``complete`` is that sure.
    """

    makes_tasks: bool
    keys: frozenset[str]
    accounts: frozenset[str]
    seen: date
    complete: date

    def lacks(self, task: MakeTask, day: date) -> bool:
        """Whether a task that was due on a UTC day was decided and may never have been sent."""
        late = self.makes_tasks and day > self.complete
        return late and task.account_id in self.accounts and without_project(task.key) not in self.keys


def delivered_to(crms: Sequence[CrmContents], accounts: Iterable[str], as_of: datetime) -> list[Delivered]:
    """Of each CRM. A later entry shows that the run before it was delivered."""
    accounts = list(accounts)
    days = {one.view.name: _newest_days([one]) or _newest_days(crms) or [as_of.date()] for one in crms}
    oldest = as_of.date() - _CRMS_KEEP_DELETED
    return [
        Delivered(
            makes_tasks=bool(one.view.settings.tasks and one.view.settings.tasks.enabled),
            keys=frozenset(without_project(found.task.key) for found in one.tasks.adopted),
            accounts=frozenset(a for a in accounts if one.view.record_of(a)),
            seen=days[one.view.name][0],
            complete=max(_complete(days[one.view.name]), oldest),
        )
        for one in crms
    ]


def _newest_days(crms: Sequence[CrmContents]) -> list[date]:
    """The last two days on which accounts entered, the older one first."""
    return sorted({one.day for contents in crms for one in contents.tasks.adopted})[-2:]


def _complete(days: Sequence[date]) -> date:
    return days[0] if len(days) > 1 else days[0] - timedelta(days=1)
