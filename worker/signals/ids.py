"""The ids of accounts and people: how many there are, and which belong to others but for their capital letters."""

from __future__ import annotations

import sqlalchemy as sa

from worker.signals.constructs import Column
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.reading.texts import IdText, clean_text
from worker.signals.table_columns import folded
from worker.signals.table_findings import impersonal


def count_accounts(engine: Engine, accounts: MappedTable) -> tuple[int, int, str | None]:
    """How many accounts there are, how many stand there more than once, and one of these. Raises SourceError."""
    ids = accounts.id("account_id")
    once = sa.select(ids.label("a"), sa.func.count().label("n")).select_from(accounts.rows)
    grouped = once.where(ids.is_not(None)).group_by(ids).subquery("s_once")
    twice = grouped.c.n > 1
    many = sa.func.sum(sa.case((twice, 1), else_=0))
    columns: list[Column] = [sa.func.count(), many, sa.func.min(sa.case((twice, grouped.c.a)))]
    row = engine.run(sa.select(*columns).select_from(grouped))[0]
    return int(row[0]), int(row[1] or 0), impersonal(row[2])


def in_another_case(engine: Engine, own: tuple[MappedTable, str], others: tuple[MappedTable, str]) -> int:
    """How many ids of a column belong to none of another's, but would if capital letters did not matter.

    Raises SourceError.
    """
    table, column = own
    key = IdText(table.cell(column), table.kind(column)).label("k")
    keys = sa.select(key).select_from(table.rows).distinct().subquery("s_keys")
    clean = clean_text(keys.c.k, table.nothing).label("c")
    mine = sa.select(clean).select_from(keys).distinct().subquery("s_own")
    id_ = others[0].id(others[1]).label("i")
    theirs = sa.select(id_).select_from(others[0].rows).distinct().subquery("s_theirs")
    lowered = sa.select(folded(theirs.c.i).label("l")).select_from(theirs).distinct().subquery("s_lowered")
    alike = mine.outerjoin(theirs, theirs.c.i == mine.c.c).join(lowered, lowered.c.l == folded(mine.c.c))
    return int(engine.run(sa.select(sa.func.count()).select_from(alike).where(theirs.c.i.is_(None)))[0][0])
