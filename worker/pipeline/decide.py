"""The decisions of every playbook in a run, with their inputs other than the accounts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from worker.language.values import Fields
from worker.planning.crm_facts import CrmFacts
from worker.planning.crm_view import CrmView
from worker.planning.owners import zone_of_person
from worker.rules.context import PlaybookRun, RunContext
from worker.rules.decide import decide
from worker.rules.enrollment import Enrollments
from worker.rules.program import Program, compile_steps
from worker.settings.playbook import Assignee
from worker.settings.project import Project, read_playbooks
from worker.telemetry.steps import report_step


@dataclass(frozen=True, slots=True)
class PastRuns:
    """By playbook: what its earlier runs counted, oldest first, and its steps in the last one."""

    counts: Mapping[str, Sequence[Mapping[str, Any]]]
    programs: Mapping[str, Program]


def decide_all(
    project: Project,
    fields: Mapping[str, Fields],
    enrollments: Enrollments,
    views: Sequence[CrmView],
    past: PastRuns,
    as_of: datetime,
    facts: CrmFacts,
    *,
    resume: bool = False,
) -> dict[str, PlaybookRun]:
    """Run each playbook that is not off.

    ``resume`` lets a playbook continue in which far more accounts match than usual.
    """
    report_step("deciding what playbooks do")
    open_tasks = _open_tasks(views)
    today = _tasks_today(views, ZoneInfo(project.schedule.calendar.zone), as_of)

    def owner_of(account_id: str, candidate: Assignee) -> str | None:
        return _owner_of(views, fields[account_id], account_id, candidate)

    return {
        playbook.id: decide(
            playbook,
            facts.with_tasks(playbook, fields, as_of),
            enrollments.get(playbook.id, {}),
            RunContext(
                as_of=as_of,
                calendar=project.schedule.calendar,
                owner_of=owner_of,
                open_tasks=open_tasks,
                tasks_today=today.get(playbook.id, {}),
                history=past.counts.get(playbook.id, ()),
                approved=resume,
                previous=past.programs.get(playbook.id),
                project_id=project.crm.project,
            ),
        )
        for playbook in project.playbooks
        if playbook.mode != "off"
    }


def programs_of(project: Project, texts: Mapping[str, str]) -> dict[str, Program]:
    """By playbook id, the steps of these files; a file that is not valid any more is left out."""
    return {playbook.id: compile_steps(playbook.do) for playbook in read_playbooks(texts, project.product.lists)}


def _open_tasks(views: Sequence[CrmView]) -> dict[str, set[str]]:
    """Account id → ``playbook id/task key`` of its tasks that are open in every CRM that makes tasks.

    A task that is missing in one CRM must still be created there; the plan looks at each CRM by itself.
    """
    making = [view for view in views if view.settings.tasks and view.settings.tasks.enabled]
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for view in making:
        names = {
            (row.account_id, f"{row.playbook_id}/{row.task_key}") for row in view.readings.tasks.values() if row.is_open
        }
        for account_id, name in names:
            found[account_id][name] += 1
    return {
        account_id: {name for name, count in names.items() if count == len(making)}
        for account_id, names in found.items()
    }


def _tasks_today(views: Sequence[CrmView], usual: ZoneInfo, as_of: datetime) -> dict[str, Counter[str]]:
    """Playbook id → e-mail address → tasks decided on that person's day, each counted once however many CRMs got it.

    The day is that of the person's time zone in the first CRM that has one, else of the ``usual`` zone.
    """
    today: dict[str, dict[str, str]] = defaultdict(dict)
    crms = [view.readings.people for view in views]
    for view in views:
        for task in view.stored.decided:
            owner = view.readings.people.active(task.owner_id)
            if owner:
                zone = zone_of_person(crms, owner.email) or usual
                if task.as_of.astimezone(zone).date() == as_of.astimezone(zone).date():
                    today[task.playbook_id].setdefault(task.key, owner.email)
    return {playbook_id: Counter(owners.values()) for playbook_id, owners in today.items()}


def _owner_of(views: Sequence[CrmView], fields: Fields, account_id: str, candidate: Assignee) -> str | None:
    """The e-mail address of the owner that the task would get; None when a queue chooses among its members."""
    if candidate.kind in {"queue", "round_robin"}:
        return None
    for view in views:
        record = view.record_of(account_id)
        owner = view.readings.people.choose([candidate], fields, record.owner_id if record else None)
        if owner:
            return owner.email
    return None
