"""Copies every table of a state from one database to another, row by row, and proves that both hold the same.

A fingerprint of a table counts its rows and adds up a hash of each, so that it depends on no order: SQLite and
PostgreSQL sort texts differently.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Double, Row, Table, delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from worker.store.errors import StoreError
from worker.store.tables import metadata
from worker.telemetry.steps import report_step

ROWS_AT_ONCE = 500
_HASHES = 2**256
_WHOLE = 1e16
"""From here on Python writes a float with an exponent, which PostgreSQL keeps as a whole number."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How many rows a table has, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def with_row(self, values: Sequence[Any]) -> Fingerprint:
        """The fingerprint with one row more."""
        return Fingerprint(self.rows + 1, (self.total + _hash(values)) % _HASHES)


def copy_state(source: Connection, target: Connection) -> dict[str, int]:
    """Copy all tables into tables without rows, compare both sides, and continue the ids; answers the rows by table.

    Both are in a transaction of the caller. Raises `StoreError` when a row cannot be stored or the copy differs.
    """
    copied = {table: _copy(source, target, table) for table in metadata.sorted_tables}
    for table, fingerprint in copied.items():
        report_step(f"comparing {table.name}")
        if fingerprint_of(target, table) != fingerprint:
            raise StoreError(f"the copy of the table {table.name} is not what was read; nothing was changed, try again")
    if target.dialect.name == "postgresql":
        _continue_ids(target)
    return {table.name: fingerprint.rows for table, fingerprint in copied.items()}


def fingerprint_of(connection: Connection, table: Table) -> Fingerprint:
    """The fingerprint of a table: the same on both databases when they hold equal rows."""
    found = Fingerprint()
    for batch in _batches(connection, table):
        for row in batch:
            found = found.with_row(_plain(table, row))
    return found


def empty_tables(connection: Connection) -> None:
    """Remove every row of the state."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"truncate {_names(connection)}"))
        return
    for table in metadata.tables.values():
        connection.execute(delete(table))


def lock_tables(connection: Connection, mode: str) -> None:
    """On PostgreSQL, keep other writers out until the transaction ends; on SQLite the transaction itself does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"lock table {_names(connection)} in {mode} mode"))


def count_rows(connection: Connection) -> dict[str, int]:
    """The number of rows by table."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


def _names(connection: Connection) -> str:
    quote: Callable[[str], str] = connection.dialect.identifier_preparer.quote
    return ", ".join(quote(name) for name in sorted(metadata.tables))


def _copy(source: Connection, target: Connection, table: Table) -> Fingerprint:
    found = Fingerprint()
    for batch in _batches(source, table):
        report_step(f"copying {table.name}", found.rows)
        for row in batch:
            found = found.with_row(_plain(table, row))
        try:
            target.execute(insert(table), [dict(row._mapping) for row in batch])  # noqa: SLF001 - SQLAlchemy's public name
        except DBAPIError as error:
            words = str(error.orig).strip().partition("\n")[0]
            raise StoreError(f"a row of the table {table.name} cannot be stored there: {words}") from None
    return found


def _batches(connection: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    rows = connection.execute(select(table), execution_options={"yield_per": ROWS_AT_ONCE})
    yield from rows.partitions()


def _plain(table: Table, row: Row[Any]) -> list[Any]:
    """The values of a row as every database gives them back: numbers that are equal are written alike."""
    columns = table.columns.values()
    return [
        float(value) if isinstance(column.type, Double) and value is not None else _plain_json(value)
        for column, value in zip(columns, row, strict=True)
    ]


def _plain_json(value: Any) -> Any:
    """A value of JSON without what JSONB does not keep: an exponent of a whole number, a minus before zero."""
    if isinstance(value, dict):
        return {key: _plain_json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain_json(one) for one in value]
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (isinstance(value, float) or abs(value) >= _WHOLE)
    ):
        return float(value) + 0.0
    return value


def _hash(values: Sequence[Any]) -> int:
    written = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(written.encode()).digest(), "big")


def _continue_ids(connection: Connection) -> None:
    """New ids begin behind the highest one that was copied."""
    for table in metadata.tables.values():
        if table.autoincrement_column is None or table.autoincrement_column.autoincrement is not True:
            continue
        highest = select(func.max(table.autoincrement_column)).scalar_subquery()
        sequence = func.pg_get_serial_sequence(table.name, table.autoincrement_column.name)
        connection.execute(select(func.setval(sequence, func.coalesce(highest, 1), highest.is_not(None))))
