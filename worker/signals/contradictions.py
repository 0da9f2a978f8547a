"""Rows whose cells can be read one by one and make no sense together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa

from worker.settings.product_schema import AMOUNTS
from worker.signals.constructs import Column
from worker.signals.invoice_status import not_understood
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.money import incomparable_rows
from worker.signals.repeats import differing_repeats, once
from worker.signals.subscriptions import contradictions, subscriptions_at
from worker.signals.table_findings import ColumnFindings, ReversedDates


def count_contradictions(catalogue: Catalogue, table: MappedTable, as_of: datetime) -> Mapping[str, int]:
    """Per kind of contradiction that ``table`` has, the number of its rows."""
    rows = table.rows
    kinds: Mapping[str, Column] = {}
    if table.name == "subscriptions":
        rows, kinds = contradictions(table, as_of, catalogue.product.grace)
    elif table.name == "invoices" and table.has("status"):
        kinds = {"status not understood, taken for due": not_understood(table)}
    each = once(table, as_of)
    return _rows_that(catalogue, rows, kinds) | _rows_that(catalogue, each.rows, differing_repeats(each))


def reversed_dates(catalogue: Catalogue, table: MappedTable) -> tuple[ReversedDates, ...]:
    """The pairs of dates of ``table`` of which rows have the end before the start."""
    asked: list[Column] = []
    pairs = table.pairs()
    for start, end in pairs:
        both = sa.and_(table.time(start).is_not(None), table.time(end).is_not(None))
        asked += [sa.func.sum(sa.case((test, 1), else_=0)) for test in (table.is_reversed(start, end), both)]
    counts = catalogue.engine.run(sa.select(*asked).select_from(table.rows))[0] if asked else ()
    found = [
        ReversedDates(start=start, end=end, rows=int(counts[2 * place] or 0), of=int(counts[2 * place + 1] or 0))
        for place, (start, end) in enumerate(pairs)
    ]
    return tuple(one for one in found if one.rows)


def _rows_that(catalogue: Catalogue, rows: sa.FromClause, kinds: Mapping[str, Column]) -> dict[str, int]:
    if not kinds:
        return {}
    counts = [sa.func.sum(sa.case((test, 1), else_=0)) for test in kinds.values()]
    row = catalogue.engine.run(sa.select(*counts).select_from(rows))[0]
    return {kind: int(rows) for kind, rows in zip(kinds, row, strict=True) if rows}


def incomparable_amounts(catalogue: Catalogue, table: MappedTable, as_of: datetime) -> Iterator[ColumnFindings]:
    """The rows whose amount cannot be compared with the others of its account, if there are any."""
    name, product = table.name, catalogue.product
    if name not in AMOUNTS or not (table.has("currency") and table.has(AMOUNTS[name])):
        return
    if name == "subscriptions":
        table = subscriptions_at(once(table, as_of), as_of, product.grace)
    found = catalogue.engine.run(incomparable_rows(table, product, as_of))[0][0]
    if found:
        yield ColumnFindings("currency", 0, 0, incomparable=int(found))
