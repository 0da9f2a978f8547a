"""How one account moves towards a playbook and out of it; entering itself is decided for all accounts together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.language.compare import Truth
from worker.language.units import Duration
from worker.language.values import Fields
from worker.rules.enrollment import Arm, Membership
from worker.settings.playbook import Playbook, Repeat

QUEUE_EXPIRES_AFTER = timedelta(days=7)
_MOST_ENTRIES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Truths:
    """How an account answers the conditions of a playbook as of one moment."""

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
        """Whether an account inside has to leave; unknown is no reason to."""
        return self.audience is False or self.leaves is True


def look(playbook: Playbook, fields: Fields) -> Truths:
    """Ask the conditions. Without ``leaves``, an account leaves when ``enters`` is false."""
    audience = True if playbook.audience is None else playbook.audience.run(fields)
    enters = playbook.when.enters.run(fields)
    if playbook.leaves is not None:
        return Truths(audience, enters, playbook.leaves.run(fields))
    return Truths(audience, enters, None if enters is None else not enters)


def approach(membership: Membership, truths: Truths, as_of: datetime) -> Membership:
    """Move an account that is not inside: its clock runs while it matches, stops while that is unknown, and starts
    anew once it is false.
    """
    match truths.starts:
        case False:
            return _not_matching(membership, as_of)
        case None:
            return _unknown(membership, as_of)
    if membership.phase == "pending":
        return _still_matching(membership, as_of)
    if membership.phase == "out" and membership.armed:
        return replace(membership, phase="pending", pending_since=as_of, last_as_of=as_of, last_truth=True, runs_true=1)
    return membership


def _not_matching(membership: Membership, as_of: datetime) -> Membership:
    if membership.phase == "out":
        return membership if membership.armed else replace(membership, armed=True, last_as_of=as_of)
    return replace(_without_clocks(membership), phase="out", armed=True, last_as_of=as_of)


def _unknown(membership: Membership, as_of: datetime) -> Membership:
    if membership.phase != "pending" or membership.last_truth is None:
        return membership
    return replace(membership, last_truth=None, last_as_of=as_of)


def _still_matching(membership: Membership, as_of: datetime) -> Membership:
    since = membership.last_as_of or as_of
    if as_of <= since and membership.last_truth is True:
        return membership
    gained = int((as_of - since).total_seconds()) if membership.last_truth is True else 0
    return replace(
        membership,
        held_s=membership.held_s + gained,
        runs_true=membership.runs_true + 1,
        last_truth=True,
        last_as_of=as_of,
    )


def has_held(membership: Membership, long: Duration | None) -> bool:
    """Whether a pending account has matched for long enough."""
    if long is None:
        return True
    if long.kind == "runs":
        return membership.runs_true >= long.n
    return membership.held_s >= long.n * (3_600 if long.kind == "hours" else 86_400)


def may_enter_again(membership: Membership, repeat: Repeat, as_of: datetime) -> bool:
    """Whether an entry now would keep to ``repeat``."""
    if not membership.entries:
        return True
    if repeat.once:
        return False
    if repeat.wait is not None and as_of - membership.entries[-1] < _span(repeat.wait):
        return False
    if repeat.at_most is None:
        return True
    since = as_of - timedelta(days=repeat.at_most.days)
    return sum(1 for entry in membership.entries if entry > since) < repeat.at_most.n


def note(membership: Membership, as_of: datetime) -> Membership:
    """Take an account that matched before the playbook began as one inside, for which nothing is done."""
    return replace(_without_clocks(membership), phase="in", arm="noted", armed=False, last_as_of=as_of)


def queue(membership: Membership, as_of: datetime) -> Membership:
    """Let a matching account wait for room."""
    if membership.phase == "queued":
        return membership
    return replace(_without_clocks(membership), phase="queued", queued_since=as_of, last_as_of=as_of)


def has_waited_too_long(membership: Membership, as_of: datetime) -> bool:
    """Whether a queued account has been queued for 7 days."""
    return membership.queued_since is not None and as_of - membership.queued_since >= QUEUE_EXPIRES_AFTER


def expire(membership: Membership, as_of: datetime) -> Membership:
    """Give up waiting for room; the account can come back once ``enters`` has been false."""
    return replace(_without_clocks(membership), phase="out", armed=False, last_as_of=as_of)


def enter(membership: Membership, arm: Arm, version: str, matched: str, as_of: datetime) -> Membership:
    """Let an account in, at the first step of the program of ``version``."""
    return replace(
        _without_clocks(membership),
        phase="in",
        armed=False,
        last_as_of=as_of,
        entry=membership.entry + 1,
        entries=(*membership.entries, as_of)[-_MOST_ENTRIES_KEPT:],
        entered_at=as_of,
        left_at=None,
        arm=arm,
        step=0 if arm == "treated" else -1,
        next_step_at=None,
        goal_at=None,
        fields_set={},
        config_hash=version,
        matched=matched,
    )


def leave(membership: Membership, truths: Truths, as_of: datetime) -> Membership:
    """Let an account out. What was set for it is set no longer, and the steps to come are not taken."""
    return replace(
        membership,
        phase="out",
        armed=truths.starts is False and (truths.enters is False or truths.audience is False),
        last_as_of=as_of,
        left_at=as_of,
        step=-1,
        next_step_at=None,
        fields_set={},
        matched="",
    )


def vanish(membership: Membership, as_of: datetime) -> Membership:
    """Let an account out that no longer exists; should it come back, ``enters`` has to become true anew."""
    out = replace(_without_clocks(membership), phase="out", armed=membership.phase != "in", last_as_of=as_of)
    if membership.phase != "in":
        return out
    return replace(out, left_at=as_of, step=-1, next_step_at=None, fields_set={}, matched="")


def _without_clocks(membership: Membership) -> Membership:
    return replace(membership, pending_since=None, held_s=0, runs_true=0, last_truth=None, queued_since=None)


def _span(duration: Duration) -> timedelta:
    return timedelta(hours=duration.n) if duration.kind == "hours" else timedelta(days=duration.n)


def goal_reached(membership: Membership, playbook: Playbook, fields: Fields, as_of: datetime) -> bool:
    """Whether the goal is met now, for the first time, and soon enough after the last entry."""
    if playbook.goal is None or membership.entered_at is None or membership.goal_at is not None:
        return False
    in_time = membership.entered_at < as_of <= membership.entered_at + _span(playbook.goal.within)
    return in_time and playbook.goal.when.run(fields) is True
