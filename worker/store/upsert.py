"""Insert-or-replace for both databases, so that no query depends on the dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

Row = Mapping[str, Any]


def upsert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert the rows, replacing every given column where the primary key exists already.

    Rows go in sorted key order, so that two writers cannot deadlock.
    """
    ordered = _sorted(table, rows)
    if not ordered:
        return
    keys = [column.name for column in table.primary_key.columns]
    statement = insert_into(connection, table)
    replaced = {name: statement.excluded[name] for name in ordered[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced), ordered)


def insert_missing(connection: Connection, table: Table, rows: Iterable[Row], *, unique: str) -> None:
    """Insert the rows whose ``unique`` column is new; the others are left exactly as they are."""
    ordered = sorted((dict(row) for row in rows), key=lambda row: str(row[unique]))
    if ordered:
        connection.execute(insert_into(connection, table).on_conflict_do_nothing(index_elements=[unique]), ordered)


def _sorted(table: Table, rows: Iterable[Row]) -> Sequence[dict[str, Any]]:
    keys = [column.name for column in table.primary_key.columns]
    return sorted((dict(row) for row in rows), key=lambda row: tuple(str(row[key]) for key in keys))


def insert_into(connection: Connection, table: Table) -> PostgresInsert:
    """The ``INSERT`` of this connection's dialect; both take ``ON CONFLICT`` in the same words."""
    insert: Any = postgres_insert if connection.dialect.name == "postgresql" else sqlite_insert
    return insert(table)  # type: ignore[no-any-return]
