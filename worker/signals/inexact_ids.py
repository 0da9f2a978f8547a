"""Ids in floating point: from 2**53 on, different ids become one, and their accounts too."""

from __future__ import annotations

import sqlalchemy as sa

from worker.language.plural import counted
from worker.settings.product_schema import kind_of
from worker.signals.engines import Engine
from worker.signals.errors import SourceError
from worker.signals.mapped_table import MappedTable

_INEXACT = 2.0**53


def check_exact(engine: Engine, table: MappedTable) -> None:
    """Raise SourceError where a column with ids in floating point has any that is not exact."""
    for ours, column in table.columns.items():
        if column.kind != "float" or kind_of(table.name, ours) != "id":
            continue
        size = sa.func.abs(table.cell(ours))
        inexact = sa.and_(size >= sa.literal(_INEXACT, sa.Double()), size < sa.literal(1e300, sa.Double()))
        many = sa.func.sum(sa.case((inexact, 1), else_=0))
        rows = engine.run(sa.select(many).select_from(table.rows))[0][0]
        if rows:
            many_rows = counted(int(rows), "row")
            raise SourceError(
                f'{many_rows} of the column "{column.name}" have ids too large for floating point, where different '
                "ids become one: write them as whole numbers or text"
            )
