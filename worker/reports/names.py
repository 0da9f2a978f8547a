"""The destinations and playbooks of a project: those of its settings, and those in its state database."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, select

from worker.language.suggest import suggestion
from worker.settings.problems import CommandError
from worker.settings.project import Project
from worker.store.tables import ledger, outbox, playbook_runs


class UnknownName(CommandError):
    """A command names something that does not exist; the message says what does."""


def require_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Raises `UnknownName` unless ``name`` is one of the ``known`` names of its ``kind``."""
    names = sorted(set(known))
    if name in names:
        return
    hint = suggestion(name, names, f"; known: {', '.join(names) or 'none'}")
    raise UnknownName(f'there is no {kind} "{name}"{hint}')


def destination_names(connection: Connection, project: Project | None) -> set[str]:
    """Every destination that is configured, or that something was queued for or sent to."""
    configured = set(project.crm.destinations) if project else set()
    return configured | _distinct(connection, outbox.c.destination, ledger.c.destination)


def playbook_names(connection: Connection, project: Project | None) -> set[str]:
    """The id of every playbook that is configured, has run, or has a task in the outbox."""
    configured = {one.id for one in project.playbooks} if project else set()
    return configured | (_distinct(connection, playbook_runs.c.playbook_id, outbox.c.playbook_id) - {""})


def _distinct(connection: Connection, *columns: ColumnElement[str]) -> set[str]:
    return {name for column in columns for name in connection.execute(select(column).distinct()).scalars()}
