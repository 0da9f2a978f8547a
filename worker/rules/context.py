"""The inputs of a decision besides the accounts, and its result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from worker.rules.actions import Action
from worker.rules.enrollment import Enrollment, Event
from worker.rules.placement import Placement
from worker.rules.program import Program
from worker.settings.environment import UNNAMED_PROJECT
from worker.settings.playbook_steps import Assignee
from worker.settings.schedule import Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a decision depends on besides the accounts. ``calendar`` defines the business days, in its zone for
    accounts without a zone of their own.

    ``owner_of`` names the person who would get a task (any stable text; None when unknown); ``tasks_today`` counts
    the tasks that each person got on that person's day. ``open_tasks`` holds ``playbook id/task key`` of the open CRM
    tasks of each account. ``history`` are the counts of earlier runs, oldest first. ``approved`` lets a paused playbook
    continue. ``project_id`` is part of the keys of tasks.
    ``previous`` are the playbook's steps as they ran last, where they are known.
    """

    as_of: datetime
    calendar: Calendar
    owner_of: Callable[[str, Assignee], str | None]
    open_tasks: Mapping[str, Collection[str]] = field(default_factory=dict)
    tasks_today: Mapping[str, int] = field(default_factory=dict)
    history: Sequence[Mapping[str, int]] = ()
    approved: bool = False
    previous: Program | None = None
    project_id: str = UNNAMED_PROJECT


@dataclass(frozen=True, slots=True)
class Decision:
    """One event of one account, why, and what the playbook does about it."""

    playbook_id: str
    account_id: str
    event: Event
    because: str
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookRun:
    """One run of one playbook. ``enrollments`` has only those that changed.

    ``counts`` has one number per event and per phase and, among others, ``blocked_missing`` (not decided because
    something is unknown; ``blocked`` counts the unknown names), ``repeat`` (too soon to enter again) and ``preview``
    (tasks not created because the playbook is not live). ``paused``: why no account may enter, or None.
    ``flood``: why an operator has to approve the plan, because an edit makes many accounts match at once; or empty.
    ``placements``: where the accounts that wait go on after an edit of the steps, and which of them stop.
    """

    decisions: tuple[Decision, ...] = ()
    enrollments: Mapping[str, Enrollment] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    blocked: Mapping[str, int] = field(default_factory=dict)
    paused: str | None = None
    flood: str = ""
    placements: tuple[Placement, ...] = ()
