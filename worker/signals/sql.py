"""What SQLite and PostgreSQL have in common: one read-only connection through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from worker.signals.engines import Rows, first_line
from worker.signals.errors import SourceError


@dataclass(slots=True)
class SqlEngine:
    """One connection. It never commits: whatever a query does to its session ends with a rollback."""

    engine: sa.Engine
    connection: sa.Connection
    member_first: bool = False
    name: str = ""

    def run(self, statement: sa.Select[Any]) -> Rows:
        try:
            return [tuple(row) for row in self.connection.execute(statement)]
        except sa.exc.SQLAlchemyError as error:
            self.connection.rollback()
            raise SourceError(first_line(error)) from error

    def stream(self, statement: sa.Select[Any], rows: int) -> Iterator[Rows]:
        """The rows of ``statement``, so many at a time; the server keeps the rest."""
        try:
            yield from self.connection.execute(statement, execution_options={"stream_results": True}).partitions(rows)
        except sa.exc.SQLAlchemyError as error:
            self.connection.rollback()
            raise SourceError(first_line(error)) from error

    def materialize(self, name: str, rows: sa.Select[Any]) -> None:  # noqa: ARG002 - both would have to write
        return None

    def release(self) -> None:
        """End the transaction, so that the database keeps no snapshot for us."""
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()
        self.engine.dispose()


def connect(engine: sa.Engine, what: str, first: str) -> sa.Connection:
    """The one connection of ``engine``, after its ``first`` statement. Raises SourceError, which names ``what``."""
    try:
        connection = engine.connect()
        connection.execute(sa.text(first))
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        raise SourceError(f"cannot open {what}: {first_line(error)}") from error
    return connection


def star(rows: sa.FromClause | sa.TextClause) -> sa.Select[Any]:
    """No row, but every column of ``rows``."""
    return sa.select(sa.text("*")).select_from(rows).limit(sa.literal_column("0"))
