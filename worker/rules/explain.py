"""Why an account is where it is in a playbook: every test with its answer and the values seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.language.condition import Trace
from worker.language.operators import Truth
from worker.language.plural import counted
from worker.language.values import Fields, tidy
from worker.rules import transitions
from worker.rules.enrollment import Enrollment
from worker.rules.placement import gone_text, place, placement_of
from worker.rules.program import Program, compile_steps
from worker.rules.reasons import missing_names
from worker.settings.playbook import Playbook


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One playbook seen from one account. ``starts``: whether the account would enter if it were outside.

    ``status`` is a text: where the account is and what it waits for. ``missing`` names what is unknown.
    """

    playbook_id: str
    name: str
    mode: str
    audience: Trace | None
    enters: Trace
    leaves: Trace | None
    starts: Truth
    phase: str
    status: str
    missing: tuple[str, ...]


def explain(
    playbook: Playbook,
    fields: Fields,
    enrollment: Enrollment | None,
    as_of: datetime,
    previous: Program | None = None,
) -> Explanation:
    """Evaluate every condition as of one moment; ``enrollment`` is what the last run stored, if anything.

    ``previous`` are the playbook's steps in that run, where they are known.
    """
    member = enrollment or Enrollment()
    results = transitions.evaluate(playbook, fields)
    conditions = [playbook.when.enters, *([playbook.audience] if playbook.audience else [])]
    missing = {name for one in conditions for name in missing_names(one, fields)} if results.starts is None else set()
    return Explanation(
        playbook_id=playbook.id,
        name=playbook.name,
        mode=playbook.mode,
        audience=playbook.audience.trace(fields) if playbook.audience else None,
        enters=playbook.when.enters.trace(fields),
        leaves=playbook.leaves.trace(fields) if playbook.leaves else None,
        starts=results.starts,
        phase=member.phase,
        status=_status(playbook, member, results.starts, as_of, previous),
        missing=tuple(sorted(missing)),
    )


def _status(playbook: Playbook, member: Enrollment, starts: Truth, as_of: datetime, previous: Program | None) -> str:
    match member.phase:
        case "in":
            return _inside(member) + _after_edit(playbook, member, previous)
        case "pending":
            return _pending(playbook, member, as_of)
        case "queued":
            return f"queued since {tidy(member.queued_since)}: no room under the limits"
    if starts is True and playbook.repeat.once and member.entries:
        return f"outside; it was inside from {tidy(member.entries[-1])} and may enter only once"
    if starts is True and not member.can_retrigger:
        return "outside; it matches, but has not stopped matching since it was last inside or queued"
    if member.left_at is not None:
        return f"outside since {tidy(member.left_at)}"
    return "outside"


def _inside(member: Enrollment) -> str:
    if member.variant == "baseline":
        return "inside since before the playbook went live: nothing is done"
    since = f"inside since {tidy(member.entered_at)} (entry {member.entry})"
    if member.variant == "holdout":
        return f"{since}, held out: nothing is done"
    goal = f"; goal reached {tidy(member.goal_at)}" if member.goal_at else ""
    if member.next_step_at is not None:
        return f"{since}; next step {tidy(member.next_step_at)}{goal}"
    if member.step >= 0:
        return f"{since}; a branch is unknown{goal}"
    return f"{since}; {gone_text(member.step_key) if member.step_key else 'all steps done'}{goal}"


def _after_edit(playbook: Playbook, member: Enrollment, previous: Program | None) -> str:
    """Where an account that waits goes on in the next run, when the steps were edited since the last one."""
    if member.step < 0:
        return ""
    placement = placement_of("", member, place(compile_steps(playbook.do), member, previous))
    if placement is None:
        return ""
    if placement.at:
        return f'; after the edit of the playbook it goes on at "{placement.at}"'
    return f'; it stops in the next run, because its step "{placement.key}" is gone: put it back to go on'


def _pending(playbook: Playbook, member: Enrollment, as_of: datetime) -> str:
    long = playbook.when.for_
    if not transitions.matched_long_enough(member, long):
        so_far = counted(member.runs_true, "run") if long and long.kind == "runs" else _hours(member.matched_s)
        return f"matches since {tidy(member.pending_since)}: {so_far} of {long} so far"
    if not transitions.may_enter_again(member, playbook.repeat, as_of):
        return f"matches, but it is too soon after {tidy(member.entries[-1])} to enter again"
    return "matches, and enters when the playbook is not paused"


def _hours(seconds: int) -> str:
    hours = timedelta(seconds=seconds).total_seconds() / 3_600
    return f"{hours:.0f}h" if hours < 72 else f"{hours / 24:.0f}d"
