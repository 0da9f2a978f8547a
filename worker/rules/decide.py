"""One playbook, all accounts, one moment: which accounts enter and leave, and the actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from worker.language.values import Fields
from worker.rules import transitions
from worker.rules.actions import CloseTasks
from worker.rules.admission import Capacity, in_holdout, owners_of
from worker.rules.breaker import CONDITIONS, flood_reason, pause_reason, version_of
from worker.rules.business_days import calendar_of
from worker.rules.context import PlaybookRun, RunContext
from worker.rules.decision_log import NEW, DecisionLog
from worker.rules.enrollment import Enrollment, Variant
from worker.rules.placement import gone_text
from worker.rules.program import Branch, compile_steps
from worker.rules.rank import rank_of
from worker.rules.reasons import failed_text, matched_text, missing_names
from worker.rules.steps import StepContext, StepResult, run_steps
from worker.rules.transitions import ConditionResults
from worker.settings.playbook import Playbook

_GONE = "no longer in the product data"


def decide(
    playbook: Playbook,
    accounts: Mapping[str, Fields],
    enrollments: Mapping[str, Enrollment],
    context: RunContext,
) -> PlaybookRun:
    """Run one playbook as of one moment. It changes none of its arguments, so it serves previews as well.

    After its result is applied, a second call as of the same moment does nothing. Raises ValueError when an
    enrollment has been decided on as of a later moment. ``accounts`` are all there are: an account that has an
    enrollment and is not among them no longer exists, and leaves.
    """
    if playbook.mode == "off":
        return PlaybookRun()
    run = _Run(playbook, accounts, enrollments, context)
    for account_id in sorted(accounts):
        run.observe(account_id)
    for account_id in sorted(enrollments.keys() - accounts.keys()):
        run.miss(account_id)
    run.admit()
    return run.result()


@dataclass(slots=True)
class _Candidate:
    """An account that enters if the limits allow it."""

    account_id: str
    enrollment: Enrollment
    rank: float
    fresh: bool


class _Run:
    """The work in progress of `decide`."""

    def __init__(
        self,
        playbook: Playbook,
        accounts: Mapping[str, Fields],
        enrollments: Mapping[str, Enrollment],
        context: RunContext,
    ) -> None:
        self._playbook, self._accounts, self._context = playbook, accounts, context
        self._live = playbook.mode == "live"
        # Enrollments of a preview end when the playbook goes live; live enrollments stay unchanged in a preview.
        self._before = {a: m for a, m in enrollments.items() if m.live or not self._live}
        self._first = not (any(m.live for m in self._before.values()) or any(map(self._counts_here, context.history)))
        self._first &= self._live or not self._before
        self._log = DecisionLog(playbook.id, self._before, context.as_of, live=self._live)
        self._candidates: list[_Candidate] = []
        self._paused: str | None = None
        self._started = 0
        self._program = compile_steps(playbook.do)
        self._rank = rank_of(playbook)
        self._closes = any(task.close_when_leaves for _, task in playbook.tasks())

    def _counts_here(self, counts: Mapping[str, int]) -> bool:
        return bool(counts.get("live")) or not self._live

    # -------------------------------------------------------------------- one account

    def observe(self, account_id: str) -> None:
        """Advance one account as far as it can go by itself; an account that is to enter becomes a candidate."""
        enrollment, as_of = self._before.get(account_id, NEW), self._context.as_of
        if enrollment.last_as_of is not None and enrollment.last_as_of > as_of:
            raise ValueError(f"playbook {self._playbook.id} has decided as of {enrollment.last_as_of}, after {as_of}")
        done = enrollment.last_as_of == as_of
        if done and enrollment.phase in {"in", "out"}:
            return
        fields = self._accounts[account_id]
        results = transitions.evaluate(self._playbook, fields)
        if transitions.goal_reached(enrollment, self._playbook, fields, as_of):
            because = matched_text(self._playbook.goal.when, fields) if self._playbook.goal else ""
            enrollment = replace(enrollment, goal_at=as_of, last_as_of=as_of)
            self._log.record(account_id, "goal", because)
        if enrollment.phase == "in":
            self._inside(account_id, enrollment, results)
        else:
            self._outside(account_id, enrollment, results)

    def _inside(self, account_id: str, enrollment: Enrollment, results: ConditionResults) -> None:
        as_of, fields = self._context.as_of, self._accounts[account_id]
        if results.ends:
            self._log.record(account_id, "left", self._why_left(results, fields), self._closing(account_id, enrollment))
            self._log.set_enrollment(account_id, transitions.leave(enrollment, results, as_of))
            return
        result = run_steps(self._step_context(account_id), enrollment)
        if result.unknown:
            self._log.block(self._unknown_branch(result.enrollment, fields))
        if result.placement:
            self._log.place(result.placement)
            if not result.placement.at:
                self._log.record(account_id, "stopped", gone_text(result.placement.key))
        if result.moved:
            self._log.record(account_id, "stepped", "the wait is over", result.actions)
            self._note_open(account_id, result)
        now = result.enrollment
        self._log.set_enrollment(account_id, now if now == enrollment else replace(now, last_as_of=as_of))

    def miss(self, account_id: str) -> None:
        """End the enrollment of an account that the product data no longer has, and close its untouched tasks."""
        enrollment = self._before.get(account_id, NEW)
        if enrollment.phase == "out":
            return
        if enrollment.phase == "in":
            self._log.record(account_id, "left", _GONE, self._closing(account_id, enrollment))
        elif enrollment.phase == "queued":
            self._log.record(account_id, "dropped", _GONE)
        self._log.set_enrollment(account_id, transitions.remove(enrollment, self._context.as_of))

    def _closing(self, account_id: str, enrollment: Enrollment) -> tuple[CloseTasks, ...]:
        closes = self._closes and enrollment.variant == "treated" and enrollment.entry > 0
        return (CloseTasks(self._playbook.id, account_id, enrollment.entry),) if closes else ()

    def _outside(self, account_id: str, enrollment: Enrollment, results: ConditionResults) -> None:
        as_of, fields = self._context.as_of, self._accounts[account_id]
        if results.starts is None and enrollment.can_retrigger and self._may_ever(enrollment):
            self._log.block(self._unknown_start(fields))
        enrollment = self._baseline_mark(enrollment, results)
        if results.starts is True and (enrollment.awaits_baseline or self._ignores_all):
            self._log.record(account_id, "already_matching", matched_text(self._playbook.when.enters, fields))
            self._log.set_enrollment(account_id, transitions.enroll_as_baseline(enrollment, as_of))
            return
        if not self._may_ever(enrollment):
            self._log.set_enrollment(account_id, enrollment)
            return
        now = transitions.update_pending(enrollment, results, as_of)
        if enrollment.phase == "queued" and now.phase == "out":
            self._log.record(account_id, "dropped", "no longer matches")
        self._log.set_enrollment(account_id, now)
        if results.starts is True:
            self._started += enrollment.phase == "out" and now.phase == "pending"
            self._consider(account_id, now)

    @property
    def _ignores_all(self) -> bool:
        """Whether this is the first run of a playbook that leaves alone what matches already."""
        return self._first and self._playbook.repeat.already_matching == "ignore"

    def _baseline_mark(self, enrollment: Enrollment, results: ConditionResults) -> Enrollment:
        """Mark an account that is unknown in the first run, until its condition is known for the first time."""
        if results.starts is None:
            return replace(enrollment, awaits_baseline=enrollment.awaits_baseline or self._ignores_all)
        return replace(enrollment, awaits_baseline=False) if results.starts is False else enrollment

    def _consider(self, account_id: str, enrollment: Enrollment) -> None:
        """Make a matching account a candidate, unless it is too soon after its last entry."""
        if enrollment.phase == "pending":
            if not transitions.matched_long_enough(enrollment, self._playbook.when.for_):
                return
            if not transitions.may_enter_again(enrollment, self._playbook.repeat, self._context.as_of):
                self._log.too_soon()
                return
        elif enrollment.phase != "queued":
            return
        rank, fresh = self._rank(self._accounts[account_id]), enrollment.phase == "pending"
        self._candidates.append(_Candidate(account_id, enrollment, rank, fresh))

    def _may_ever(self, enrollment: Enrollment) -> bool:
        return not (self._playbook.repeat.once and enrollment.entries)

    # -------------------------------------------------------------------- all candidates together

    def admit(self) -> None:
        """Let candidates in by rank as far as the limits allow; queue the others, or pause when too many match."""
        fresh = sum(1 for candidate in self._candidates if candidate.fresh)
        self._paused = None if self._context.approved or self._first else self._pause_reason(fresh)
        if self._paused:
            return
        capacity = Capacity(self._playbook, self._context, self._taken_before())
        for candidate in sorted(self._candidates, key=lambda one: (-one.rank, one.account_id)):
            account_id = candidate.account_id
            if candidate.fresh:
                self._log.count_event(account_id, "matched")
            if in_holdout(self._playbook, account_id):
                self._enter(candidate, "holdout")
            elif capacity.try_acquire(self._owners_on_entry(account_id, candidate.enrollment)):
                self._enter(candidate, "treated")
            else:
                self._queue_or_expire(candidate)

    def _pause_reason(self, fresh: int) -> str | None:
        seen = sum(
            1 for m in self._before.values() if m.last_as_of == self._context.as_of and "matched" in m.last_events
        )
        history = [counts for counts in self._context.history if self._counts_here(counts)]
        return pause_reason(fresh + seen, history)

    def _taken_before(self) -> Iterator[Counter[str]]:
        """The tasks, by person, of each account that an earlier run as of this very moment let in."""
        as_of = self._context.as_of
        for account_id, enrollment in self._before.items():
            if enrollment.entered_at == as_of and enrollment.variant == "treated" and account_id in self._accounts:
                yield self._owners_on_entry(account_id, enrollment)

    def _owners_on_entry(self, account_id: str, enrollment: Enrollment) -> Counter[str]:
        entered = transitions.enter(enrollment, "treated", self._program.version, "", self._context.as_of)
        return owners_of(run_steps(self._step_context(account_id), entered).actions, self._context)

    def _enter(self, candidate: _Candidate, variant: Variant) -> None:
        account_id, as_of = candidate.account_id, self._context.as_of
        matched = matched_text(self._playbook.when.enters, self._accounts[account_id])
        entered = transitions.enter(candidate.enrollment, variant, self._program.version, matched, as_of)
        result = run_steps(self._step_context(account_id), entered)
        self._log.record(account_id, "entered" if variant == "treated" else "holdout", matched, result.actions)
        self._note_open(account_id, result)
        if result.unknown:
            self._log.block(self._unknown_branch(result.enrollment, self._accounts[account_id]))
        self._log.set_enrollment(account_id, result.enrollment)

    def _queue_or_expire(self, candidate: _Candidate) -> None:
        account_id, as_of = candidate.account_id, self._context.as_of
        if transitions.has_waited_too_long(candidate.enrollment, as_of):
            self._log.record(account_id, "expired", "no room under the limits for 7 days")
            self._log.set_enrollment(account_id, transitions.expire(candidate.enrollment, as_of))
            return
        if candidate.fresh:
            self._log.record(account_id, "queued", "no room under the limits")
        self._log.set_enrollment(account_id, transitions.queue(candidate.enrollment, as_of))

    # -------------------------------------------------------------------- inputs of steps, and reasons

    def _step_context(self, account_id: str) -> StepContext:
        context = self._context
        return StepContext(
            playbook=self._playbook,
            program=self._program,
            previous=context.previous,
            account_id=account_id,
            fields=self._accounts[account_id],
            as_of=context.as_of,
            calendar=calendar_of(context.calendar, self._accounts[account_id]),
            open_tasks=context.open_tasks.get(account_id, ()),
            project_id=context.project_id,
            rank=self._rank,
        )

    def _note_open(self, account_id: str, result: StepResult) -> None:
        if result.already_open:
            self._log.count_event(account_id, "already_open")

    def _unknown_start(self, fields: Fields) -> set[str]:
        names = set(missing_names(self._playbook.when.enters, fields))
        return names | set(missing_names(self._playbook.audience, fields) if self._playbook.audience else ())

    def _unknown_branch(self, enrollment: Enrollment, fields: Fields) -> set[str]:
        branch = self._program.instructions[enrollment.step]
        return set(missing_names(branch.condition, fields)) if isinstance(branch, Branch) else set()

    def _why_left(self, results: ConditionResults, fields: Fields) -> str:
        playbook = self._playbook
        if results.audience is False and playbook.audience is not None:
            return f"not in the audience: {failed_text(playbook.audience, fields)}"
        if playbook.leaves is None:
            return failed_text(playbook.when.enters, fields)
        return matched_text(playbook.leaves, fields)

    def result(self) -> PlaybookRun:
        """All decisions, with the enrollments to store."""
        live_runs = [counts for counts in self._context.history if counts.get("live")]
        flood = flood_reason(self._playbook, self._started, live_runs) if self._live else ""
        run = self._log.result(self._accounts, self._paused)
        return replace(run, counts={**run.counts, CONDITIONS: version_of(self._playbook)}, flood=flood)
