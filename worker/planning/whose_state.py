"""Of which project a state database is: one that is not of these settings would close another project's tasks."""

from __future__ import annotations

from sqlalchemy import Connection

from worker.settings.base import Finding
from worker.settings.environment import DEPLOYMENT
from worker.settings.problems import ConfigError, Problem
from worker.settings.project import Project
from worker.settings.validation import place_findings
from worker.settings.yaml_document import load_document
from worker.store.marks import project_ids

_FILE = "config/crm.yaml"


def refuse_other_project(connection: Connection, project: Project) -> None:
    """Raise `ConfigError` where the state is of a project with another id than the settings have."""
    if problem := other_project(connection, project):
        raise ConfigError([problem])


def other_project(connection: Connection, project: Project) -> Problem | None:
    """What is wrong where the state is of another project, with the ways out; None where it is of this one, or new."""
    of_state, own = project_ids(connection)[:1], project.crm.project
    if set(of_state) <= set(project.crm.project_ids):
        return None
    by_variable = own != project.crm.project_id
    id_of_settings = DEPLOYMENT if by_variable else "project_id"
    renamed = (
        "" if by_variable else f". If {of_state[0]} is called {own} from now on: former_project_ids: [{of_state[0]}]"
    )
    message = (
        f"the state database is of the project {of_state[0]}, and {id_of_settings} is {own}: nothing runs. Set the id "
        f"back, or use the state database of {own}{renamed}"
    )
    return place_findings(load_document(project.root / _FILE, _FILE), [Finding(("project_id",), message)])[0]
