"""The transitions of one enrollment. Whether it enters is decided for all accounts together (`decide`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from worker.language.operators import Truth
from worker.language.units import Duration
from worker.language.values import Fields
from worker.rules.enrollment import Enrollment, Variant
from worker.settings.playbook import Playbook, Repeat

QUEUE_EXPIRES_AFTER = timedelta(days=7)
_MOST_ENTRIES_KEPT = 100


@dataclass(frozen=True, slots=True)
class ConditionResults:
    """The answers of a playbook's conditions for one account as of one moment."""

    audience: Truth
    enters: Truth
    leaves: Truth

    @property
    def starts(self) -> Truth:
        """Whether it belongs inside: in the audience, entering, and not leaving at the same time."""
        if self.audience is False or self.enters is False or self.leaves is True:
            return False
        return None if self.audience is None or self.enters is None else True

    @property
    def ends(self) -> bool:
        """Whether an account inside has to leave; an unknown condition never makes it leave."""
        return self.audience is False or self.leaves is True


def evaluate(playbook: Playbook, fields: Fields) -> ConditionResults:
    """Evaluate the conditions. Without ``leaves``, an account leaves when ``enters`` is false."""
    audience = True if playbook.audience is None else playbook.audience.run(fields)
    enters = playbook.when.enters.run(fields)
    if playbook.leaves is not None:
        return ConditionResults(audience, enters, playbook.leaves.run(fields))
    return ConditionResults(audience, enters, None if enters is None else not enters)


def update_pending(enrollment: Enrollment, results: ConditionResults, as_of: datetime) -> Enrollment:
    """Advance an account that is not inside: its clock runs while it matches, stops while that is unknown, and starts
    from zero after it was false.
    """
    match results.starts:
        case False:
            return _not_matching(enrollment, as_of)
        case None:
            return _unknown(enrollment, as_of)
    if enrollment.phase == "pending":
        return _still_matching(enrollment, as_of)
    if enrollment.phase == "out" and enrollment.can_retrigger:
        now = replace(enrollment, phase="pending", pending_since=as_of, last_as_of=as_of, last_truth=True)
        return replace(now, runs_true=1, counted_at=as_of)
    return enrollment


def _not_matching(enrollment: Enrollment, as_of: datetime) -> Enrollment:
    if enrollment.phase == "out":
        return enrollment if enrollment.can_retrigger else replace(enrollment, can_retrigger=True, last_as_of=as_of)
    return replace(_without_clocks(enrollment), phase="out", can_retrigger=True, last_as_of=as_of)


def _unknown(enrollment: Enrollment, as_of: datetime) -> Enrollment:
    if enrollment.phase != "pending" or enrollment.last_truth is None:
        return enrollment
    return replace(enrollment, last_truth=None, last_as_of=as_of)


def _still_matching(enrollment: Enrollment, as_of: datetime) -> Enrollment:
    since = enrollment.last_as_of or as_of
    if as_of <= since and enrollment.last_truth is True:
        return enrollment
    counted = enrollment.counted_at or since
    another_day = _day(as_of) > _day(counted)
    gained = int((as_of - since).total_seconds()) if enrollment.last_truth is True else 0
    return replace(
        enrollment,
        matched_s=enrollment.matched_s + gained,
        runs_true=enrollment.runs_true + another_day,
        counted_at=as_of if another_day else counted,
        last_truth=True,
        last_as_of=as_of,
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def matched_long_enough(enrollment: Enrollment, long: Duration | None) -> bool:
    """Whether a pending account has matched for long enough; runs of one UTC day count once."""
    if long is None:
        return True
    if long.kind == "runs":
        return enrollment.runs_true >= long.n
    return enrollment.matched_s >= long.n * (3_600 if long.kind == "hours" else 86_400)


def may_enter_again(enrollment: Enrollment, repeat: Repeat, as_of: datetime) -> bool:
    """Whether ``repeat`` allows an entry now."""
    if not enrollment.entries:
        return True
    if repeat.once:
        return False
    if repeat.wait is not None and as_of - enrollment.entries[-1] < repeat.wait.span:
        return False
    if repeat.at_most is None:
        return True
    since = as_of - timedelta(days=repeat.at_most.days)
    return sum(1 for entry in enrollment.entries if entry > since) < repeat.at_most.n


def enroll_as_baseline(enrollment: Enrollment, as_of: datetime) -> Enrollment:
    """Enroll an account that matched before the playbook went live; it gets no actions."""
    now = replace(_without_clocks(enrollment), phase="in", variant="baseline", can_retrigger=False, last_as_of=as_of)
    return replace(now, awaits_baseline=False)


def queue(enrollment: Enrollment, as_of: datetime) -> Enrollment:
    """Queue a matching account until the limits leave capacity."""
    if enrollment.phase == "queued":
        return enrollment
    return replace(_without_clocks(enrollment), phase="queued", queued_since=as_of, last_as_of=as_of)


def has_waited_too_long(enrollment: Enrollment, as_of: datetime) -> bool:
    """Whether a queued account has been queued for 7 days."""
    return enrollment.queued_since is not None and as_of - enrollment.queued_since >= QUEUE_EXPIRES_AFTER


def expire(enrollment: Enrollment, as_of: datetime) -> Enrollment:
    """End the waiting of a queued account; it can match again once ``enters`` has been false."""
    return replace(_without_clocks(enrollment), phase="out", can_retrigger=False, last_as_of=as_of)


def enter(enrollment: Enrollment, variant: Variant, version: str, matched: str, as_of: datetime) -> Enrollment:
    """Enroll an account at the first step of the program of ``version``."""
    return replace(
        without_steps(_without_clocks(enrollment)),
        phase="in",
        can_retrigger=False,
        last_as_of=as_of,
        entry=enrollment.entry + 1,
        entries=(*enrollment.entries, as_of)[-_MOST_ENTRIES_KEPT:],
        entered_at=as_of,
        left_at=None,
        variant=variant,
        step=0 if variant == "treated" else -1,
        goal_at=None,
        fields_set={},
        config_hash=version,
        matched=matched,
        task_day=_day(as_of).isoformat(),
    )


def leave(enrollment: Enrollment, results: ConditionResults, as_of: datetime) -> Enrollment:
    """End an enrollment: its fields are no longer set, and its remaining steps are not taken."""
    return replace(
        without_steps(enrollment),
        phase="out",
        can_retrigger=results.starts is False and (results.enters is False or results.audience is False),
        last_as_of=as_of,
        left_at=as_of,
        fields_set={},
        matched="",
    )


def remove(enrollment: Enrollment, as_of: datetime) -> Enrollment:
    """End the enrollment of an account that no longer exists. If it comes back, ``enters`` has to become true again."""
    out = replace(_without_clocks(enrollment), phase="out", can_retrigger=enrollment.phase != "in", last_as_of=as_of)
    if enrollment.phase != "in":
        return out
    return replace(without_steps(out), left_at=as_of, fields_set={}, matched="")


def without_steps(enrollment: Enrollment) -> Enrollment:
    """The enrollment with no step to come."""
    return replace(enrollment, step=-1, step_key="", step_after="", taken=(), next_step_at=None)


def _without_clocks(enrollment: Enrollment) -> Enrollment:
    return replace(
        enrollment, pending_since=None, matched_s=0, runs_true=0, counted_at=None, last_truth=None, queued_since=None
    )


def goal_reached(enrollment: Enrollment, playbook: Playbook, fields: Fields, as_of: datetime) -> bool:
    """Whether the goal is met now, for the first time, and soon enough after the last entry."""
    if playbook.goal is None or enrollment.entered_at is None or enrollment.goal_at is not None:
        return False
    in_time = enrollment.entered_at < as_of <= enrollment.entered_at + playbook.goal.within.span
    return in_time and playbook.goal.when.run(fields) is True
