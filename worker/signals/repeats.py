"""Rows that were delivered more than once count once: the same key, the latest arrival."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA
from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable
from worker.signals.rows import by


def keyed(table: MappedTable) -> list[Column]:
    """The columns that tell one row of ``table`` from another; empty where its key is not mapped."""
    names = SCHEMA[table.name].key
    return [table.value(name) for name in names if table.has(name)] if names and table.has(names[0]) else []


def once(table: MappedTable, as_of: datetime) -> MappedTable:
    """``table`` with every row once. Of repeated rows the latest that had arrived by ``as_of`` counts.

    A row without a key is a row of its own.
    """
    keys = keyed(table)
    if not keys or table.unique:
        return table
    schema = SCHEMA[table.name]
    names = [name for name in (schema.latest, schema.at) if name and table.has(name)]
    order = [table.read_time(name).desc().nulls_last() for name in names]
    place = sa.func.row_number().over(partition_by=keys, order_by=order or [keys[0]])
    theirs = table.cells()
    found = sa.select(*theirs, place.label("s_place"), keys[0].label("s_key")).select_from(table.rows)
    if table.name == "events" and table.has("received_at"):
        received = table.time("received_at")
        found = found.where(sa.or_(received.is_(None), by(received, as_of)))
    numbered = found.subquery(f"s_{table.name}_numbered")
    first = sa.or_(numbered.c.s_key.is_(None), numbered.c.s_place == sa.literal_column("1"))
    rows = sa.select(*(numbered.c[column.name] for column in theirs)).where(first)
    return replace(table, rows=rows.subquery(f"s_{table.name}"), read=frozenset())
