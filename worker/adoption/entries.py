"""The enrollments of every playbook, made of the tasks in the CRMs and of what the data says of the days since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

from connectors.base import Scalar
from worker.adoption.delivered import Delivered
from worker.adoption.past_fields import PastFields, moments_between
from worker.adoption.whose import AdoptedTask, by_enrollment
from worker.language.units import Duration
from worker.language.values import Fields
from worker.rules.actions import MakeTask
from worker.rules.adopted import Lacks, entered_on, followed, left_by_us, of_baseline, start_of, with_steps
from worker.rules.business_days import calendar_of
from worker.rules.enrollment import Enrollment, Enrollments
from worker.rules.program import compile_steps
from worker.rules.rank import rank_of
from worker.rules.steps import StepContext
from worker.rules.transitions import QUEUE_EXPIRES_AFTER, enroll_as_baseline
from worker.settings.playbook import Playbook
from worker.settings.playbook_steps import TaskStep, WaitStep, walk_steps
from worker.settings.project import Project


@dataclass(slots=True)
class Rebuilt:
    """The enrollments that the stored ones lack; how many are inside, have left, or are of the baseline."""

    enrollments: dict[str, dict[str, Enrollment]] = field(default_factory=dict)
    inside: int = 0
    left: int = 0
    baseline: int = 0

    def add(self, playbook_id: str, found: dict[str, Enrollment]) -> None:
        """Take up the enrollments of one playbook."""
        self.enrollments[playbook_id] = found
        inside = [one.variant for one in found.values() if one.phase == "in"]
        self.left += len(found) - len(inside)
        self.baseline += inside.count("baseline")
        self.inside += len(inside) - inside.count("baseline")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesBuilder:
    """Rebuilds the enrollments of one project as of ``as_of``.

    ``newest`` is the day of the newest entry in any CRM: at its start the lost state was still there. ``filled`` is
    what the CRMs have in the fields that only playbooks fill, by account.
    """

    project: Project
    past: PastFields
    accounts: Mapping[str, Fields]
    stored: Enrollments
    delivered: Sequence[Delivered]
    filled: Mapping[str, Mapping[str, Scalar]]
    newest: date
    as_of: datetime

    def rebuild(self, tasks: Iterable[AdoptedTask]) -> Rebuilt:
        """The enrollments of accounts with tasks that the stored state does not know, and of a lost baseline."""
        rebuilt, of_accounts = Rebuilt(), by_enrollment(tasks)
        for playbook in self.project.playbooks:
            of_playbook = {a: some for (p, a), some in of_accounts.items() if p == playbook.id}
            found = {a: one for a, some in of_playbook.items() if (one := self._entered(playbook, a, some))}
            if playbook.mode == "live":
                found |= self._without_tasks(playbook, of_playbook.keys())
            if found:
                rebuilt.add(playbook.id, found)
        return rebuilt

    def _entered(self, playbook: Playbook, account_id: str, tasks: Sequence[AdoptedTask]) -> Enrollment | None:
        """The enrollment after the entries that the stored one lacks; None where it lacks none."""
        before = self.stored.get(playbook.id, {}).get(account_id, Enrollment())
        last = max((entry.astimezone(UTC).date() for entry in before.entries), default=date.min)
        days = {one.day: one.entry for one in tasks if (one.entry > before.entry if one.entry else one.day > last)}
        if not days:
            return self._gone_on(playbook, account_id, before, tasks)
        program, day = compile_steps(playbook.do), max(days)
        enrollment = entered_on(before, days, program, self.as_of)
        if account_id in self.accounts:
            enrollment = self._with_steps(playbook, account_id, enrollment, self.as_of, self._lacks)
        of_entry = [one for one in tasks if one.day == day]
        if any(one.task.completed_by_us for one in of_entry):
            return left_by_us(enrollment, start_of(day))
        if not all(one.finished for one in of_entry):
            return enrollment
        return self._left_since(playbook, account_id, enrollment, start_of(day) + timedelta(days=1))

    def _gone_on(
        self, playbook: Playbook, account_id: str, before: Enrollment, tasks: Sequence[AdoptedTask]
    ) -> Enrollment | None:
        """A stored enrollment after what happened since it was stored; None where nothing did."""
        of_entry = [one for one in tasks if _is_of(one, before)]
        if before.phase == "in" and any(one.task.completed_by_us for one in of_entry):
            return left_by_us(before, start_of(self.newest))
        if account_id not in self.accounts or before.last_as_of is None or not before.live:
            return None
        after = before
        if before.phase == "in" and before.variant == "treated":
            after = self._with_steps(playbook, account_id, before, self.as_of, self._lacks)
            after = before if (after.step, after.next_step_at) == (before.step, before.next_step_at) else after
        if all(one.finished for one in of_entry):
            after = self._left_since(playbook, account_id, after, before.last_as_of)
        return None if after == before else after

    def _left_since(self, playbook: Playbook, account_id: str, enrollment: Enrollment, since: datetime) -> Enrollment:
        """Whether it has left, by the newest look at the data that says so; one that is outside may wait to enter."""
        moments = moments_between(since, self.as_of)
        if enrollment.phase != "in":
            return followed(enrollment, self.past.evaluations(playbook, account_id, moments))
        for at in range(len(moments) - 1, -1, -1):
            results = self.past.evaluations(playbook, account_id, moments[at : at + 1])
            if any(one.ends for _, one in results):
                return followed(enrollment, self.past.evaluations(playbook, account_id, moments[at:]))
        return enrollment

    def _without_tasks(self, playbook: Playbook, with_tasks: Collection[str]) -> dict[str, Enrollment]:
        """The accounts without a task that were inside: a CRM has what the playbook sets, or they were of the baseline.

        Of the baseline is what matched before the lost state was last seen. Where the playbook acts on what matches
        already, such an account lost its task with the state, and enters again. A playbook of which no CRM shows
        anything counts as new.
        """
        stored = self.stored.get(playbook.id, {})
        seen = {
            a: start_of(max(days))
            for a in self.accounts
            if a not in with_tasks and (days := self._seen_of(a, bool(with_tasks)))
        }
        found = {a: one for a, at in seen.items() if (one := self._with_fields(playbook, a, at, stored.get(a)))}
        for account_id in stored.keys() - found.keys() - set(with_tasks):
            if after := self._gone_on(playbook, account_id, stored[account_id], ()):
                found[account_id] = after
        if stored or playbook.repeat.already_matching != "ignore" or not (with_tasks or found):
            return found
        for account_id in seen.keys() - found.keys():
            moments = sorted({seen[account_id] - _waits_for(playbook), seen[account_id]})
            if of_baseline(self.past.evaluations(playbook, account_id, moments)):
                baseline = enroll_as_baseline(Enrollment(), seen[account_id])
                found[account_id] = self._left_since(playbook, account_id, baseline, seen[account_id])
        return found

    def _seen_of(self, account_id: str, with_tasks: bool) -> list[date]:
        """Of each CRM with its record: a day on which the playbook had run. Of its first run it has no tasks."""
        return [one.complete if with_tasks else one.seen for one in self.delivered if account_id in one.accounts]

    def _with_fields(
        self, playbook: Playbook, account_id: str, seen: datetime, stored: Enrollment | None
    ) -> Enrollment | None:
        """The enrollment, as if it began on the day ``seen``, where a CRM has all that is set before a task is made."""
        filled, before = self.filled.get(account_id), stored or Enrollment()
        if not filled or before.phase == "in":
            return None
        if any(one.ends for _, one in self.past.evaluations(playbook, account_id, [self.as_of])):
            return None
        entered = entered_on(before, {seen.date(): 0}, compile_steps(playbook.do), self.as_of)
        entered = self._with_steps(playbook, account_id, entered, seen, lambda _task, _moment: True)
        return entered if entered.fields_set and entered.fields_set.keys() <= filled.keys() else None

    def _with_steps(
        self, playbook: Playbook, account_id: str, entered: Enrollment, until: datetime, lacks: Lacks
    ) -> Enrollment:
        """The enrollment after the steps that were due, with the texts that were written then."""
        after = with_steps(entered, lambda moment: self._context(playbook, account_id, moment), until, lacks)
        texts = {n: text for n, text in self.filled.get(account_id, {}).items() if isinstance(text, str)}
        written = {n: texts[n] for n, value in after.fields_set.items() if isinstance(value, str) and n in texts}
        return replace(after, fields_set={**after.fields_set, **written})

    def _lacks(self, task: MakeTask, moment: datetime) -> bool:
        return any(one.lacks(task, moment.date()) for one in self.delivered)

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


def _is_of(one: AdoptedTask, enrollment: Enrollment) -> bool:
    """Whether a task is of the newest entry of an enrollment."""
    day = enrollment.task_day
    return one.day.isoformat() == day if day else one.entry == enrollment.entry > 0


def _waits_for(playbook: Playbook) -> timedelta:
    """For how long an account may match before its first task: ``for``, waits, and the queue where there are limits."""
    limits, waits = playbook.limits, [playbook.when.for_] if playbook.when.for_ else []
    before_tasks = takewhile(lambda step: not isinstance(step, TaskStep), (step for _, step in walk_steps(playbook.do)))
    waits += [step.wait for step in before_tasks if isinstance(step, WaitStep)]
    queue = QUEUE_EXPIRES_AFTER if limits.per_run or limits.per_owner else timedelta(0)
    return sum(map(_at_most, waits), queue)


def _at_most(long: Duration) -> timedelta:
    """A length of time that is not shorter; a run is taken for a day, and five business days for a week."""
    if long.kind == "business_days":
        return timedelta(weeks=-(-long.n // 5), days=2)
    return timedelta(days=long.n) if long.kind == "runs" else long.span
