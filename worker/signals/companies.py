"""Accounts rolled up to their companies: the rows of a workspace count for the account at the top of its parents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA
from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable
from worker.signals.source_columns import SourceColumn

MOST_LEVELS = 20
"""More levels than this are a circle."""
_COMPANY, _WORKSPACE = "s_company", "s_workspace"
WORKSPACE = "workspace_id"
"""The account of a row of `of_companies` as it is written, where that tells the row from another."""


def company_of(accounts: MappedTable, apart: Column) -> sa.CTE:
    """Account ``a`` and its ``company``: the account at the end of its chain of parents.

    A parent that is no account ends the chain. An account in a circle, or below one, is a company of its own, and so
    is one with a row that is ``apart``: its rows count for no other.
    """
    is_apart = sa.func.max(sa.case((apart, 1), else_=0))
    once = parents_of(accounts).add_columns(is_apart.label("o")).cte("s_parents")
    known = once.alias("s_known")
    exists = sa.and_(known.c.a == once.c.p, known.c.a != once.c.a)
    up = sa.select(once.c.a, known.c.a.label("p"), once.c.o).select_from(once.outerjoin(known, exists)).cte("s_up")
    start = sa.select(up.c.a, up.c.a.label("top"), up.c.p, sa.literal_column("0").label("level"))
    walk = start.cte("s_walk", recursive=True)
    above = sa.select(walk.c.a, up.c.a, up.c.p, walk.c.level + sa.literal_column("1"))
    walk = walk.union_all(
        above.select_from(walk.join(up, up.c.a == walk.c.p)).where(walk.c.level < sa.literal_column(str(MOST_LEVELS)))
    )
    end = sa.select(walk.c.a, walk.c.top).where(walk.c.p.is_(None)).subquery("s_end")
    company: Column = sa.case((up.c.o == 1, up.c.a), else_=sa.func.coalesce(end.c.top, up.c.a))
    found = sa.select(up.c.a, company.label("company")).select_from(up.outerjoin(end, end.c.a == up.c.a))
    return found.cte("s_companies")


def parents_of(accounts: MappedTable) -> sa.Select[Any]:
    """Every account ``a`` once, and its parent ``p``, which may be no account."""
    ids, parents = accounts.id("account_id"), accounts.id("parent_id")
    named = sa.select(ids.label("a"), sa.func.min(parents).label("p")).select_from(accounts.rows)
    return named.where(ids.is_not(None)).group_by(ids)


def only_companies(accounts: MappedTable, companies: sa.CTE) -> MappedTable:
    """The accounts table without the accounts that belong to another."""
    there = accounts.rows.join(companies, companies.c.a == accounts.id("account_id"))
    found = sa.select(*accounts.carried()).select_from(there).where(companies.c.company == companies.c.a)
    return replace(accounts, rows=found.subquery("s_accounts_on_top"))


def of_companies(table: MappedTable, companies: sa.CTE) -> MappedTable:
    """``table`` with the company of every row as its account. An id that no account has stays what it is."""
    account = table.id("account_id")
    company: Column = sa.func.coalesce(companies.c.company, account)
    there = table.rows.outerjoin(companies, companies.c.a == account)
    columns = {"account_id": SourceColumn(_COMPANY, "text", ready=True)}
    made = [company.label(_COMPANY)]
    if "account_id" in SCHEMA[table.name].key:
        columns[WORKSPACE] = SourceColumn(_WORKSPACE, "text", ready=True)
        made.append(account.label(_WORKSPACE))
    rows = sa.select(*table.carried(), *made).select_from(there).subquery(f"s_{table.name}_of_companies")
    return replace(table, rows=rows, columns={**table.columns, **columns})
