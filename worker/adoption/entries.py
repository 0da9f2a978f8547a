"""The enrollments of every playbook, made of the tasks in the CRMs and of what the data says of the days since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from worker.adoption.past_fields import PastFields, moments_between
from worker.adoption.whose import AdoptedTask, by_enrollment
from worker.language.values import Fields
from worker.rules.adopted import entered_on, followed, left_by_us, of_baseline, start_of, with_steps
from worker.rules.business_days import calendar_of
from worker.rules.enrollment import Enrollment
from worker.rules.program import compile_steps
from worker.rules.rank import rank_of
from worker.rules.steps import StepContext
from worker.rules.transitions import QUEUE_EXPIRES_AFTER, enroll_as_baseline
from worker.settings.playbook import Playbook
from worker.settings.project import Project

Enrollments = Mapping[str, Mapping[str, Enrollment]]


@dataclass(slots=True)
class Rebuilt:
    """The enrollments that the stored ones lack; how many are inside, have left, or are of the baseline."""

    enrollments: dict[str, dict[str, Enrollment]] = field(default_factory=dict)
    inside: int = 0
    left: int = 0
    baseline: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesBuilder:
    """Rebuilds the enrollments of one project as of ``as_of``.

    ``newest`` is the day of the newest entry in any CRM: at its start the lost state was still there. ``matched`` are
    the accounts that have a record in a CRM.
    """

    project: Project
    past: PastFields
    accounts: Mapping[str, Fields]
    stored: Enrollments
    matched: frozenset[str]
    newest: date
    as_of: datetime

    def rebuild(self, tasks: Iterable[AdoptedTask]) -> Rebuilt:
        """The enrollments of accounts with tasks that the stored state does not know, and of a lost baseline."""
        rebuilt, of_accounts = Rebuilt(), by_enrollment(tasks)
        for playbook in self.project.playbooks:
            of_playbook = {a: some for (p, a), some in of_accounts.items() if p == playbook.id}
            found = {a: one for a, some in of_playbook.items() if (one := self._entered(playbook, a, some))}
            rebuilt.inside += sum(one.phase == "in" for one in found.values())
            rebuilt.left += sum(one.phase != "in" for one in found.values())
            if of_playbook and not self.stored.get(playbook.id):
                without = dict(self._without_tasks(playbook, of_playbook))
                rebuilt.baseline += sum(one.phase == "in" for one in without.values())
                found |= without
            if found:
                rebuilt.enrollments[playbook.id] = found
        return rebuilt

    def _entered(self, playbook: Playbook, account_id: str, tasks: Sequence[AdoptedTask]) -> Enrollment | None:
        """The enrollment after the entries that the stored one lacks; None where it lacks none."""
        before = self.stored.get(playbook.id, {}).get(account_id, Enrollment())
        last = max((entry.astimezone(UTC).date() for entry in before.entries), default=date.min)
        days = {one.day: one.entry for one in tasks if (one.entry > before.entry if one.entry else one.day > last)}
        if not days:
            return None
        program, day = compile_steps(playbook.do), max(days)
        enrollment = entered_on(before, days, program, self.as_of)
        if account_id in self.accounts:
            at = start_of(self.newest)
            enrollment = with_steps(enrollment, lambda moment: self._context(playbook, account_id, moment), at)
        of_entry = [one for one in tasks if one.day == day]
        if any(one.task.completed_by_us for one in of_entry):
            return left_by_us(enrollment, start_of(day))
        if not all(one.finished for one in of_entry):
            return enrollment
        return self._after_finished_tasks(playbook, account_id, enrollment, start_of(day))

    def _after_finished_tasks(
        self, playbook: Playbook, account_id: str, enrollment: Enrollment, entered: datetime
    ) -> Enrollment:
        """Whether it left after its tasks were finished: the newest look at the data at which it did says so."""
        moments = moments_between(entered + timedelta(days=1), self.as_of)
        for at in range(len(moments) - 1, -1, -1):
            results = self.past.evaluations(playbook, account_id, moments[at : at + 1])
            if any(one.ends for _, one in results):
                return followed(enrollment, self.past.evaluations(playbook, account_id, moments[at:]))
        return enrollment

    def _without_tasks(self, playbook: Playbook, with_tasks: Mapping[str, object]) -> Iterator[tuple[str, Enrollment]]:
        """The accounts that matched before the lost state was last seen and have no task: they are of the baseline.

        Where the playbook acts on what matches already, such an account lost its task with the state, and enters again.
        """
        if playbook.mode != "live" or playbook.repeat.already_matching != "ignore":
            return
        seen = start_of(self.newest)
        moments = sorted({seen - _waits_for(playbook), seen})
        for account_id in sorted((self.accounts.keys() & self.matched) - with_tasks.keys()):
            if of_baseline(self.past.evaluations(playbook, account_id, moments)):
                yield account_id, enroll_as_baseline(Enrollment(), seen)

    def _context(self, playbook: Playbook, account_id: str, moment: datetime) -> StepContext:
        fields, calendar = self.accounts[account_id], self.project.schedule.calendar
        return StepContext(
            playbook=playbook,
            program=compile_steps(playbook.do),
            previous=None,
            account_id=account_id,
            fields=fields,
            as_of=moment,
            calendar=calendar_of(calendar, fields),
            open_tasks=(),
            project_id=self.project.crm.project,
            rank=rank_of(playbook),
        )


def _waits_for(playbook: Playbook) -> timedelta:
    """For how long an account may match before it gets its task: ``for``, and the queue where there are limits."""
    limits, long = playbook.limits, playbook.when.for_
    queue = QUEUE_EXPIRES_AFTER if limits.per_run or limits.per_owner else timedelta(0)
    if long is None:
        return queue
    return queue + (timedelta(days=long.n) if long.kind == "runs" else long.span)
