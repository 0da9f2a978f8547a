"""What of us has surely reached each CRM: its last delivery may have been under way when the state was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from worker.adoption.crms import CrmContents
from worker.rules.actions import MakeTask

_CRMS_KEEP_DELETED = timedelta(days=14)
"""For how long a CRM shows a deleted task at least; one of an earlier day that is not there may have been deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One CRM: the keys of its tasks, and the accounts with a record there.

    On the day ``seen`` the lost state was there and had delivered what was due before; of no day after ``complete`` is
    that sure.
    """

    keys: frozenset[str]
    accounts: frozenset[str]
    seen: date
    complete: date

    def lacks(self, task: MakeTask, day: date) -> bool:
        """Whether a task that was due on a UTC day was decided and may never have been sent."""
        return day > self.complete and task.account_id in self.accounts and task.key not in self.keys


def delivered_to(crms: Sequence[CrmContents], as_of: datetime) -> list[Delivered]:
    """Of each CRM that gets tasks. A later entry shows that the run before it was delivered."""
    making = [one for one in crms if one.view.settings.tasks and one.view.settings.tasks.enabled]
    days = {one.view.name: _newest_days([one]) or _newest_days(making) or [as_of.date()] for one in making}
    oldest = as_of.date() - _CRMS_KEEP_DELETED
    return [
        Delivered(
            keys=frozenset(found.task.key.lower() for found in one.tasks.adopted),
            accounts=frozenset(a for a, record in one.view.readings.records.items() if record.record_id),
            seen=days[one.view.name][0],
            complete=max(_complete(days[one.view.name]), oldest),
        )
        for one in making
    ]


def _newest_days(crms: Sequence[CrmContents]) -> list[date]:
    """The last two days on which accounts entered, the older one first."""
    return sorted({one.day for contents in crms for one in contents.tasks.adopted})[-2:]


def _complete(days: Sequence[date]) -> date:
    return days[0] if len(days) > 1 else days[0] - timedelta(days=1)
