"""What must be known of this state before it is used: whether adoption has to run first, and whether it moved away.

Marks stand in the connectors' journal under the name of no destination, so that they travel with the state.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Engine, delete, select

from worker.settings.environment import DATABASE
from worker.store.errors import StoreError
from worker.store.tables import connector_journal
from worker.store.upsert import upsert

_OF_NO_DESTINATION = ""
_ADOPTION = "adoption"
_REQUIRED, _ADOPTED = "required", "adopted"
_MOVED = "moved"
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


def mark_moved(connection: Connection, to: str) -> None:
    """Mark the state as one that lives elsewhere now; ``to`` is the address without a password."""
    _set(connection, _MOVED, to)


def refuse_moved(engine: Engine) -> None:
    """Raises `StoreError` where the state has moved to another database."""
    with engine.begin() as connection:
        to = _get(connection, _MOVED)
    if to is not None:
        raise StoreError(f"this state was moved to {to}; set {DATABASE} to that database")


def _set(connection: Connection, name: str, text: str) -> None:
    upsert(connection, connector_journal, [{"destination": _OF_NO_DESTINATION, "name": name, "text": text}])


def _get(connection: Connection, name: str) -> str | None:
    text: str | None = connection.execute(select(connector_journal.c.text).where(*_is(name))).scalar_one_or_none()
    return text


def _is(name: str) -> tuple[ColumnElement[bool], ...]:
    return connector_journal.c.destination == _OF_NO_DESTINATION, connector_journal.c.name == name
