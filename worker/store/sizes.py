"""How large the state database is, without a long look into it: on SQLite a delivery waits for that look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, func, literal_column, select, text

from worker.store.tables import metadata

COUNTED_UP_TO = 100_000
"""Larger tables are estimated."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the whole database, and rows by table; more than `COUNTED_UP_TO` rows are an estimate."""

    bytes: int
    rows: Mapping[str, int]


def sizes(connection: Connection) -> Sizes:
    """The size of the state database as of now."""
    sqlite = connection.dialect.name == "sqlite"
    whole = (
        "select page_count * page_size from pragma_page_count(), pragma_page_size()"
        if sqlite
        else "select pg_database_size(current_database())"
    )
    total = int(connection.execute(text(whole)).scalar_one())
    return Sizes(total, {table.name: _rows(connection, table, sqlite=sqlite) for table in metadata.sorted_tables})


def _rows(connection: Connection, table: Table, *, sqlite: bool) -> int:
    if sqlite:
        row_id: ColumnElement[int] = literal_column("rowid")
        estimated = connection.execute(select(func.max(row_id) - func.min(row_id) + 1).select_from(table)).scalar()
    else:
        known = text("select reltuples from pg_class where oid = to_regclass(:name)")
        estimated = connection.execute(known, {"name": table.name}).scalar()
    estimate = int(estimated or 0)
    if estimate > COUNTED_UP_TO:
        return estimate
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
