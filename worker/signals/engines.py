"""What every database the product's data can be in answers to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from worker.settings.problems import excerpt_of
from worker.signals.constructs import Kind

Rows = Sequence[Sequence[Any]]

_ADDRESS = re.compile(r"(?<![/\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+")
"""An e-mail address, but not the user and the host in the address of a server."""


class Engine(Protocol):
    """One open database. Every problem is raised as SourceError in the database's own words."""

    name: str
    member_first: bool
    """Count members in two plain steps: column stores take half the time of COUNT(DISTINCT) that way."""

    def run(self, statement: sa.Select[Any]) -> Rows:
        """All rows of ``statement``."""
        ...

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        """The columns of a table or query, by their exact names; raises SourceError if it cannot be read."""
        ...

    def check_query(self, query: str) -> None:
        """Raises SourceError unless the database's own parser takes ``query`` for one statement that only reads."""
        ...

    def materialize(self, name: str, rows: sa.Select[Any]) -> sa.TableClause | None:
        """``rows`` as a table of this connection's own; None where the database has to be written to for that."""
        ...

    def unique_columns(self, table: str) -> list[frozenset[str]]:
        """The columns of each unique index or primary key of ``table``: the database has no two rows with the same."""
        ...

    def warnings(self) -> list[str]:
        """What an operator should change about our access to the database."""
        ...

    def tables(self) -> list[str]:
        """The names a mapping can use as ``table:``."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def render(statement: sa.Select[Any], dialect: Dialect) -> tuple[str, list[Any]]:
    """``statement`` as text with its parameters in order."""
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    parameters = compiled.params  # a new dictionary every time it is asked for
    return str(compiled), [parameters[name] for name in getattr(compiled, "positiontup", None) or ()]


NOT_ONE_SELECT = "a query must be one SELECT"


def first_line(error: Exception) -> str:
    """The error message of a database, short, without secrets and without e-mail addresses, which a cell may hold."""
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip() or type(cause).__name__
    return _ADDRESS.sub("…", excerpt_of(text.splitlines()[0]))
