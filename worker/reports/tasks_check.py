"""The tasks in a CRM that carry a key but that this state database does not know: another deployment's, or lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from connectors.base import AccessDenied, Connector, OurTask
from worker.language.plural import counted
from worker.planning.lost_state import NEWEST, unknown_tasks
from worker.rules.task_keys import parts_of
from worker.settings.base import Finding
from worker.settings.environment import UNNAMED_PROJECT, database_url
from worker.settings.problems import Problem
from worker.settings.project import Project
from worker.settings.validation import place_findings
from worker.settings.yaml_document import load_document
from worker.store.engine import database_exists, read_store

_NEWEST = 1000
_FILE = "config/crm.yaml"


def tasks_of_others(project: Project, destination: str, connector: Connector) -> list[Problem]:
    """Warnings about the newest tasks of a CRM that are not of this state, and an error where a run would stop."""
    settings = project.crm.destinations[destination].tasks
    if not settings or not settings.enabled:
        return []
    try:
        tasks = connector.our_tasks(newest=_NEWEST)
    except AccessDenied:  # our user does not see the key: the check of fields says so
        return []
    findings = [
        *_unnamed(project),
        *_other_projects(project, destination, tasks),
        *_unknown(project, destination, tasks),
    ]
    return list(place_findings(load_document(project.root / _FILE, _FILE), findings))


def _unnamed(project: Project) -> Iterator[Finding]:
    if project.crm.project == UNNAMED_PROJECT:
        message = (
            f"the project has no project_id of its own, and is called {UNNAMED_PROJECT}: a second deployment on the "
            "same CRM would take its tasks for its own. Give it one before there is a second"
        )
        yield Finding(("project_id",), message, severity="warning", of_key=True)


def _other_projects(project: Project, destination: str, tasks: Sequence[OurTask]) -> Iterator[Finding]:
    found = Counter(key.project_id for task in tasks if (key := parts_of(task.key)))
    for project_id in project.crm.project_ids:
        del found[project_id]
    if found:
        named = ", ".join(f"{project_id} ({count:,})" for project_id, count in sorted(found.items()))
        message = (
            f"tasks of other projects are in {destination}: {named}. They are left alone; the fields of records are "
            "shared, and the last to write one wins"
        )
        yield Finding(("destinations", destination, "tasks"), message, severity="warning", of_key=True)


def _unknown(project: Project, destination: str, tasks: Sequence[OurTask]) -> Iterator[Finding]:
    """The newest tasks of our id: what a run would refuse."""
    ours = [task for task in tasks if (key := parts_of(task.key)) and key.project_id in project.crm.project_ids]
    if unknown := _not_in_state(project, destination, ours[:NEWEST]):
        message = (
            f"a run would stop now: {destination} has {counted(len(unknown), 'task')} of this project that its state "
            f"database does not know, such as {unknown[0].key}. If the state is lost or older: plgsync adopt. If "
            "another deployment has the same id: give this one its own, PLGSYNC_PROJECT_ID"
        )
        yield Finding(("destinations", destination, "tasks"), message, of_key=True)


def _not_in_state(project: Project, destination: str, tasks: Sequence[OurTask]) -> Sequence[OurTask]:
    url = database_url(project.root)
    if not database_exists(url):
        return tasks
    engine = read_store(url)
    try:
        with engine.begin() as connection:
            return unknown_tasks(connection, destination, tasks)
    finally:
        engine.dispose()
