"""Cells that hold several words where one is needed: ``admin, member`` beside ``admin`` and ``member``."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.table_columns import folded

_MOST_WORDS = 5_000


def with_lists(engine: Engine, table: MappedTable) -> MappedTable:
    """``table`` with the texts of its columns of one word that are made of other words of the column.

    With a blank after the comma a text may be one title, such as ``Director, Sales``. Raises SourceError.
    """
    found: set[str] = set()
    for name in SCHEMA[table.name].single:
        if table.has(name):
            word = folded(table.text(name))
            rows = engine.run(sa.select(word).select_from(table.rows).distinct().limit(_MOST_WORDS))
            words = {str(row[0]) for row in rows}
            found |= {one for one in words if "," in one and {part.strip() for part in one.split(",")} <= words}
    return replace(table, lists=frozenset(found))
