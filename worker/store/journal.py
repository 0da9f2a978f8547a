"""What a connector must know again after a crash, kept in the state database: `connectors.base.Journal`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, delete, select

from worker.store.engine import transact
from worker.store.tables import connector_journal
from worker.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class StoreJournal:
    """The notes of the connector of one destination, shared by all workers on this database."""

    engine: Engine
    destination: str

    def read(self, name: str) -> str | None:
        """The text under a name, or None."""
        with self.engine.begin() as connection:
            kept = select(connector_journal.c.text).where(self._is(name))
            text: str | None = connection.execute(kept).scalar_one_or_none()
            return text

    def write(self, name: str, text: str) -> None:
        """Store a text under a name; replaces the one before."""

        def write(connection: Connection) -> None:
            upsert(connection, connector_journal, [{"destination": self.destination, "name": name, "text": text}])

        transact(self.engine, write)

    def erase(self, name: str) -> None:
        """Delete a name; an unknown one changes nothing."""

        def forget(connection: Connection) -> None:
            connection.execute(delete(connector_journal).where(self._is(name)))

        transact(self.engine, forget)

    def _is(self, name: str) -> ColumnElement[bool]:
        return (connector_journal.c.destination == self.destination) & (connector_journal.c.name == name)
