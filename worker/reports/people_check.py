"""The people whom playbooks and queues name, searched in a CRM: a task for somebody unknown belongs to nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from connectors.base import Owner
from worker.planning.owners import People
from worker.settings.base import Finding
from worker.settings.playbook import Playbook
from worker.settings.playbook_steps import HOLD
from worker.settings.problems import Problem
from worker.settings.project import Project
from worker.settings.validation import place_findings
from worker.settings.yaml_document import load_document


def unknown_people(project: Project, destination: str, owners: Sequence[Owner]) -> Iterator[Problem]:
    """Warnings for everybody whom this CRM does not know, and where tasks for nobody would be created."""
    tasks = project.crm.destinations[destination].tasks
    if not tasks or not tasks.enabled:
        return
    people = People(owners, project.crm.queues, Counter())
    findings = [
        Finding(("queues", queue), f"{email} is no active user of {destination}", severity="warning")
        for queue, members in project.crm.queues.items()
        for email in members
        if not people.by_email(email)
    ]
    may_create = tasks.if_no_owner == "create"
    if may_create and any(task.if_no_owner != HOLD for one in project.playbooks for _, task in one.tasks()):
        message = "a task for which this CRM has nobody is created without an owner; if_no_owner: hold keeps it"
        findings.append(Finding(("destinations", destination, "tasks"), message, severity="warning", of_key=True))
    document = load_document(project.root / "config" / "crm.yaml", "config/crm.yaml")
    yield from place_findings(document, findings)
    for playbook in project.playbooks:
        yield from _of_playbook(project, playbook, destination, people)


def _of_playbook(project: Project, playbook: Playbook, destination: str, people: People) -> Iterator[Problem]:
    file = f"playbooks/{playbook.id}.yaml"
    unknown = [
        Finding((*loc, name), f"{assignee.name} is no active user of {destination}", severity="warning")
        for loc, task in playbook.tasks()
        for name, assignee in (("to", task.to), ("if_no_owner", task.if_no_owner))
        if assignee is not None and assignee.kind == "user" and not people.by_email(assignee.name)
    ]
    if not unknown:
        return
    if (project.root / file).is_file():
        yield from place_findings(load_document(project.root / file, file), unknown)
    else:
        yield from (Problem("playbooks", 1, 1, f"{playbook.id}: {one.message}", "warning") for one in unknown)
