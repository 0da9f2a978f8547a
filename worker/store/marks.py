"""What must be known of this state before it is used: whose it is, whether adoption comes first, whether it moved.

Marks stand in the connectors' journal under the name of no destination, so that they travel with the state.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, Engine, delete, select

from worker.settings.environment import DATABASE
from worker.store.errors import StoreError
from worker.store.tables import connector_journal
from worker.store.upsert import upsert

_OF_NO_DESTINATION = ""
_ADOPTION = "adoption"
_REQUIRED, _ADOPTED = "required", "adopted"
_MOVING, _MOVED = "moving", "moved"
_PROJECT = "project"
UNADOPTED = "the state database was restored from a backup: run plgsync adopt before anything else"


def require_adoption(connection: Connection) -> None:
    """Mark the state as older than the CRMs: adoption has to run before the next run."""
    _set(connection, _ADOPTION, _REQUIRED)


def adoption_required(connection: Connection) -> bool:
    """Whether adoption has to run before the next run."""
    return _get(connection, _ADOPTION) == _REQUIRED


def adoption_done(connection: Connection) -> None:
    """Mark the state as adopted: a run may take place, and what an earlier one has queued waits for that run."""
    _set(connection, _ADOPTION, _ADOPTED)


def may_deliver(connection: Connection) -> bool:
    """Whether queued writes may be sent: what adoption found in the outbox is planned again first."""
    return _get(connection, _ADOPTION) is None


def run_done(connection: Connection) -> None:
    """A run has planned with what adoption found; without an adoption before it this changes nothing."""
    connection.execute(delete(connector_journal).where(*_is(_ADOPTION)))


def note_project(connection: Connection, ids: Iterable[str]) -> None:
    """Note of which project the state is: its id, then the ids that it had before."""
    _set(connection, _PROJECT, " ".join(dict.fromkeys((*ids, *project_ids(connection)))))


def project_ids(connection: Connection) -> tuple[str, ...]:
    """The id of the project whose state this is, then those that it had before; empty until a run has taken place."""
    return tuple((_get(connection, _PROJECT) or "").split())


def mark_moving(connection: Connection, to: str) -> None:
    """Mark the state as one that is on its way: until it has arrived nobody uses it, also where the move is killed."""
    _set(connection, _MOVING, to)


def mark_moved(connection: Connection, to: str) -> None:
    """Mark the state as one that lives elsewhere now; ``to`` is the address without a password."""
    forget_move(connection)
    _set(connection, _MOVED, to)


def forget_move(connection: Connection) -> None:
    """Let the state be used: it has arrived here, or it stays."""
    connection.execute(delete(connector_journal).where(*_is(_MOVING)))


def refuse_moved(engine: Engine, *, moving_to: str = "") -> None:
    """Raises `StoreError` where the state has moved to another database, or is on its way to any but ``moving_to``."""
    with engine.begin() as connection:
        moved, moving = _get(connection, _MOVED), _get(connection, _MOVING)
    if moved is not None:
        raise StoreError(f"this state was moved to {moved}; set {DATABASE} to that database")
    if moving not in {None, moving_to}:
        raise StoreError(f"the move of this state to {moving} was interrupted; move it there again: plgsync state move")


def is_moving(connection: Connection) -> bool:
    """Whether a move of the state began and was killed before its end."""
    return _get(connection, _MOVING) is not None


def _set(connection: Connection, name: str, text: str) -> None:
    upsert(connection, connector_journal, [{"destination": _OF_NO_DESTINATION, "name": name, "text": text}])


def _get(connection: Connection, name: str) -> str | None:
    text: str | None = connection.execute(select(connector_journal.c.text).where(*_is(name))).scalar_one_or_none()
    return text


def _is(name: str) -> tuple[ColumnElement[bool], ...]:
    return connector_journal.c.destination == _OF_NO_DESTINATION, connector_journal.c.name == name
